"""Finds out whether a fault of the account holds for every call, or comes and goes."""

from __future__ import annotations

import threading
from typing import Final

from airflow_provider_permitocr.core.errors import AccountError, CallError, Decision
from airflow_provider_permitocr.core.tries import Tries

OF_ACCOUNT: Final = frozenset({Decision.ACCOUNT, Decision.REPAIR})
#: Waits, in seconds, before each call that finds out; calls with such a fault are not billed.
_PROBE_WAITS: Final = (0.0, 1.0, 2.0)
_LOOK_SECONDS: Final = 0.1
_ADVICE: Final = "No image was marked failed for it; correct the account or the connection and run again."


class AccountWatch:
    """Holds all calls back while those for one image find out.

    One node of the service that is out of step should not end a run of hours. An account without money
    should, within the calls in flight.

    :param stop: set where the fault holds.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._probing = threading.Lock()
        self.has_worked = False

    @property
    def is_probing(self) -> bool:
        """Whether calls should wait."""
        return self._probing.locked()

    def wait(self) -> None:
        """Wait until it is found out, or the run was asked to stop."""
        while self.is_probing and not self._stop.wait(_LOOK_SECONDS):
            pass

    def wait_seconds(self, fault: CallError, tries: Tries) -> float | None:
        """Return how long to wait before the next call to find out with.

        :param fault: of the account, or of keys that are renewed by now.
        :param tries: of the image that met it; it may become the one that finds out, until ``end``.
        :return: None where this image has had its calls for that, and the fault counts as any other.
        :raises AccountError: when the fault holds; ``stop`` is then set.
        """
        if not tries.is_probing:
            if fault.decision is Decision.REPAIR and not tries.has_new_keys:
                tries.has_new_keys = True
                return 0.0
            if tries.has_probed:
                return None
            if self._probing.acquire(blocking=False):
                # Keys that have never worked are wrong, rather than known to some nodes alone.
                tries.begin_probing(_PROBE_WAITS if self.has_worked else _PROBE_WAITS[:1])
            elif tries.has_waited:
                return None
            else:
                tries.has_waited = True
                return 0.0
        if tries.probe_waits:
            return tries.probe_waits.pop(0)
        self._stop.set()  # in here, before another takes its place in flight
        raise AccountError(fault, f"{fault.advice}. {_ADVICE}" if fault.advice else _ADVICE)

    def end(self, tries: Tries) -> None:
        """Let the others go on, if it was this image that they were waiting for."""
        if tries.is_probing:
            tries.is_probing = False
            self._probing.release()
