"""Finds out whether a fault of the account holds for every call, or comes and goes."""

from __future__ import annotations

import threading
from typing import Final

#: Waits, in seconds, before each call that finds out; calls with such a fault are not billed.
PROBE_WAITS: Final = (0.0, 1.0, 2.0)
_LOOK_SECONDS: Final = 0.1


class AccountWatch:
    """Holds all calls back while one thread finds out.

    One node of the service that is out of step should not end a run of hours; an account without money
    should, within the calls in flight.
    """

    def __init__(self) -> None:
        self._probing = threading.Lock()

    @property
    def is_probing(self) -> bool:
        """Whether calls should wait."""
        return self._probing.locked()

    def start(self) -> bool:
        """Become the thread that finds out; only one at a time does."""
        return self._probing.acquire(blocking=False)

    def end(self) -> None:
        """Let the others go on."""
        self._probing.release()

    def wait(self, stop: threading.Event) -> None:
        """Wait until it is found out, or the run was asked to stop."""
        while self.is_probing and not stop.wait(_LOOK_SECONDS):
            pass
