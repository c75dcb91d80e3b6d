"""Rows by the ten thousand, without Python's search for cycles among them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_cycles() -> Iterator[None]:
    """Pause the cycle collector during short work that creates many objects and no cycles.

    It scans all objects of the process whenever their number has grown by a quarter. With a list of a million
    rows, that takes longer than the work itself. Reference counting still frees objects.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # With two threads at once, the first to leave enables it; that only costs time.
        if was_enabled:
            gc.enable()
