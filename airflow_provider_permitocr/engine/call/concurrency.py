"""How many threads may be at one place, and how many a rate needs there."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

#: Weight of the newest time in the running mean.
_NEWEST: Final = 0.1
_MOST_READY: Final = 32
_LOOK_SECONDS: Final = 0.25


class AdaptiveSemaphore:
    """A semaphore whose limit may change.

    :param most: returns the limit; called again whenever a thread leaves.
    :param changed: held only briefly; two semaphores may share it.
    :param stop: once set, no thread waits: each goes on, and sees that the run is over.
    """

    def __init__(
        self,
        most: Callable[[], int],
        changed: threading.Condition | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._most = most
        self._changed = changed or threading.Condition()
        self._stop = stop or threading.Event()
        self._inside = 0

    @property
    def inside(self) -> int:
        """How many are in now."""
        return self._inside

    def enter(self) -> None:
        """Wait for a place, and take it."""
        with self._changed:
            while self._inside >= self._most() and not self._stop.is_set():
                self._changed.wait(_LOOK_SECONDS)
            self._inside += 1

    def leave(self) -> None:
        """Give it back."""
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()


class ConcurrencyTarget:
    """Return how many rows must be at a step, so that the next one is ready when its turn comes.

    Rate times time (Little's law) is the mean; adding about twice its square root covers the spread.

    :param per_second: the rate to sustain.
    :param most: upper limit.
    """

    def __init__(self, per_second: float, most: int) -> None:
        self._per_second = per_second
        self._most = most
        self._mean_seconds = 0.0
        self._in_vain_seconds = 0.0

    def took(self, seconds: float, *, in_vain: bool = False) -> None:
        """Note how long the step took for one.

        :param in_vain: the row ends at this step; the next row that passes includes its time.
        """
        seconds += self._in_vain_seconds
        if in_vain:
            self._in_vain_seconds = seconds
            return
        self._in_vain_seconds = 0.0
        self._mean_seconds += (seconds - self._mean_seconds) * _NEWEST

    def needed(self) -> int:
        """Return how many, at the times seen lately; one at least is always ready and one under way."""
        load = self._per_second * self._mean_seconds
        return min(self._most, 2 + math.ceil(load + 2 * math.sqrt(load)))


class Place:
    """A row's slot: first among rows that prepare a call, then among calls in flight.

    :param is_free: it occupies no slot, because others wait for it.
    """

    def __init__(self, places: Places, *, is_free: bool) -> None:
        self._places, self._is_free = places, is_free
        self._is_ready = self._is_flying = False

    def prepare(self) -> None:
        """Wait until another call should be prepared."""
        if not self._is_free:
            self._places.ready.enter()
            self._is_ready = True

    def board(self) -> None:
        """Wait until another call may be in flight."""
        if not self._is_free:
            self._places.in_flight.enter()
            self._is_flying = True

    def make_room(self) -> None:
        """Let the next prepare its call."""
        if self._is_ready:
            self._is_ready = False
            self._places.ready.leave()

    def leave(self) -> None:
        """Leave it all."""
        self.make_room()
        if self._is_flying:
            self._is_flying = False
            self._places.in_flight.leave()


class Places:
    """Limits how many rows prepare a call at once, and how many calls are in flight.

    :param per_second: the rate to sustain.
    :param at_once: maximum calls in flight.
    :param stop: once set, no row waits for a place.
    """

    def __init__(self, per_second: float, at_once: int, stop: threading.Event | None = None) -> None:
        self._changed = threading.Condition()
        self._preparing = ConcurrencyTarget(per_second, most=_MOST_READY)
        #: How many rows hold their image; these have cost nothing yet.
        self.reading = 0
        self.ready = AdaptiveSemaphore(self._preparing.needed, self._changed, stop)
        self.in_flight = AdaptiveSemaphore(lambda: at_once, self._changed, stop)

    @contextmanager
    def one(self, *, is_free: bool) -> Iterator[Place]:
        """Take a place among those that prepare a call; the end of the ``with`` leaves it."""
        place = Place(self, is_free=is_free)
        try:
            place.prepare()
            yield place
        finally:
            place.leave()

    @contextmanager
    def at_image(self) -> Iterator[None]:
        """Count a row that opens its image."""
        with self._changed:
            self.reading += 1
        try:
            yield
        finally:
            with self._changed:
                self.reading -= 1

    def prepared(self, seconds: float, *, in_vain: bool = False) -> None:
        """Note how long a call took to prepare.

        :param in_vain: it is not made.
        """
        with self._changed:
            self._preparing.took(seconds, in_vain=in_vain)
