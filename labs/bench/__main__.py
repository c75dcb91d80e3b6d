"""``python -m labs.bench``: measure this provider and what people would do without it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from labs.ground.command import ROOT, run_command

if TYPE_CHECKING:
    from rich.console import Console


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark.

    :return: the exit status: 0, 1 if something is broken, 128 and the signal's number after an interruption.
    """
    parser = argparse.ArgumentParser(
        prog="python -m labs.bench",
        description=__doc__,
        epilog="Beside each figure that is measured more than once is its spread: the lowest and the highest"
        " number of the repetitions in this run. A figure without one is measured once.",
    )
    parser.add_argument(
        "--only",
        default="",
        metavar="PARTS",
        help="quota,client,exchange,length,writing,targets,start or some of them",
    )
    parser.add_argument("--short", action="store_true", help="small sizes, to try it out")
    parser.add_argument(
        "--new-rows",
        type=int,
        metavar="ROWS",
        help="length of the long list of new rows, in place of 100,000; a million take a quarter of an hour",
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=ROOT / ".demo" / "bench",
        help="directory for what it makes (%(default)s)",
    )
    parser.add_argument(
        "--report", type=Path, help="directory for the page (docs/benchmarks; of a short run, in STATE)"
    )
    options = parser.parse_args(arguments)
    state: Path = options.state.absolute()
    report: Path = options.report or (state / "report" if options.short else ROOT / "docs" / "benchmarks")

    def bench(console: Console) -> None:
        from labs.bench.run import BenchOptions, run_benchmark

        only = tuple(part for part in options.only.split(",") if part)
        run_benchmark(BenchOptions(only, options.short, options.new_rows, state, report.absolute()), console)

    return run_command("benchmark", bench)


if __name__ == "__main__":
    sys.exit(main())
