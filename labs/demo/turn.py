"""One demo at a time in a folder; the next waits for the end of the last, which takes seconds."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console


@contextlib.contextmanager
def turn(folder: Path, console: Console) -> Iterator[None]:
    """Lock the folder, after waiting for another demo in it; the lock ends with the process.

    :param folder: for everything that the demo creates.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "demo.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print(f"Another demo runs in {folder}, or is ending. Waiting for it …", highlight=False)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
