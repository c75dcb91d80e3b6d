from __future__ import annotations

import random
import threading
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.core.errors import RunStoppedError
from airflow_provider_permitocr.core.rate_limit import RateLimiter

if TYPE_CHECKING:
    from tests.core.conftest import FakeClock


def limiter(clock: FakeClock, max_per_second: float = 20) -> RateLimiter:
    return RateLimiter(max_per_second, threading.Event(), clock=clock, sleep=clock.sleep)


def turns(pacer: RateLimiter, clock: FakeClock, number: int) -> list[float]:
    times = []
    for _ in range(number):
        pacer.acquire()
        times.append(clock.now)
    return times


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


@pytest.mark.parametrize("max_per_second", [0.5, 1, 20, 33.3, 1000])
def test_turns_are_evenly_spaced_from_the_first(clock: FakeClock, max_per_second: float) -> None:
    times = turns(limiter(clock, max_per_second), clock, 50)
    assert times[0] == 100.0
    assert gaps(times) == pytest.approx([1 / max_per_second] * 49)


@pytest.mark.parametrize("idle_seconds", [0.06, 1.0, 3600.0])
def test_there_is_no_burst_after_idling(clock: FakeClock, idle_seconds: float) -> None:
    pacer = limiter(clock)
    turns(pacer, clock, 10)
    clock.now += idle_seconds
    assert gaps(turns(pacer, clock, 40)) == pytest.approx([0.05] * 39)


def test_there_is_no_burst_when_the_first_call_comes_late(clock: FakeClock) -> None:
    pacer = limiter(clock)
    clock.now += 60
    assert gaps(turns(pacer, clock, 40)) == pytest.approx([0.05] * 39)


def test_late_waking_costs_no_rate_over_a_long_time(clock: FakeClock) -> None:
    overslept = random.Random(7)
    pacer = RateLimiter(
        20,
        threading.Event(),
        clock=clock,
        sleep=lambda seconds: clock.sleep(seconds + overslept.uniform(0, 0.04)),
    )
    times = turns(pacer, clock, 20_001)
    assert 20_000 / (times[-1] - times[0]) == pytest.approx(20, rel=1e-4)


@given(st.lists(st.floats(0, 3), min_size=1, max_size=80))
def test_however_calls_arrive_no_second_holds_more_than_one_turn_too_many(
    new_clock: type[FakeClock], arrivals: list[float]
) -> None:
    clock = new_clock()
    pacer = limiter(clock, max_per_second=5)
    times = []
    for pause in arrivals:
        clock.now += pause / 10
        times += turns(pacer, clock, 1)
    for start in times:
        assert sum(start <= time < start + 0.999 for time in times) <= 6


def test_all_threads_share_one_pace(clock: FakeClock) -> None:
    pacer = limiter(clock)
    threads = [threading.Thread(target=turns, args=(pacer, clock, 25)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.now - 100.0 == pytest.approx((8 * 25 - 1) * 0.05)


def test_throttling_halves_the_pace_at_once_and_pauses_for_a_window_of_the_gateway(
    clock: FakeClock,
) -> None:
    pacer = limiter(clock)
    turns(pacer, clock, 5)
    throttled_at = clock.now
    pacer.throttled()
    assert pacer.per_second == 10
    times = turns(pacer, clock, 5)
    assert times[0] - throttled_at == pytest.approx(1.0)
    assert gaps(times) == pytest.approx([0.1] * 4)


def test_throttled_answers_of_the_same_second_tell_the_same_news(clock: FakeClock) -> None:
    pacer = limiter(clock)
    for _ in range(15):
        pacer.throttled()
        clock.now += 0.06
    assert pacer.per_second == 10
    clock.now += 0.1
    pacer.throttled()
    assert pacer.per_second == 5


def test_throttling_just_after_a_step_of_recovery_halves_at_once(clock: FakeClock) -> None:
    pacer = limiter(clock)
    pacer.throttled()
    while pacer.per_second == 10:
        pacer.acquire()
    assert pacer.per_second == 12
    pacer.throttled()
    assert pacer.per_second == 6


def test_the_pace_never_falls_below_a_twentieth(clock: FakeClock) -> None:
    pacer = limiter(clock)
    for _ in range(50):
        pacer.throttled()
        clock.now += 1
    assert pacer.per_second == 1


def test_the_pace_recovers_step_by_step_up_to_its_share_and_no_further(clock: FakeClock) -> None:
    pacer = limiter(clock)
    pacer.throttled()
    paces: dict[float, float] = {}
    while clock.now < 130.0:
        pacer.acquire()
        paces[pacer.per_second] = paces.get(pacer.per_second, clock.now)
    assert list(paces) == [10, 12, 14, 16, 18, 20]
    assert min(gaps(list(paces.values()))[1:]) >= 2.0


@given(st.lists(st.sampled_from(["turn", "throttled", "passed", "idle"]), max_size=60))
def test_whatever_happens_the_pace_stays_between_its_bounds(
    new_clock: type[FakeClock], events: list[str]
) -> None:
    clock = new_clock()
    pacer = limiter(clock, max_per_second=7)
    happen = {"turn": pacer.acquire, "throttled": pacer.throttled, "passed": pacer.passed}
    for event in events:
        if event == "idle":
            clock.now += 2.5
        else:
            happen[event]()
        assert 7 / 20 <= pacer.per_second <= 7


def test_the_time_throttled_counts_from_the_first_refusal_until_a_call_passes(clock: FakeClock) -> None:
    pacer = limiter(clock)
    assert pacer.throttled() == 0
    clock.now += 30
    assert pacer.throttled() == 30
    pacer.passed()
    clock.now += 30
    assert pacer.throttled() == 0


def test_a_throttled_answer_moves_a_turn_that_is_being_waited_for(clock: FakeClock) -> None:
    throttle_once = iter([True])

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if next(throttle_once, False):
            pacer.throttled()

    pacer = RateLimiter(1, threading.Event(), clock=clock, sleep=sleep)
    assert turns(pacer, clock, 2) == pytest.approx([100.0, 102.0])


def test_once_stopped_no_turn_is_given(clock: FakeClock) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(RunStoppedError):
        RateLimiter(20, stop, clock=clock, sleep=clock.sleep).acquire()


def test_stopping_wakes_everyone_who_waits_for_a_turn() -> None:
    stop = threading.Event()
    pacer = RateLimiter(0.001, stop)
    pacer.acquire()
    stopped = []

    def wait_for_a_turn() -> None:
        with pytest.raises(RunStoppedError):
            pacer.acquire()
        stopped.append(True)

    threads = [threading.Thread(target=wait_for_a_turn) for _ in range(5)]
    for thread in threads:
        thread.start()
    stop.set()
    for thread in threads:
        thread.join(timeout=30)
    assert len(stopped) == 5
