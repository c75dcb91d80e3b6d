"""A process that asks a ledger for calls: ``python -m tests.sql.ledger.program ARGUMENTS``, as JSON.

Prints a line per exchange: key, ``call_id`` and grant of each intent. Ends when it has asked for all keys.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import Grant, RunIdentity
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.sql.dialects.known import database_of
from tests.sql.ledger.processes import Process, answered


def main(
    url: str, run_id: str, map_index: int, prefix: str, number: int, at_once: int, max_calls: int | None
) -> None:
    """Ask for calls, and say what was granted; each is answered with the next exchange."""
    keys = [f"{prefix}{each:06}" for each in range(number)]
    engine = sa.create_engine(url, pool_pre_ping=True)
    database_of(engine).set_up_for_ledger(engine)
    process = Process(
        engine, RunIdentity("dag", "task", run_id, map_index), Budget(max_calls_per_day=max_calls)
    )
    closed: list[Any] = []
    for start in range(0, len(keys), at_once):
        intents = [process.intent(key) for key in keys[start : start + at_once]]
        grants = process.ledger.exchange(intents, closed, []).grants
        said: list[Any] = [
            [intent.row_key[0], intent.call_id, grant] for intent, grant in zip(intents, grants, strict=True)
        ]
        print(json.dumps(said), flush=True)
        granted = [intent for intent, grant in zip(intents, grants, strict=True) if grant is Grant.GRANTED]
        closed = [answered(intent) for intent in granted]
    process.close(*closed)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
