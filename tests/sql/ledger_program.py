"""A process that asks a ledger for calls: ``python -m tests.sql.ledger_program ARGUMENTS``, as JSON.

Prints a line per exchange: key, ``call_id`` and grant of each intent. Ends when it has asked for all keys.
"""

from __future__ import annotations

import json
import sys
import threading
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.call_ledger import new_call_id
from airflow_provider_permitocr.core.calls import OK, CallIntent, CallResult, Grant, RunIdentity
from airflow_provider_permitocr.core.spending import Spending
from airflow_provider_permitocr.sql.calls_table import CallsTable
from airflow_provider_permitocr.sql.ledger_table import SqlLedgerTable


def main(
    url: str, run_id: str, map_index: int, prefix: str, number: int, at_once: int, max_calls: int | None
) -> None:
    """Ask for calls, and say what was granted; each is answered with the next exchange."""
    keys = [f"{prefix}{each:06}" for each in range(number)]
    engine = sa.create_engine(url, pool_pre_ping=True)
    table = SqlLedgerTable(
        engine,
        CallsTable("calls", conn_id="lake"),
        account="100",
        run=RunIdentity("dag", "task", run_id, map_index),
        spending=Spending(max_calls_per_day=max_calls),
        stop=threading.Event(),
    )
    table.prepare()
    results: list[CallResult] = []
    for start in range(0, len(keys), at_once):
        intents = [
            CallIntent(new_call_id(), (key, CardSide.FRONT), None, datetime.now(UTC))
            for key in keys[start : start + at_once]
        ]
        grants = table.exchange(intents, results)
        said: list[Any] = [
            [intent.row_key[0], intent.call_id, grant] for intent, grant in zip(intents, grants, strict=True)
        ]
        print(json.dumps(said), flush=True)
        granted = [intent for intent, grant in zip(intents, grants, strict=True) if grant is Grant.GRANTED]
        results = [CallResult(intent.call_id, OK, True, "request", datetime.now(UTC)) for intent in granted]
    table.exchange([], results)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
