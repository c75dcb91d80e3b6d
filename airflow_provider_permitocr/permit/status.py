"""How an image ends: the values of the result's column ``status``."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """How an image ended. All but UNSETTLED ones wait until the image changes, or is requested again."""

    RECOGNIZED = "recognized"
    REJECTED = "rejected"
    FAILED = "failed"
    RETRY = "retry"
    REDO = "redo"  #: only of an attempt: requested again, and not answered yet
    GONE = "gone"  #: was to be retried, but is no longer listed
    ERASED = "erased"  #: everything known about it was erased, except its key


#: Images whose last attempt has one of these are retried by the next run that lists them.
UNSETTLED: Final = frozenset({Status.RETRY, Status.REDO, Status.GONE})
