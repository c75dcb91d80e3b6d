"""Every image of a list erased by its key, from a ledger and a result table that hold its answer."""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import pandas as pd  # noqa: F401 - imports are not what is measured
import psycopg
from psycopg import sql

from airflow_provider_permitocr.engine.erasure.erasure import Erasure
from airflow_provider_permitocr.engine.ledger.journal import FileJournal
from airflow_provider_permitocr.engine.ports import TargetPorts
from airflow_provider_permitocr.options.erasure import ErasureRule
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.sql.ledger.erasure.erasing import Erasing
from airflow_provider_permitocr.sql.ledger.lists.lists import target_name
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from labs.bench.programs.lists.filled import deliver_all, fill_ledger, make_list, settle_down
from labs.bench.programs.memory import PeakMemory
from labs.bench.programs.stubbed import ANSWER, SOURCE, TARGET, Engines, engine, open_ledger


def main(dsn: str, rows: str) -> None:
    """Erase all rows, and print what it took and in how many tables something of the answers is left.

    :param dsn: of an empty database.
    """
    number, database = int(rows), engine(dsn)
    make_list(dsn, number)
    known = fill_ledger(database, number).where()
    assert known
    deliver_all(database, known[0], number)
    settle_down(dsn)
    before = _tables_with_people(dsn)
    with PeakMemory() as memory:
        began, cpu_began = time.perf_counter(), time.process_time()
        _erase(dsn, number)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    seen = {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": memory.peak_mb}
    found = {"found_before": before, "found": _tables_with_people(dsn)}
    sys.stdout.write(json.dumps(seen | found))


def _erase(dsn: str, rows: int) -> None:
    """Erase as ``airflow permitocr erase`` does."""
    with psycopg.connect(dsn) as connection:
        keys = [key for (key,) in connection.execute("SELECT image_id FROM images")]
    with closing(Engines(dsn)) as engines, tempfile.TemporaryDirectory() as folder:
        ledger = open_ledger(engines.ledger, makes_calls=False)
        named = target_name(TARGET)
        ports = TargetPorts(
            source=SqlImageSource(engines.tables, SOURCE, settled_in=ledger.where),
            ledger=ledger,
            tables={named: SqlResultTarget(engines.tables, TARGET)},
        )
        done = Erasure(
            ports,
            FileJournal(Path(folder), session_id="bench"),
            ledger.erasure(Erasing(ErasureRule(keys=keys), [named], "bench")),
            Batch(),
            log=logging.getLogger("bench"),
            stop=threading.Event(),
        ).run()
    if (done.images.images, done.images.answers, done.written) != (rows, rows, rows):
        raise RuntimeError(f"not all rows were erased: {done.as_dict()}")


def _tables_with_people(dsn: str) -> int:
    """Count the tables whose rows, as text, contain a name or number from the answers."""
    texts = [ANSWER[name] for name in ("Name", "Number")]
    # As they are, and as JSON in ASCII.
    shown = [*texts, *(json.dumps(text)[1:-1] for text in texts)]
    patterns = [f"%{each}%".replace("\\", "\\\\") for each in shown]
    found = 0
    with psycopg.connect(dsn) as connection:
        named = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in named:
            query = sql.SQL("SELECT 1 FROM {} AS row WHERE row::text LIKE ANY (%s) LIMIT 1")
            found += (
                connection.execute(query.format(sql.Identifier(name)), (patterns,)).fetchone() is not None
            )
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
