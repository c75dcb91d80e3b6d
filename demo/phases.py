"""Say what the demo is doing, and how long each part took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console


@contextlib.contextmanager
def phase(what: str, console: Console, *, spinner: bool = True) -> Iterator[None]:
    """Show that something goes on, and its seconds when it is done.

    :param what: the outcome, e.g. ``PostgreSQL is up``.
    :param spinner: turn one meanwhile; not where the phase shows its own progress.
    """
    began = time.monotonic()
    with console.status(f"{what} …") if spinner else contextlib.nullcontext():
        yield
    console.print(f"[green]✓[/green] {what} [dim]({time.monotonic() - began:.1f} s)[/dim]", highlight=False)
