"""Keeps urllib3's log to itself: at DEBUG it prints hosts, and paths with all that signs them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_silenced: ContextVar[bool] = ContextVar("silenced", default=False)
_LOGGERS: Final = ("connection", "connectionpool", "poolmanager", "response", "util.retry")


@contextmanager
def silenced() -> Iterator[None]:
    """Drop what urllib3 logs in this thread, at any level; other threads' and programs' lines stay."""
    for name in _LOGGERS:
        # Does nothing where it is there already.
        logging.getLogger(f"urllib3.{name}").addFilter(_is_heard)
    token = _silenced.set(True)
    try:
        yield
    finally:
        _silenced.reset(token)


def _is_heard(_record: logging.LogRecord) -> bool:
    return not _silenced.get()
