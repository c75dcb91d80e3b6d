"""One demo at a time in a folder; the next waits for the end of the last, which takes seconds."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console


@contextlib.contextmanager
def turn(folder: Path, console: Console) -> Iterator[None]:
    """Hold the folder, after waiting for another demo in it; a process that is killed lets go of it.

    :param folder: what the demo makes is kept in there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "demo.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print(f"Another demo runs in {folder}, or is ending. Waiting for it …", highlight=False)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
