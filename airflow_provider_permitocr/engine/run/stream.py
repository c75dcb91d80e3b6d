"""A stream of items through threads, with a bounded number in flight and nothing lost when it ends early."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final, Generic, TypeVar, cast

Item = TypeVar("Item")
Result = TypeVar("Result")
#: An item more than these waits for a thread, whatever ``max_in_flight`` says.
_MOST_THREADS: Final = 256
_END: Final = object()


def completed(
    work: Callable[[Item], Result | None],
    items: Iterable[Item | None],
    *,
    max_in_flight: Callable[[], int],
    stop: threading.Event,
    tick_seconds: float = 0.1,
) -> Generator[list[Result], None, None]:
    """Yield results as they arrive, in lists; an empty list where nothing arrived for ``tick_seconds``.

    :param max_in_flight: how many items may be under way; asked anew before each.

    An item that is None is no work: it says that the next item may take a while, so that what has arrived
    is yielded first.

    The first error, of ``work``, of ``items`` or of the waiting thread itself (a timeout, a signal), sets
    ``stop``, and is raised when all that is in flight has been yielded as it arrived. Items of which ``work``
    returns None yield nothing.
    """
    source = iter(items)
    with ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="permitocr") as pool:
        flying: set[Future[Result | None]] = set()
        done: set[Future[Result | None]] = set()
        try:
            while True:
                item: object = _END
                # One by one, so that nothing submitted is forgotten when the source raises midway.
                while not stop.is_set() and len(flying) < max_in_flight():
                    item = next(source, _END)
                    if item is _END or item is None:
                        break
                    flying.add(pool.submit(work, cast("Item", item)))
                if not flying and item is _END:
                    return
                timeout = 0 if item is None else tick_seconds
                done, flying = wait(flying, timeout=timeout, return_when=FIRST_COMPLETED)
                _raise_first_error(done)
                results = _results(done)
                # Once yielded they are the caller's: an error raised from here on must not yield them anew.
                done = set()
                yield results
        except GeneratorExit:
            stop.set()
            raise
        except BaseException:
            stop.set()
            flying |= done
            while flying:
                done, flying = wait(flying, timeout=tick_seconds, return_when=FIRST_COMPLETED)
                yield _results(done)
            raise


class UnderWay(Generic[Item, Result]):
    """Work that tells whether any of it is going on, in whatever thread and whoever waits for its results."""

    def __init__(self, work: Callable[[Item], Result]) -> None:
        self._work = work
        self._ended = threading.Condition()
        self._number = 0

    def __call__(self, item: Item) -> Result:
        with self._ended:
            self._number += 1
        try:
            return self._work(item)
        finally:
            with self._ended:
                self._number -= 1
                self._ended.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until some of it ends, so long at most, and tell whether any is still going on."""
        with self._ended:
            if self._number:
                self._ended.wait(seconds)
            return self._number > 0


def _raise_first_error(futures: Iterable[Future[Result | None]]) -> None:
    for future in futures:
        if error := future.exception():
            raise error


def _results(futures: Iterable[Future[Result | None]]) -> list[Result]:
    return [
        result for future in futures if not future.exception() and (result := future.result()) is not None
    ]
