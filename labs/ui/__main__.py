"""``python -m labs.ui``: the page in Airflow's UI under a real Airflow, looked at with a real browser."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from labs.ground.command import ROOT, run_command

if TYPE_CHECKING:
    from rich.console import Console


def main(arguments: list[str] | None = None) -> int:
    """Look at the page.

    :return: the exit status: 0, 1 if something is not as it should be, 128 and the signal's number after an
        interruption.
    """
    parser = argparse.ArgumentParser(prog="python -m labs.ui", description=__doc__)
    parser.add_argument(
        "--state",
        type=Path,
        default=ROOT / ".demo" / "ui",
        help="directory for what it makes, pictures included; emptied first (%(default)s)",
    )
    options = parser.parse_args(arguments)
    state: Path = options.state.absolute()

    def look(console: Console) -> None:
        from labs.ui.run import look_at_pages

        look_at_pages(state, console)

    return run_command("look at the page", look)


if __name__ == "__main__":
    sys.exit(main())
