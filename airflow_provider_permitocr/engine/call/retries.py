"""Whether a call that failed is made again, and when: for its own image, and for all of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_permitocr.engine.call.single_flight import Flight
from airflow_provider_permitocr.errors import (
    AccountError,
    ApiUnreachableError,
    CallError,
    Decision,
    PermitOcrError,
    sentences,
)
from airflow_provider_permitocr.options.run import CallRetry

_log = logging.getLogger(__name__)

#: Calls for an image whose errors are not known to be transient, whatever the policy allows.
_UNCLEAR_ATTEMPTS: Final = 3
#: Waits, in seconds, before each call that finds out; calls with such a fault are not billed.
_ACCOUNT_WAITS: Final = (0.0, 1.0, 2.0)
#: A service, a proxy or a name server that restarts is back within a minute.
_UNREACHABLE_WAITS: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
_LOOK_SECONDS: Final = 0.1
_ADVICE: Final = (
    "No image was marked failed because of it. Correct the account or the connection and run again."
)


@dataclass
class Tries:
    """How much one image has used of the calls that ``CallRetry`` allows it in a run.

    :param flight: of its picture, while this row leads it.
    :param fault: the last call's error.
    :param counted: calls that count toward ``CallRetry.attempts``.
    :param throttled_seconds: how long throttled answers have made this image wait.
    :param has_new_keys: a call was repeated because its keys were renewed.
    :param has_waited: a call was repeated because another image's calls found the same error to be transient.
    :param probe_waits: seconds before each remaining call that confirms an error of all calls.
    :param is_probing: this image's calls are confirming such an error, while all others wait.
    :param probed: kinds of errors that they have begun to confirm.
    """

    policy: CallRetry
    flight: Flight
    fault: CallError | None = None
    counted: int = 0
    throttled_seconds: float = 0.0
    has_new_keys: bool = False
    has_waited: bool = False
    probe_waits: list[float] = field(default_factory=list)
    is_probing: bool = False
    probed: set[str] = field(default_factory=set)
    _began_at: float | None = None
    _sent_at: float = 0.0

    @property
    def is_throttled(self) -> bool:
        """Whether the last call was refused for the rate."""
        return self.fault is not None and self.fault.decision is Decision.THROTTLE

    def sent(self, now: float) -> None:
        """Note that a call is sent."""
        if self._began_at is None:
            self._began_at = now
        elif self.is_throttled:
            self._began_at += now - self._sent_at
        self._sent_at = now

    def is_late(self, now: float) -> bool:
        """Return whether a call at this time would come after the last that is allowed."""
        if self._began_at is None or self.is_throttled or self.is_probing:
            return False
        return now - self._began_at > self.policy.max_seconds

    def begin_probing(self, kind: str, waits: tuple[float, ...]) -> None:
        """Confirm a fault of all calls with further calls, each after its wait in seconds."""
        self.is_probing = True
        self.probed.add(kind)
        self.probe_waits = list(waits)

    def wait_seconds(
        self, fault: CallError, now: float, uniform: Callable[[float, float], float]
    ) -> float | None:
        """Count a call, and return how long to wait before the next; None if no call is left or would help.

        :param uniform: draws from an interval.
        """
        self.counted += 1
        most = self.policy.attempts
        if fault.decision is Decision.UNCLEAR:
            most = min(most, _UNCLEAR_ATTEMPTS)
        if fault.decision in (Decision.IMAGE, Decision.LATER) or self.counted >= most:
            return None
        ceiling = min(self.policy.max_wait_seconds, self.policy.base_seconds * 2 ** (self.counted - 1))
        seconds = max(uniform(0, ceiling), fault.retry_after or 0.0)
        return None if self.is_late(now + seconds) else seconds


class Breaker:
    """Holds all calls back while those for one image find out whether a fault holds for every call.

    One node of the service that is out of step, or a proxy that restarts, should not end a run of hours. An
    account without money should, within the calls in flight.

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

        :param fault: one of all calls, or of keys that are renewed by now.
        :param tries: of the image that met it; it may become the one that finds out, until ``end``.
        :return: None if this image has had its calls for that, and the fault counts as any other.
        :raises AccountError, ApiUnreachableError: when the fault holds; ``stop`` is then set.
        """
        if not tries.is_probing:
            if fault.decision is Decision.REPAIR and not tries.has_new_keys:
                tries.has_new_keys = True
                return 0.0
            if tries.probed:
                return None
            if not self._probing.acquire(blocking=False):
                if tries.has_waited:
                    return None
                tries.has_waited = True
                return 0.0
        if (kind := _kind(fault)) not in tries.probed:
            tries.begin_probing(kind, self._waits(fault))
        if tries.probe_waits:
            return tries.probe_waits.pop(0)
        self._stop.set()  # in here, before another takes its place in flight
        raise _confirmed(fault)

    def end(self, tries: Tries) -> None:
        """Let the others go on, if it was this image that they were waiting for."""
        if tries.is_probing:
            tries.is_probing = False
            self._probing.release()

    def _waits(self, fault: CallError) -> tuple[float, ...]:
        if _kind(fault) == "way":
            _log.warning(
                "The API cannot be reached (%s: %s). Calls wait for up to %.0f seconds. %s",
                fault.code,
                fault.message,
                sum(_UNREACHABLE_WAITS),
                fault.advice,
            )
            return _UNREACHABLE_WAITS
        # Keys that have never worked are wrong, not just unknown to some nodes.
        return _ACCOUNT_WAITS if self.has_worked else _ACCOUNT_WAITS[:1]


def _kind(fault: CallError) -> str:
    return "way" if fault.decision is Decision.UNREACHABLE else "account"


def _confirmed(fault: CallError) -> PermitOcrError:
    if _kind(fault) == "way":
        seconds = sum(_UNREACHABLE_WAITS)
        return ApiUnreachableError(
            sentences(
                f"The API could not be reached for {seconds:.0f} seconds, so the run has stopped"
                f" ({fault.code}: {fault.message})",
                fault.advice,
                "No image was marked failed because of it. Images that were not tried are left for the next"
                " run.",
            )
        )
    return AccountError(fault, sentences(fault.advice, _ADVICE))
