"""Refills the result table from the ledger: first an empty one, then one that has all rows."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from contextlib import closing

import pandas as pd  # noqa: F401 - imports are not what is measured
import psycopg

from airflow_provider_permitocr.engine.delivery.rebuild import Rebuild
from airflow_provider_permitocr.engine.ports import TargetPorts
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.sql.ledger.lists.lists import target_name
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from labs.bench.programs.lists.filled import fill_ledger, make_list, settle_down
from labs.bench.programs.memory import PeakMemory
from labs.bench.programs.stubbed import ANSWER, SOURCE, TARGET, Engines, engine, open_ledger


def main(dsn: str, rows: str) -> None:
    """Fill a ledger, rebuild twice, and print what each took, the calls of both and the memory.

    :param dsn: of an empty database.
    """
    number = int(rows)
    make_list(dsn, number)
    fill_ledger(engine(dsn), number)
    settle_down(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        calls = _count(connection, "permit_ocr_calls")
        with PeakMemory() as memory:
            empty = _rebuild(dsn, number)
            _require(connection, number)
            connection.execute("UPDATE permits SET number = 'of an older version'")
            full = _rebuild(dsn, number)
            _require(connection, number)
        made = _count(connection, "permit_ocr_calls") - calls
    seen = {"empty": empty, "full": full, "calls": made, "peak_mb": memory.peak_mb}
    sys.stdout.write(json.dumps(seen))


def _rebuild(dsn: str, rows: int) -> dict[str, float]:
    """Rebuild as ``airflow permitocr rebuild`` does, and return its seconds, and our CPU's."""
    with closing(Engines(dsn)) as engines:
        ledger = open_ledger(engines.ledger, makes_calls=False)
        ports = TargetPorts(
            source=SqlImageSource(engines.tables, SOURCE, settled_in=ledger.where),
            ledger=ledger,
            tables={target_name(TARGET): SqlResultTarget(engines.tables, TARGET)},
        )
        rebuild = Rebuild(ports, Batch(), log=logging.getLogger("bench"), stop=threading.Event())
        began, cpu_began = time.perf_counter(), time.process_time()
        rebuilt = rebuild.run()
        took = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu_began}
    if (rebuilt.kept.readable, rebuilt.written, rebuilt.refused) != (rows, rows, 0):
        raise RuntimeError(f"not all rows were written: {rebuilt.as_dict()}")
    return took


def _require(connection: psycopg.Connection, rows: int) -> None:
    right = _count(connection, f"permits WHERE number = '{ANSWER['Number']}'")
    if right != rows:
        raise RuntimeError(f"{right} rows are right in place of {rows}")


def _count(connection: psycopg.Connection, what: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {what}").fetchone()  # noqa: S608
    assert row
    return int(row[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
