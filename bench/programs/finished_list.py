"""A list of which every row is done: a run over it, against the SQL alone that finds nothing to do."""

from __future__ import annotations

import json
import sys
import time

import psycopg

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
        pairs = [{"bare": _bare(connection), "again": _again(dsn)} for _ in range(int(times))]
    sys.stdout.write(json.dumps(pairs))


def _bare(connection: psycopg.Connection) -> float:
    began = time.perf_counter()
    row = connection.execute(_NOTHING_TO_DO).fetchone()
    if row != (0,):
        raise RuntimeError(f"there is something to do: {row}")
    return time.perf_counter() - began


def _again(dsn: str) -> float:
    database = engine(dsn)
    began = time.perf_counter()
    summary = run_stubbed(database)
    if summary.calls or summary.skipped != summary.listed:
        raise RuntimeError(f"a run over finished rows did something: {summary}")
    return time.perf_counter() - began


if __name__ == "__main__":
    main(*sys.argv[1:])
