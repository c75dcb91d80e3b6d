"""A list of which every row is done: a run over it, against the SQL alone that finds nothing to do.

And with the list and the result apart, on two connections and in two kinds of databases.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import sqlalchemy as sa

from bench.programs.memory import PeakMemory
from bench.programs.stubbed import engine, run_stubbed

_NOTHING_TO_DO = """
SELECT count(*) FROM images WHERE NOT EXISTS (
    SELECT 1 FROM permits
    WHERE image_key = image_id AND card_side = 'FRONT' AND status IN ('recognized', 'rejected', 'failed')
)
"""


def main(dsn: str, times: str) -> None:
    """Measure both in turn, and print the seconds of each."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")  # as PostgreSQL does by itself some time after so many new rows
        with tempfile.TemporaryDirectory() as directory:
            copy = _sqlite_copy(connection, Path(directory) / "images.db")
            rounds = [
                {
                    "bare": _bare(connection),
                    "again": _again(dsn)["seconds"],
                    "apart": _again(dsn, engine(dsn)),
                    "sqlite": _again(dsn, copy),
                }
                for _ in range(int(times))
            ]
    sys.stdout.write(json.dumps(rounds))


def _sqlite_copy(connection: psycopg.Connection, file: Path) -> sa.Engine:
    copy = sa.create_engine(f"sqlite:///{file}")
    with copy.begin() as lite, connection.transaction(), connection.cursor(name="images") as images:
        lite.exec_driver_sql("CREATE TABLE images (image_id TEXT PRIMARY KEY, image TEXT)")
        images.execute("SELECT image_id, image FROM images")
        while rows := images.fetchmany(10_000):
            lite.exec_driver_sql("INSERT INTO images VALUES (?, ?)", rows)
    return copy


def _bare(connection: psycopg.Connection) -> float:
    began = time.perf_counter()
    row = connection.execute(_NOTHING_TO_DO).fetchone()
    if row != (0,):
        raise RuntimeError(f"there is something to do: {row}")
    return time.perf_counter() - began


def _again(dsn: str, source: sa.Engine | None = None) -> dict[str, float]:
    database = engine(dsn)
    with PeakMemory() as memory:
        began = time.perf_counter()
        summary = run_stubbed(database, source=source)
        seconds = time.perf_counter() - began
    if summary.calls or summary.skipped != summary.listed:
        raise RuntimeError(f"a run over finished rows did something: {summary}")
    return {"seconds": seconds, "over_idle_mb": memory.over_idle_mb}


if __name__ == "__main__":
    main(*sys.argv[1:])
