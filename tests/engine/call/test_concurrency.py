from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.call.concurrency import AdaptiveSemaphore, ConcurrencyTarget

SOON = 30


@contextmanager
def inside_of(gate: AdaptiveSemaphore) -> Iterator[None]:
    gate.enter()
    try:
        yield
    finally:
        gate.leave()


def test_a_gate_lets_so_many_in_and_the_rest_wait() -> None:
    gate, inside, most, lock = AdaptiveSemaphore(lambda: 3), 0, 0, threading.Lock()
    together = threading.Barrier(3, timeout=SOON)

    def work() -> None:
        nonlocal inside, most
        with inside_of(gate):
            with lock:
                inside += 1
                most = max(most, inside)
            together.wait()
            with lock:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert (most, gate.inside) == (3, 0)


def test_a_gate_that_became_wider_lets_more_in() -> None:
    width = 1
    gate = AdaptiveSemaphore(lambda: width)
    three_inside = threading.Barrier(3, timeout=SOON)

    def work() -> None:
        with inside_of(gate):
            three_inside.wait()

    threads = [threading.Thread(target=work) for _ in range(3)]
    with inside_of(gate):
        for thread in threads:
            thread.start()
        width = 3
    for thread in threads:
        thread.join(SOON)
    assert not any(thread.is_alive() for thread in threads)


def test_who_leaves_with_an_error_has_left() -> None:
    gate = AdaptiveSemaphore(lambda: 1)
    with pytest.raises(LookupError), inside_of(gate):
        raise LookupError
    assert gate.inside == 0


def test_a_step_that_takes_no_time_needs_one_under_way_and_one_ready() -> None:
    assert ConcurrencyTarget(20, most=32).needed() == 2


@pytest.mark.parametrize(("seconds", "needed"), [(0.01, 4), (0.2, 10), (10.0, 32)])
def test_a_slower_step_needs_more_up_to_its_bound(seconds: float, needed: int) -> None:
    target = ConcurrencyTarget(20, most=32)
    for _ in range(200):
        target.took(seconds)
    assert target.needed() == needed


@given(st.lists(st.floats(0, 100)), st.floats(0.01, 1000))
def test_whatever_it_took_there_is_someone_and_not_too_many(times: list[float], per_second: float) -> None:
    target = ConcurrencyTarget(per_second, most=32)
    for seconds in times:
        target.took(seconds)
    assert 2 <= target.needed() <= 32


def test_what_is_done_in_vain_is_made_up_for_by_more() -> None:
    target = ConcurrencyTarget(20, most=32)
    for _ in range(200):
        for _ in range(4):
            target.took(0.04, in_vain=True)
        target.took(0.04)
    assert target.needed() == 10
