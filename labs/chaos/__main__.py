"""``python -m labs.chaos``: break a run in every way that costs money, and prove that it costs none."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from labs.ground.command import ROOT, run_command

if TYPE_CHECKING:
    from rich.console import Console


def main(arguments: list[str] | None = None) -> int:
    """Run the scenarios.

    :return: the exit status: 0, 1 if a promise was broken, 128 and the signal's number after an
        interruption.
    """
    parser = argparse.ArgumentParser(prog="python -m labs.chaos", description=__doc__)
    parser.add_argument("--short", action="store_true", help="small sizes: two minutes instead of ten")
    parser.add_argument("--only", default="", metavar="NAME,...", help="only these scenarios")
    parser.add_argument(
        "--state",
        type=Path,
        default=ROOT / ".demo" / "chaos",
        help="directory for what it makes; emptied first (%(default)s)",
    )
    options = parser.parse_args(arguments)
    state: Path = options.state.absolute()

    def break_things(console: Console) -> None:
        from labs.chaos.run import ChaosOptions, run_chaos

        only = tuple(name for name in options.only.split(",") if name)
        run_chaos(ChaosOptions(only, options.short, state), console)

    return run_command("chaos test", break_things)


if __name__ == "__main__":
    sys.exit(main())
