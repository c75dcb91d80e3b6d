from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, count
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.run.hand_over import HandOver, completed

SOON = 30  # seconds until a test that hangs is given up


class TimedOutError(BaseException):
    """As Airflow's timeout of a task: raised by a signal, wherever the main thread is."""


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


def drain(stream: Iterator[list[int]], error: type[BaseException]) -> list[int]:
    """Collect everything until the stream raises."""
    results: list[int] = []

    def collect() -> None:
        for some in stream:
            results.extend(some)

    with pytest.raises(error):
        collect()
    return results


def held_until(stop: threading.Event) -> Callable[[int], int]:
    """Work that stays in flight until the stream is told to stop."""

    def work(item: int) -> int:
        assert stop.wait(SOON)
        return item

    return work


@settings(max_examples=40)
@given(st.lists(st.integers(), max_size=40), st.integers(1, 8))
def test_every_item_has_its_result_exactly_once(items: list[int], max_in_flight: int) -> None:
    stream = completed(
        lambda item: item * 2, items, max_in_flight=lambda: max_in_flight, stop=threading.Event()
    )
    results = [result for some in stream for result in some]
    assert Counter(results) == Counter(item * 2 for item in items)


@pytest.mark.slow
@settings(max_examples=40)
@given(st.lists(st.booleans(), max_size=30), st.integers(1, 6))
def test_items_given_up_yield_nothing_and_lose_no_other(kept: list[bool], max_in_flight: int) -> None:
    def work(number: int) -> int | None:
        return number if kept[number] else None

    stream = completed(work, range(len(kept)), max_in_flight=lambda: max_in_flight, stop=threading.Event())
    results = sorted(result for some in stream for result in some)
    assert results == [number for number, keep in enumerate(kept) if keep]


def test_an_empty_source_yields_nothing(stop: threading.Event) -> None:
    assert list(completed(str, [], max_in_flight=lambda: 3, stop=stop)) == []
    assert not stop.is_set()


def test_as_many_as_allowed_are_in_flight_and_never_more(stop: threading.Event) -> None:
    flying, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(4, timeout=SOON)

    def work(item: int) -> int:
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        together.wait()
        with lock:
            flying -= 1
        return item

    results = [
        result for some in completed(work, range(40), max_in_flight=lambda: 4, stop=stop) for result in some
    ]
    assert sorted(results) == list(range(40))
    assert most == 4


def test_the_source_is_read_no_further_ahead_than_what_is_in_flight(stop: threading.Event) -> None:
    read = yielded = 0

    def items() -> Iterator[int]:
        nonlocal read
        for item in range(500):
            read += 1
            assert read - yielded <= 5
            yield item

    for some in completed(lambda item: item, items(), max_in_flight=lambda: 5, stop=stop):
        yielded += len(some)
    assert yielded == 500


def test_a_list_without_results_comes_while_nothing_arrives(stop: threading.Event) -> None:
    work = threading.Event()
    stream = completed(
        lambda item: work.wait(SOON), [1], max_in_flight=lambda: 1, stop=stop, tick_seconds=0.01
    )
    assert next(stream) == []
    work.set()
    assert [result for some in stream for result in some] == [True]


def test_results_that_have_arrived_are_yielded_before_a_slow_source_is_read_on(stop: threading.Event) -> None:
    answered, yielded = threading.Event(), False

    def items() -> Iterator[int | None]:
        yield 1
        assert answered.wait(SOON)
        while not yielded:
            yield None
        yield 2

    def work(item: int) -> int:
        answered.set()
        return item

    results = []
    for some in completed(work, items(), max_in_flight=lambda: 3, stop=stop):
        results += some
        yielded = bool(results)
    assert results == [1, 2]


def test_an_error_in_work_stops_the_stream_and_keeps_what_was_in_flight(stop: threading.Event) -> None:
    hold, all_begun = held_until(stop), threading.Barrier(5, timeout=SOON)

    def work(item: int) -> int:
        all_begun.wait()
        if item == 2:
            raise LookupError
        return hold(item)

    stream = completed(work, count(), max_in_flight=lambda: 5, stop=stop)
    assert sorted(drain(stream, LookupError)) == [0, 1, 3, 4]
    assert stop.is_set()


def test_a_second_error_in_flight_hides_neither_the_first_nor_the_results(stop: threading.Event) -> None:
    hold, all_begun = held_until(stop), threading.Barrier(3, timeout=SOON)

    def work(item: int) -> int:
        all_begun.wait()
        if item == 0:
            raise LookupError
        hold(item)
        if item == 1:
            raise ArithmeticError
        return item

    assert drain(completed(work, count(), max_in_flight=lambda: 3, stop=stop), LookupError) == [2]


def test_an_error_in_the_source_keeps_what_was_in_flight(stop: threading.Event) -> None:
    def items() -> Iterator[int]:
        yield from (1, 2)
        raise LookupError

    assert sorted(
        drain(completed(held_until(stop), items(), max_in_flight=lambda: 5, stop=stop), LookupError)
    ) == [
        1,
        2,
    ]
    assert stop.is_set()


def test_a_signal_in_the_waiting_thread_keeps_what_was_in_flight(stop: threading.Event) -> None:
    def time_out(number: int, frame: FrameType | None) -> None:
        raise TimedOutError

    def work(item: int) -> int:
        if item == 2:
            # Not before the main thread waits for results.
            stop.wait(0.2)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        return hold(item)

    hold = held_until(stop)
    before = signal.signal(signal.SIGUSR1, time_out)
    try:
        results = drain(completed(work, range(3), max_in_flight=lambda: 3, stop=stop), TimedOutError)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert sorted(results) == [0, 1, 2]


def test_an_error_thrown_in_after_results_were_yielded_doubles_none(stop: threading.Event) -> None:
    hold = held_until(stop)
    stream = completed(
        lambda item: item if item == 0 else hold(item), range(3), max_in_flight=lambda: 3, stop=stop
    )
    first = next(stream)
    rest = list(stream.throw(TimedOutError()))
    with pytest.raises(TimedOutError):
        rest.extend(chain.from_iterable(stream))
    assert (first, sorted(rest)) == ([0], [1, 2])


def test_closing_early_stops_and_waits_for_what_is_in_flight(stop: threading.Event) -> None:
    finished: list[int] = []

    def work(item: int) -> int:
        if item:
            assert stop.wait(SOON)
        finished.append(item)
        return item

    stream = completed(work, count(), max_in_flight=lambda: 3, stop=stop)
    assert next(stream) == [0]
    stream.close()
    assert stop.is_set()
    assert sorted(finished)[:2] == [0, 1]


def test_once_stopped_from_outside_nothing_new_is_started(stop: threading.Event) -> None:
    read = count()
    results: list[int] = []
    for some in completed(lambda item: item, read, max_in_flight=lambda: 3, stop=stop):
        results += some
        stop.set()
    assert sorted(results) == list(range(next(read)))


def test_what_may_be_left_behind_is_not_waited_for_once_stopped(stop: threading.Event) -> None:
    reading = threading.Event()

    def work(item: int) -> int:
        if item:
            assert reading.wait(SOON)
        return item

    hand_over: HandOver[int, int] = HandOver(work, left_behind=lambda: 2)
    stream = hand_over.results(range(3), max_in_flight=lambda: 3, stop=stop)
    assert next(stream) == [0]
    stop.set()
    assert list(chain.from_iterable(stream)) == []
    hand_over.close()
    reading.set()


def test_until_then_all_that_is_under_way_is_waited_for(stop: threading.Event) -> None:
    def work(item: int) -> int:
        stop.wait(0.2)
        return item

    hand_over: HandOver[int, int] = HandOver(work, left_behind=lambda: 9)
    assert sorted(chain.from_iterable(hand_over.results(range(5), max_in_flight=lambda: 5, stop=stop))) == [
        *range(5)
    ]
    hand_over.close()


def test_no_thread_is_left_behind(stop: threading.Event) -> None:
    of_others = set(threading.enumerate())  # earlier tests abandon threads
    list(completed(str, range(20), max_in_flight=lambda: 4, stop=stop))
    assert set(threading.enumerate()) <= of_others
