"""Rows from the ledger into the result table in batches, against a bare executemany of the same upsert."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import pandas as pd

from airflow_provider_permitocr.engine.delivery.deliveries import Deliveries
from airflow_provider_permitocr.engine.delivery.frame import to_frame
from airflow_provider_permitocr.engine.delivery.record import to_records
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import COLUMNS, Record
from airflow_provider_permitocr.sql.ledger.lists.lists import target_name
from airflow_provider_permitocr.sql.ledger.sql_ledger import SqlLedger
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from labs.bench.programs.lists.filled import fill_ledger
from labs.bench.programs.stubbed import TARGET, engine

_PATIENCE_SECONDS: Final = 60.0
_NAMES: Final = [column.name for column in COLUMNS]
_COLUMNS: Final = ", ".join(f'"{name}"' for name in _NAMES)
_REPLACED: Final = ", ".join(f'"{name}" = excluded."{name}"' for name in _NAMES[2:])
_UPSERT: Final = (
    f"INSERT INTO permits ({_COLUMNS}) VALUES ({', '.join(['%s'] * len(_NAMES))})"  # noqa: S608 - our names
    f" ON CONFLICT (image_key, card_side) DO UPDATE SET {_REPLACED}"
    " WHERE permits.version IS NULL OR permits.version <= excluded.version"
)


def main(dsn: str, driver: str, rows: str, repeats: str, size: str) -> None:
    """Measure all ways in turn, and print the seconds of each.

    :param dsn: of an empty database.
    :param driver: ``psycopg`` or ``psycopg2``.
    :param size: rows in a batch.
    """
    database, number = engine(dsn, driver), int(rows)
    ledger = fill_ledger(database, number)
    target = SqlResultTarget(database, TARGET)
    target.prepare()
    batches = _batches(ledger, number, int(size))
    frames = [to_frame(batch) for batch in batches]
    tuples = [[tuple(record[name] for name in _NAMES) for record in batch] for batch in batches]
    seconds = []
    with importlib.import_module(driver).connect(dsn) as bare:
        ways: dict[str, Callable[[], None]] = {
            "bare": lambda: _write_bare(bare, tuples),
            "write": lambda: _write(target, frames),
            "deliver": lambda: _deliver(ledger, target, int(size)),
        }
        for _ in range(int(repeats)):
            took = {}
            for name, write in ways.items():
                _empty(bare)
                began = time.perf_counter()
                write()
                took[name] = time.perf_counter() - began
                _require(bare, number)
            seconds.append(took)
    sys.stdout.write(json.dumps(seconds))


def _batches(ledger: SqlLedger, rows: int, size: int) -> list[list[Record]]:
    keys = [(f"permit-{number:09}", CardSide.FRONT) for number in range(1, rows + 1)]
    batches = (keys[at : at + size] for at in range(0, rows, size))
    return [to_records(list(ledger.delivered(batch).values())) for batch in batches]


def _write_bare(connection: Any, batches: Sequence[Sequence[tuple[Any, ...]]]) -> None:
    """Do as little as a driver lets one: one statement text, tuples, a commit for each batch."""
    with connection.cursor() as cursor:
        for rows in batches:
            cursor.executemany(_UPSERT, rows)
            connection.commit()


def _write(target: SqlResultTarget, frames: Sequence[pd.DataFrame]) -> None:
    for frame in frames:
        target.write(frame)


def _deliver(ledger: SqlLedger, target: SqlResultTarget, size: int) -> None:
    deliveries = Deliveries(ledger, {target_name(TARGET): target}, Batch(rows=size))
    deliveries.prepare(COLUMNS)
    deliveries.finish(_PATIENCE_SECONDS)


def _empty(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE permits")
    connection.commit()


def _require(connection: Any, rows: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM permits")
        found = cursor.fetchone()
    connection.commit()
    if found != (rows,):
        raise RuntimeError(f"{found} rows were written in place of {rows}")


if __name__ == "__main__":
    main(*sys.argv[1:])
