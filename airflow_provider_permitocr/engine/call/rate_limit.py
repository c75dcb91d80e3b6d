"""Even pacing that backs off immediately when throttled, and recovers step by step."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from airflow_provider_permitocr.options.run import Pace

#: Share of the rate that turns are spaced for. The gateway counts whole seconds by arrival
#: (cloud.tencent.com/document/product/1278/109059): at exactly 20 per second, one call that is on its way a
#: little longer than the next makes 21 of them. At 0.98, they may differ by 20 ms.
SPACING: Final = 0.98
#: Turns that are made up for after a late one keep to this share over each second.
_CATCHING_UP: Final = 0.99
#: The gateway's window: further refusals within it add no information.
_WINDOW_SECONDS: Final = 1.0
#: A refusal multiplies the pace by this, and recovery takes this long.
_CUT: Final = 0.8
_RECOVERY_SECONDS: Final = 8.0
_SLOWEST: Final = 0.05


class RateLimiter:
    """Hands out one turn per request, shared by all threads of a task.

    Refusals move the pace along CUBIC (RFC 9438), which TCP uses for the same problem: finding a fair share
    of a line without knowing who else uses it. After each cut, the pace quickly returns to just below where
    it was refused, stays there for a while, and then probes upward at an increasing rate.

    :param pace: the pace when nothing is refused, and this task's place between others'.
    :param clock: monotonic seconds.
    :param wall_clock: Unix time in seconds, on which the clocks of all workers agree.
    :param sleep: how to wait, in seconds; by default until then or until the run is asked to stop.
    """

    def __init__(
        self,
        pace: Pace,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._full = pace.max_per_second * SPACING
        self._clock = clock
        self._sleep = sleep
        self._turn = threading.Lock()
        self._state = threading.Lock()
        per_window = max(1, math.floor(pace.max_per_second))
        self._released: deque[float] = deque([-math.inf] * per_window, maxlen=per_window)
        self._window_seconds = per_window / (pace.max_per_second * _CATCHING_UP)
        interval = 1 / self._full
        self._next = clock()
        if pace.phase is not None:
            self._next += (pace.phase * interval - wall_clock()) % interval
        self._refused_at = -math.inf
        self._refused_pace = self._full
        self._looked_at = clock()
        self._held_back_seconds = 0.0

    @property
    def per_second(self) -> float:
        """The current pace."""
        # CUBIC's window as a rate, in parts of the full pace.
        ceiling = self._refused_pace / self._full
        growth = (1 - _CUT) / _RECOVERY_SECONDS**3
        back_after = math.cbrt(ceiling * (1 - _CUT) / growth)
        part = growth * (self._clock() - self._refused_at - back_after) ** 3 + ceiling
        return self._full * min(1.0, max(_SLOWEST, part))

    def acquire(self, stop: threading.Event) -> bool:
        """Wait for the next turn.

        :param stop: set it to end the waiting.
        :return: whether there is one; not where ``stop`` is set.
        """
        sleep = self._sleep or stop.wait
        asked_at = self._clock()
        with self._turn:
            # One thread at a time waits for the next turn, and looks again after each sleep: a refusal that
            # arrives meanwhile moves that turn, and everyone behind it.
            while (wait := self._turn_at() - self._clock()) > 0 and not stop.is_set():
                sleep(wait)
            if stop.is_set():
                return False
            with self._state:
                self._look()
                now = self._clock()
                interval = 1 / self.per_second
                # A late turn is made up for by at most one interval, and an unused one not at all. So there
                # is no burst, not even after a pause.
                self._next = max(self._next, asked_at, now - interval) + interval
                self._released.append(now)
        return True

    def throttled(self) -> float:
        """Slow down, as the service refused a call for its rate.

        :return: for how many seconds in all the pace has been below half of the full one.
        """
        with self._state:
            self._look()
            now = self._clock()
            if now - self._refused_at >= _WINDOW_SECONDS:
                self._refused_pace = self.per_second
                self._refused_at = now
                self._next = max(self._next, now + 1 / self.per_second)
            return self._held_back_seconds

    def _turn_at(self) -> float:
        return max(self._next, self._released[0] + self._window_seconds)

    def _look(self) -> None:
        now = self._clock()
        if self.per_second < self._full / 2:
            self._held_back_seconds += now - self._looked_at
        self._looked_at = now
