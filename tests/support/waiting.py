"""Wait for what other threads do, for as long as a busy machine needs."""

from __future__ import annotations

import threading
from collections.abc import Callable

#: Seconds.
SOON = 30


def comes_true(condition: Callable[[], object]) -> bool:
    """Return whether a condition holds soon."""
    waiting = threading.Event()
    return any(condition() or waiting.wait(0.01) for _ in range(SOON * 100))
