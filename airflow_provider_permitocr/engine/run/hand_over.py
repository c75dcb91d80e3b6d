"""Passes items to threads, and their results back: one queue each way, under one lock."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Final, Generic, TypeVar, cast

Item = TypeVar("Item")
Result = TypeVar("Result")
_END: Final = object()
_LOOK_SECONDS: Final = 1.0


class HandOver(Generic[Item, Result]):
    """Passes items to threads, one per item in progress, and results to the thread that reads the list.

    The threads are daemons: an abandoned one does not keep its process from ending.

    :param work: computes an item's result in one of the threads; None if there is no result.
    :param left_behind: how many items in progress to abandon once the run is asked to stop.
    """

    def __init__(
        self, work: Callable[[Item], Result | None], *, left_behind: Callable[[], int] = lambda: 0
    ) -> None:
        self._work, self._left_behind = work, left_behind
        self.lock = threading.Lock()
        self._given = threading.Condition(self.lock)
        self._came_back = threading.Condition(self.lock)
        self._items: deque[Item] = deque()
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self._working = self._idle = 0
        self._is_closed = False
        self._threads: list[threading.Thread] = []

    @property
    def _under_way(self) -> int:
        # Derived, not counted: a signal may interrupt `give` between any two lines.
        return len(self._items) + self._working

    def give(self, item: Item) -> None:
        """Have a thread work on an item."""
        with self.lock:
            is_short = self._idle <= len(self._items)
        if is_short:
            thread = threading.Thread(target=self._serve, name="permitocr", daemon=True)
            thread.start()
            self._threads.append(thread)
        with self.lock:
            self._items.append(item)
            self._given.notify()

    def take(self, seconds: float) -> list[Result]:
        """Return results that have come back; wait at most this long for them.

        :raises BaseException: the first error of ``work``, once.
        """
        with self.lock:
            if seconds and self._under_way and not (self._results or self._error):
                self._came_back.wait(seconds)
            if error := self._error:
                self._error = None
                raise error
            results, self._results = self._results, []
            return results

    def take_rest(self, seconds: float) -> list[Result]:
        """As ``take``, after the run has ended early: errors after the first are ignored."""
        try:
            return self.take(seconds)
        except BaseException:  # noqa: BLE001  the first is raised
            return []

    def is_busy(self, *, is_stopped: bool = True) -> bool:
        """Return whether any item under way must be waited for."""
        return self._under_way > (self._left_behind() if is_stopped else 0)

    def wait(self, seconds: float) -> bool:
        """Wait at most this long for a result; return whether any are still expected."""
        with self.lock:
            if self.is_busy():
                self._came_back.wait(seconds)
            return self.is_busy()

    def close(self) -> None:
        """Let the threads end, once they have no more items."""
        with self.lock:
            self._is_closed = True
            self._given.notify_all()
        if not self._under_way:
            for thread in self._threads:
                thread.join()

    def results(
        self,
        items: Iterable[Item | None],
        *,
        max_in_flight: Callable[[], int],
        stop: threading.Event,
        tick_seconds: float = 0.1,
    ) -> Generator[list[Result], None, None]:
        """Yield results as they arrive, in lists; an empty list if nothing arrived for ``tick_seconds``.

        :param max_in_flight: how many items may be in progress; called again before each.

        An item that is None stands for no work: it announces that the next item may take a while, so that
        results so far are yielded first.

        The first error, of ``work``, of ``items`` or of the waiting thread itself (a timeout, a signal), sets
        ``stop``. It is raised once all items in flight have been yielded.
        """
        source = iter(items)
        results: list[Result] = []
        try:
            while True:
                item: object = _END
                # One by one, so that no item is lost if the source raises midway.
                while not stop.is_set() and self._has_room(max_in_flight()):
                    item = next(source, _END)
                    if item is _END or item is None:
                        break
                    self.give(cast("Item", item))
                is_last = item is _END and not self.is_busy(is_stopped=stop.is_set())
                results = self.take(0 if item is None or is_last else tick_seconds)
                if is_last and not results:
                    return
                # Once yielded they are the caller's: an error raised from here on must not yield them again.
                given, results = results, []
                yield given
        except GeneratorExit:
            stop.set()
            while self.wait(tick_seconds):
                pass
            raise
        except BaseException:
            stop.set()
            yield results
            while self.is_busy():
                yield self.take_rest(tick_seconds)
            yield self.take_rest(0)
            raise

    def _has_room(self, most: int) -> bool:
        return self._error is None and self._under_way + len(self._results) < most

    def _serve(self) -> None:
        while True:
            with self.lock:
                self._idle += 1
                while not self._items and not self._is_closed:
                    self._given.wait(_LOOK_SECONDS)  # a signal may interrupt `give` before it notifies
                self._idle -= 1
                if not self._items:
                    return
                item = self._items.popleft()
                self._working += 1
            self._work_on(item)
            del item  # an image that the list itself holds

    def _work_on(self, item: Item) -> None:
        result, error = None, None
        try:
            result = self._work(item)
        except BaseException as raised:  # noqa: BLE001  raised where results are taken
            error = raised
        with self.lock:
            self._working -= 1
            if result is not None:
                self._results.append(result)
            self._error = self._error or error
            self._came_back.notify_all()


def completed(
    work: Callable[[Item], Result | None],
    items: Iterable[Item | None],
    *,
    max_in_flight: Callable[[], int],
    stop: threading.Event,
    tick_seconds: float = 0.1,
) -> Generator[list[Result], None, None]:
    """Yield the results of items as they arrive, by threads that end with them; see ``HandOver.results``."""
    hand_over = HandOver(work)
    try:
        yield from hand_over.results(items, max_in_flight=max_in_flight, stop=stop, tick_seconds=tick_seconds)
    finally:
        hand_over.close()
