"""How many threads may be at the same place, and how many a rate needs there."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final

#: Weight of the newest time in the running mean.
_NEWEST: Final = 0.1


class Gate:
    """Lets so many threads in at once; the others wait.

    :param most: how many; asked anew whenever a thread has left.
    """

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._inside = 0

    @property
    def inside(self) -> int:
        """How many are in at the moment."""
        return self._inside

    def __enter__(self) -> None:
        with self._changed:
            while self._inside >= self._most():
                self._changed.wait()
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()


class Staffing:
    """How many have to be at a step of the work, so that the next one is ready when its turn comes.

    Rate times time (Little's law) is the mean; about twice its root more cover the spread.

    :param per_second: the rate to keep.
    :param most: never more than this.
    """

    def __init__(self, per_second: float, most: int) -> None:
        self._per_second = per_second
        self._most = most
        self._mean_seconds = 0.0
        self._in_vain_seconds = 0.0
        self._noting = threading.Lock()

    def took(self, seconds: float) -> None:
        """Note how long the step took for one."""
        with self._noting:
            seconds += self._in_vain_seconds
            self._in_vain_seconds = 0.0
            self._mean_seconds += (seconds - self._mean_seconds) * _NEWEST

    def took_in_vain(self, seconds: float) -> None:
        """Note how long it took for one that goes no further; the next that does makes up for it."""
        with self._noting:
            self._in_vain_seconds += seconds

    def needed(self) -> int:
        """Return how many, at the times seen lately; one at least is always ready and one under way."""
        load = self._per_second * self._mean_seconds
        return min(self._most, 2 + math.ceil(load + 2 * math.sqrt(load)))
