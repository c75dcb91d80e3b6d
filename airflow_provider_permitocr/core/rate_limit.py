"""Even pacing that gives way to throttling at once and comes back step by step."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Final

from airflow_provider_permitocr.core.errors import RunStoppedError

#: The gateway counts whole seconds (cloud.tencent.com/document/product/1278/109059), so this is how long
#: it takes until it counts from zero again.
_GATEWAY_WINDOW_SECONDS: Final = 1.0
_RECOVERY_SECONDS: Final = 2.0
_RECOVERY_STEP: Final = 0.1
_SLOWEST: Final = 0.05


class RateLimiter:
    """Hands out one turn per request, shared by all threads of a task.

    :param max_per_second: the pace when nothing is throttled.
    :param stop: once set, ``acquire`` raises instead of handing out turns.
    :param clock: monotonic seconds.
    :param sleep: how to wait; by default it wakes up when ``stop`` is set.
    """

    def __init__(
        self,
        max_per_second: float,
        stop: threading.Event,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._max_per_second = max_per_second
        self._stop = stop
        self._clock = clock
        self._sleep = sleep or stop.wait
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._per_second = max_per_second
        self._next = clock()
        self._halved_at = -math.inf
        self._changed_at = clock()
        self._throttled_since: float | None = None

    @property
    def per_second(self) -> float:
        """The pace at the moment."""
        return self._per_second

    def acquire(self) -> None:
        """Wait for the next turn.

        :raises RunStoppedError: when the run was asked to stop.
        """
        asked_at = self._clock()
        with self._turn:
            # One thread at a time waits for the next turn, and looks again after each sleep: a throttled
            # answer that arrives meanwhile moves that turn, and everyone behind it.
            while (wait := self._next - self._clock()) > 0 and not self._stop.is_set():
                self._sleep(wait)
            if self._stop.is_set():
                raise RunStoppedError("the run was asked to stop")
            with self._state:
                self._recover()
                interval = 1 / self._per_second
                # A turn that comes late is made up for by at most one interval; one that nobody asked for
                # in time, not at all. So there is no burst, after a pause either.
                self._next = max(self._next, asked_at, self._clock() - interval) + interval

    def throttled(self) -> float:
        """Slow down, as the service refused a call for its rate.

        :return: for how many seconds all calls have now been throttled.
        """
        with self._state:
            now = self._clock()
            if self._throttled_since is None:
                self._throttled_since = now
            # The calls in flight get the same answer: they tell the same news, so they count once.
            if now - self._halved_at >= _GATEWAY_WINDOW_SECONDS:
                self._per_second = max(self._per_second / 2, self._max_per_second * _SLOWEST)
                self._halved_at = self._changed_at = now
            self._next = max(self._next, now + _GATEWAY_WINDOW_SECONDS)
            return now - self._throttled_since

    def passed(self) -> None:
        """Note that the service let a call through."""
        with self._state:
            self._throttled_since = None

    def _recover(self) -> None:
        now = self._clock()
        if self._per_second < self._max_per_second and now - self._changed_at >= _RECOVERY_SECONDS:
            step = self._max_per_second * _RECOVERY_STEP
            self._per_second = min(self._max_per_second, self._per_second + step)
            self._changed_at = now
