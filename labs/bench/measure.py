"""Run measured programs in separate processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from labs.ground.servers.postgres import EmbeddedPostgres
from labs.ground.servers.processes import Service, spawn

_LIMIT_SECONDS: Final = 900.0
#: Inherited settings that would change what is measured: proxies, and somebody's Airflow.
_DROPPED_PREFIXES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "AIRFLOW")


@dataclass(frozen=True)
class Sizes:
    """The sizes of the measurements.

    :param images: listed in each case of the part *quota*.
    :param loop_seconds: how long the loop over the SDK runs.
    :param per_image_seconds: how long one mapped task per image runs.
    :param repeats: of each measurement of a client.
    :param client_calls: calls in each of them, by the size of the image in bytes.
    :param large_images: images of 5 MB through the pipeline.
    :param ledger_rows: calls, answers and images in the full ledger.
    :param exchanges: exchanges with it, and with an empty one.
    :param rows: lengths of the list of new rows, a short and a long one.
    :param finished_rows: the same for the list whose rows are all done.
    :param repeated_runs: of each measurement over finished rows, and of writing.
    :param written_rows: rows that are delivered in batches.
    :param rebuilt_rows: of a table that is rebuilt: a small and a large number.
    :param erased_rows: of a list that is erased by its keys.
    :param file_rows: of a file on S3: a small and a large number.
    :param refused_rows: rows that a table has refused.
    :param starts: interpreters that import the operator.
    """

    images: int = 1200
    loop_seconds: int = 60
    per_image_seconds: int = 60
    repeats: int = 3
    client_calls: tuple[tuple[int, int], ...] = ((100_000, 300), (1_000_000, 100), (5_000_000, 20))
    large_images: int = 600
    ledger_rows: int = 1_000_000
    exchanges: int = 300
    rows: tuple[int, int] = (10_000, 50_000)
    finished_rows: tuple[int, int] = (10_000, 1_000_000)
    repeated_runs: int = 3
    written_rows: int = 30_000
    rebuilt_rows: tuple[int, int] = (20_000, 100_000)
    erased_rows: int = 100_000
    file_rows: tuple[int, int] = (200_000, 1_000_000)
    refused_rows: int = 10_000
    starts: int = 9


SHORT: Final = Sizes(
    images=400,
    loop_seconds=10,
    per_image_seconds=20,
    repeats=1,
    client_calls=((100_000, 50), (1_000_000, 20), (5_000_000, 8)),
    large_images=200,
    ledger_rows=50_000,
    exchanges=100,
    rows=(1_000, 5_000),
    finished_rows=(2_000, 20_000),
    written_rows=5_000,
    rebuilt_rows=(1_000, 5_000),
    erased_rows=1_000,
    file_rows=(2_000, 10_000),
    refused_rows=500,
    starts=3,
)


@dataclass(frozen=True)
class Bench:
    """What all parts share.

    :param state: directory for what they make.
    :param postgres: a running server.
    """

    state: Path
    sizes: Sizes
    postgres: EmbeddedPostgres
    console: Console

    def say(self, text: str) -> None:
        """Print progress for the person who waits."""
        self.console.print(f"  {text}", highlight=False, markup=False)


def run_program(name: str, *arguments: str) -> Any:
    """Run a program of ``labs.bench.programs``, and return the JSON in the last line that it printed.

    :raises RuntimeError: it failed; the message quotes its output.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"labs.bench.programs.{name}", *arguments],
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_LIMIT_SECONDS,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{name} failed with status {done.returncode}:\n{done.stderr[-3000:]}")
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if lines else None


def start_program(name: str, *arguments: str, log: Path) -> Service:
    """Start one of ``labs.bench.programs``.

    :param log: file that takes what it prints.
    """
    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", f"labs.bench.programs.{name}", *arguments]
    return Service(name, log, spawn(command, log=log, env=clean_environment()))


def clean_environment() -> dict[str, str]:
    """Return the environment without what would change a measurement."""
    return {
        name: value for name, value in os.environ.items() if not name.upper().startswith(_DROPPED_PREFIXES)
    }
