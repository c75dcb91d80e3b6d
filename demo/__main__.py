"""``python -m demo``: the provider's main job for real, in one command."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Final, Never

from demo.guard import split_off_guard

_ROOT: Final = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> int:
    """Run the demo.

    :return: the exit status: 0, 1 after a failure, 128 and the signal's number after an interruption.
    """
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--ui", action="store_true", help="leave Airflow's UI up until Ctrl-C")
    parser.add_argument(
        "--state", type=Path, default=_ROOT / ".demo", help="directory for all that it makes (%(default)s)"
    )
    parser.add_argument(
        "--dags", type=Path, default=_ROOT / "dags", help="folder with the DAG files (%(default)s)"
    )
    options = parser.parse_args(arguments)
    status = split_off_guard()
    return _demo(options) if status is None else status


def _demo(options: argparse.Namespace) -> int:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _interrupt)

    import httpx
    import psycopg
    from rich.console import Console

    from demo.run import DemoOptions, run_demo

    console = Console()
    chosen = DemoOptions(options.state.absolute(), options.dags.absolute(), options.ui)
    os.chdir(_ROOT)  # children import this package from here
    try:
        run_demo(chosen, console)
    except (RuntimeError, OSError, ValueError, httpx.HTTPError, psycopg.Error) as error:
        console.print("[bold red]The demo failed.[/bold red]")
        console.print(_told(error), markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{error}\nThe disk is full: the demo needs about 300 MB."
    if isinstance(error, PermissionError):
        return f"{error}\nIf another user made this directory, delete it or choose another with --state."
    return str(error)


def _interrupt(signum: int, _frame: FrameType | None) -> Never:
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)  # ending what runs must not be interrupted in turn
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    sys.exit(main())
