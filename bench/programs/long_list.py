"""A list of many rows, all of them new: its time and memory."""

from __future__ import annotations

import json
import sys

import pandas as pd  # noqa: F401 - idle is what a task has when all is imported
import psycopg

from bench.programs.memory import PeakMemory
from bench.programs.stubbed import engine, run_stubbed

_LIST = """
CREATE TABLE images AS
SELECT 'permit-' || lpad(n::text, 9, '0') AS image_id, 'https://images.example/' || n || '.jpg' AS image
FROM generate_series(1, %s) AS n
"""


def main(dsn: str, rows: str) -> None:
    """Make the list, run the pipeline over it, and print what that took."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_LIST.replace("%s", str(int(rows))))
        connection.execute("ALTER TABLE images ADD PRIMARY KEY (image_id)")
        connection.execute("VACUUM ANALYZE images")
    database = engine(dsn)
    with PeakMemory() as memory:
        summary = run_stubbed(database)
    if summary.statuses != {"recognized": int(rows)}:
        raise RuntimeError(f"not all rows were recognized: {summary}")
    sys.stdout.write(
        json.dumps(
            {
                "seconds": summary.elapsed_seconds,
                "peak_mb": memory.peak_mb,
                "memory_mb": memory.course(),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
