"""One run over a list whose rows are all done, or the plain SQL that finds nothing to do."""

from __future__ import annotations

import json
import sys
import time

import psycopg
import sqlalchemy as sa

from labs.bench.programs.memory import PeakMemory
from labs.bench.programs.stubbed import engine, run_stubbed

#: As somebody would write it who knows the tables.
NOTHING_TO_DO = """
SELECT count(*) FROM images WHERE NOT EXISTS (
    SELECT 1 FROM permit_ocr_images AS known
    WHERE known.list_id = 1 AND known.image_key = image_id AND known.card_side = 'FRONT'
        AND known.attempt_status IN ('recognized', 'rejected', 'failed')
)
"""


def main(dsn: str, source: str) -> None:
    """Measure it, and print seconds and memory.

    :param dsn: database of ledger and result.
    :param source: URL of the list's database; the same for one that is there, too; ``bare`` for the SQL.
    """
    if source == "bare":
        seen = {"seconds": _bare(dsn)}
    else:
        seen = _run(dsn, None if source == dsn else engine(source))
    sys.stdout.write(json.dumps(seen))


def _bare(dsn: str) -> float:
    with psycopg.connect(dsn, autocommit=True) as connection:
        began = time.perf_counter()
        row = connection.execute(NOTHING_TO_DO).fetchone()
        seconds = time.perf_counter() - began
    if row != (0,):
        raise RuntimeError(f"there is something to do: {row}")
    return seconds


def _run(dsn: str, source: sa.Engine | None) -> dict[str, float]:
    with PeakMemory() as memory:
        began = time.perf_counter()
        summary = run_stubbed(dsn, source=source)
        seconds = time.perf_counter() - began
    if summary.calls or summary.skipped != summary.listed:
        raise RuntimeError(f"a run over finished rows did something: {summary}")
    return {"seconds": seconds, "peak_mb": memory.peak_mb}


if __name__ == "__main__":
    main(*sys.argv[1:])
