"""Rows by the ten thousand, without Python's search for cycles among them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_cycles() -> Iterator[None]:
    """Keep the cycle collector out of a moment's work that makes many objects and no cycle.

    It looks at all objects of the process each time these have grown by a quarter, which over a list of a
    million rows takes longer than the work itself. What is no longer referred to is freed as ever.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # Of two threads that are here at once, the first to leave enables it: nothing but time is lost.
        if was_enabled:
            gc.enable()
