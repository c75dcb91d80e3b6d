"""Print what the demo is doing, and how long each part took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console


@contextlib.contextmanager
def phase(doing: str | None, done: str, console: Console) -> Iterator[None]:
    """Show that something is in progress, and its duration when it is done.

    :param doing: shown meanwhile, e.g. ``Starting PostgreSQL``; None if the phase shows its own progress.
    :param done: the outcome, e.g. ``PostgreSQL is up``.
    """
    began = time.monotonic()
    with console.status(f"{doing} …") if doing else contextlib.nullcontext():
        yield
    console.print(f"[green]✓[/green] {done} [dim]({time.monotonic() - began:.1f} s)[/dim]", highlight=False)
