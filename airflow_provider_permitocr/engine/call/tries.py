"""What one image has used up of the calls that ``CallRetry`` grants it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_permitocr.engine.call.single_flight import Flight
from airflow_provider_permitocr.errors import CallError, Decision
from airflow_provider_permitocr.options.run import CallRetry

#: Calls for an image whose errors nothing says to be transient, whatever the policy says.
_UNCLEAR_ATTEMPTS: Final = 3


@dataclass
class Tries:
    """The calls for one image in one run.

    :param flight: of its picture, as far as this row leads it.
    :param fault: what the last call ended with.
    :param counted: calls that have used up one of ``CallRetry.attempts``.
    :param throttled_seconds: how long answers have asked this image to wait for the rate's sake.
    :param has_new_keys: a call was repeated because its keys were renewed.
    :param has_waited: a call was repeated because another image's calls found such a fault to pass.
    :param probe_waits: seconds before each call that is left to confirm a fault of all calls with.
    :param is_probing: this image's calls are confirming one, while all others wait.
    :param probed: kinds of faults that they have begun to confirm.
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
        """Tell whether a call at this time would come after the last that is allowed."""
        if self._began_at is None or self.is_throttled or self.is_probing:
            return False
        return now - self._began_at > self.policy.max_seconds

    def begin_probing(self, kind: str, waits: tuple[float, ...]) -> None:
        """Confirm a fault of all calls with the next ones, after so many seconds each."""
        self.is_probing = True
        self.probed.add(kind)
        self.probe_waits = list(waits)

    def wait_seconds(
        self, fault: CallError, now: float, uniform: Callable[[float, float], float]
    ) -> float | None:
        """Count a call, and return how long to wait before the next; None where none is left or would help.

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
