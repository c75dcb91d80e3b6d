"""How an image ends, as the result's column ``status`` says it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """How an image ended. All but UNSETTLED ones wait until the image changes, or is asked for again."""

    RECOGNIZED = "recognized"
    REJECTED = "rejected"
    FAILED = "failed"
    RETRY = "retry"
    REDO = "redo"  #: of an attempt alone: asked for again, and not answered yet
    GONE = "gone"  #: to be tried again, but no longer listed
    ERASED = "erased"  #: all that was known of it was erased; only its key is left


#: Images whose last attempt is one of these are taken up by the next run that lists them.
UNSETTLED: Final = frozenset({Status.RETRY, Status.REDO, Status.GONE})
