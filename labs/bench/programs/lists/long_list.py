"""A list of many rows, all of them new: its time and memory."""

from __future__ import annotations

import json
import sys

import pandas as pd  # noqa: F401 - the idle baseline includes all imports

from labs.bench.programs.lists.filled import make_list
from labs.bench.programs.memory import PeakMemory
from labs.bench.programs.stubbed import run_stubbed


def main(dsn: str, rows: str) -> None:
    """Make the list, run the pipeline over it, and print what that took."""
    make_list(dsn, int(rows))
    with PeakMemory() as memory:
        summary = run_stubbed(dsn)
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
