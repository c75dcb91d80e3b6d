"""Prepared records into the result table in batches, against a bare executemany of the same rows."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.core.columns import COLUMNS
from airflow_provider_permitocr.core.flatten import flatten
from airflow_provider_permitocr.core.frame import to_frame
from airflow_provider_permitocr.core.models import ImageRow, Outcome, Record, Status
from airflow_provider_permitocr.core.record import to_record
from airflow_provider_permitocr.sql.result_target import SqlResultTarget
from airflow_provider_permitocr.sql.tables import ResultTable
from bench.programs.stubbed import ANSWER


def main(dsn: str, driver: str, rows: str, repeats: str, *batches: str) -> None:
    """Measure both ways in turn with each size of batch, and print the seconds of each.

    :param dsn: of an empty database.
    :param driver: ``psycopg`` or ``psycopg2``.
    """
    records = _records(int(rows))
    engine = sa.create_engine(
        dsn.replace("postgresql://", f"postgresql+{driver}://", 1), hide_parameters=True, pool_pre_ping=True
    )
    target = SqlResultTarget(engine, ResultTable("permits", conn_id="warehouse"))
    target.prepare()
    seconds = []
    with importlib.import_module(driver).connect(dsn) as bare:
        for _ in range(int(repeats)):
            for size in map(int, batches):
                _empty(bare)
                began = time.perf_counter()
                _insert_bare(bare, records, size)
                between = time.perf_counter()
                _empty(bare)
                again = time.perf_counter()
                for at in range(0, len(records), size):
                    target.write(to_frame(records[at : at + size]))
                ours = time.perf_counter() - again
                seconds.append({"batch": size, "bare": between - began, "write": ours})
                _require(bare, len(records))
    sys.stdout.write(json.dumps(seconds))


def _records(rows: int) -> list[Record]:
    now = datetime.now(UTC)
    return [
        to_record(
            Outcome(
                ImageRow(f"image-{number:07}", None, updated_at=now),
                Status.RECOGNIZED,
                flatten(ANSWER),
                request_id=f"6f0a4b1e-2ad1-4c3b-9c50-{number:012}",
            ),
            max_tries=3,
            run_id="scheduled__2026-11-22T00:00:00+00:00",
            processed_at=now,
        )
        for number in range(rows)
    ]


def _insert_bare(connection: Any, records: Sequence[Record], size: int) -> None:
    """Do as little as a driver lets one: one statement text, tuples, a commit for each batch."""
    names = [column.name for column in COLUMNS]
    columns, values = ", ".join(f'"{name}"' for name in names), ", ".join(["%s"] * len(names))
    insert = f"INSERT INTO permits ({columns}) VALUES ({values})"  # noqa: S608 - our own names
    with connection.cursor() as cursor:
        for at in range(0, len(records), size):
            rows = [tuple(record[name] for name in names) for record in records[at : at + size]]
            cursor.executemany(insert, rows)
            connection.commit()


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
