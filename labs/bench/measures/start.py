"""The part *start*: what importing the operator adds to an Airflow that parses DAG files."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from statistics import median
from typing import Final

from labs.bench.figures import Facts, Figure, Part
from labs.bench.measure import Bench, clean_environment

_IMPORTED_MS: Final = 60
_CODE: Final = """
import time
import airflow.sdk
began = time.perf_counter()
import airflow_provider_permitocr.operators.mainland_permit_ocr
print(time.perf_counter() - began)
"""


@dataclass(frozen=True)
class Starts:
    """Import times in fresh interpreters that had imported ``airflow.sdk``, in seconds."""

    seconds: list[float]

    def part(self) -> Part:
        """Return the figure and its table."""
        in_ms = sorted(1000 * each for each in self.seconds)
        row = (f"{in_ms[0]:.1f} ms", f"{median(in_ms):.1f} ms", f"{in_ms[-1]:.1f} ms")
        return Part(
            "start",
            (
                Figure(
                    "import of the operator over airflow.sdk",
                    median(in_ms),
                    _IMPORTED_MS,
                    unit="ms",
                    repeated=in_ms,
                ),
            ),
            (Facts("Import of the operator", ("fastest", "median", "slowest"), (row,)),),
        )


def measure_starts(bench: Bench) -> Starts:
    """Import the operator in fresh interpreters."""
    bench.say("Imports in fresh interpreters")
    command = [sys.executable, "-c", _CODE]
    _imported(command)  # compiles what is not compiled yet
    return Starts([_imported(command) for _ in range(bench.sizes.starts)])


def _imported(command: list[str]) -> float:
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])
