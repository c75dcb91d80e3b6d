"""The frame around a command that starts servers: nothing outlives it, and failures read well."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, Never

from labs.demo.guard import split_off_guard

if TYPE_CHECKING:
    from rich.console import Console

ROOT: Final = Path(__file__).resolve().parents[2]


def run_command(name: str, work: Callable[[Console], None]) -> int:
    """Do the work in a child of a guard that ends everything the child leaves behind.

    :param name: used in messages, e.g. ``demo``.
    :param work: called with a console to print to.
    :return: the exit status: 0, 1 after a failure, 128 and the signal's number after an interruption.
    """
    status = split_off_guard()
    return _run(name, work) if status is None else status


def _run(name: str, work: Callable[[Console], None]) -> int:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _interrupt)

    import httpx
    import psycopg
    from rich.console import Console

    console = Console()
    os.chdir(ROOT)  # children import this package from here
    try:
        work(console)
    except (RuntimeError, OSError, ValueError, httpx.HTTPError, psycopg.Error) as error:
        console.print(f"[bold red]The {name} failed.[/bold red]")
        console.print(_described(error, name), markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0


def _described(error: Exception, name: str) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{error}\nThe disk is full: the {name} needs about 300 MB."
    if isinstance(error, PermissionError):
        return f"{error}\nIf another user made this directory, delete it or choose another with --state."
    return str(error)


def _interrupt(signum: int, _frame: FrameType | None) -> Never:
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)  # ending what runs must not be interrupted in turn
    raise SystemExit(128 + signum)
