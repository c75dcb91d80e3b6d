"""Follow a DAG run to its end, with progress that a person can watch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

_FINISHED: Final = ("success", "failed")


@dataclass(frozen=True)
class Watched:
    """What to watch during a run.

    :param state: returns the run's state.
    :param done: returns how many images have a row in the result table.
    :param total: how many images are listed.
    :param check: raises if a process that the run needs has ended.
    """

    state: Callable[[], str]
    done: Callable[[], int]
    total: int
    check: Callable[[], None]


@dataclass(frozen=True)
class Pace:
    """How to wait; all in seconds.

    :param poll: between two checks.
    :param print_every: between two lines if the output is not a terminal.
    :param limit: after which a run counts as stuck.
    """

    poll: float = 0.5
    print_every: float = 5.0
    limit: float = 900.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def follow(watched: Watched, console: Console, pace: Pace | None = None) -> str:
    """Show the progress of a run until it ends: one live line on a terminal, plain lines elsewhere.

    :return: the run's last state, ``success`` or ``failed``.
    :raises TimeoutError: the run does not end.
    """
    pace = pace or Pace()
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("images  {task.fields[speed]}"),
    )
    began = pace.clock()
    done_before = watched.done()
    printed = began
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        line = progress.add_task("reading", total=watched.total, completed=done_before, speed="")
        while True:
            state, done, now = watched.state(), watched.done(), pace.clock()
            speed = _speed(done - done_before, watched.total - done, now - began)
            progress.update(line, description=state, completed=done, speed=speed)
            if not console.is_terminal and now - printed >= pace.print_every:
                console.print(f"  {state}: {done} of {watched.total} images  {speed}")
                printed = now
            if state in _FINISHED:
                return state
            watched.check()
            if now - began > pace.limit:
                raise TimeoutError(f"The run is still {state} after {pace.limit:.0f} s")
            pace.sleep(pace.poll)


def _speed(done: int, left: int, seconds: float) -> str:
    if done <= 0 or seconds <= 0:
        return ""
    rate = done / seconds
    return f"{rate:.1f}/s, about {left / rate:.0f} s left" if left > 0 else f"{rate:.1f}/s"
