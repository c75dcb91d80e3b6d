"""``python -m labs.demo``: the provider's main job for real, in one command."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from labs.ground.command import ROOT, run_command

if TYPE_CHECKING:
    from rich.console import Console


def main(arguments: list[str] | None = None) -> int:
    """Run the demo.

    :return: the exit status: 0, 1 after a failure, 128 and the signal's number after an interruption.
    """
    parser = argparse.ArgumentParser(prog="python -m labs.demo", description=__doc__)
    parser.add_argument("--ui", action="store_true", help="leave Airflow's UI up until Ctrl-C")
    parser.add_argument(
        "--state", type=Path, default=ROOT / ".demo", help="directory for all that it makes (%(default)s)"
    )
    parser.add_argument(
        "--dags", type=Path, default=ROOT / "dags", help="folder with the DAG files (%(default)s)"
    )
    options = parser.parse_args(arguments)
    state, dags = options.state.absolute(), options.dags.absolute()

    def demo(console: Console) -> None:
        from labs.demo.run import DemoOptions, run_demo

        run_demo(DemoOptions(state, dags, options.ui), console)

    return run_command("demo", demo)


if __name__ == "__main__":
    sys.exit(main())
