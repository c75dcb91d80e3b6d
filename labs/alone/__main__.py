"""``python -m labs.alone``: the main job with only the wheel, under each Airflow and Python."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from labs.alone.environment import RELEASES
from labs.ground.command import run_command

if TYPE_CHECKING:
    from rich.console import Console


def main(arguments: list[str] | None = None) -> int:
    """Run the main job in each environment that was asked for.

    :return: the exit status: 0, 1 after a failure, 128 and the signal's number after an interruption.
    """
    parser = argparse.ArgumentParser(prog="python -m labs.alone", description=__doc__)
    parser.add_argument(
        "--airflow", action="append", choices=RELEASES, help="only this one; repeat for more (default: all)"
    )
    parser.add_argument(
        "--python",
        action="append",
        metavar="PATH",
        help="only this interpreter; repeat for more (default: each that is allowed and found here)",
    )
    options = parser.parse_args(arguments)

    def alone(console: Console) -> None:
        from labs.alone.run import run_alone

        with tempfile.TemporaryDirectory(prefix="permitocr-alone-") as folder:
            run_alone(options.airflow or RELEASES, options.python, Path(folder), console)

    return run_command("check of the wheel", alone)


if __name__ == "__main__":
    raise SystemExit(main())
