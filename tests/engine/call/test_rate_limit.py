from __future__ import annotations

import math
import random
import threading
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.call.rate_limit import RateLimiter
from airflow_provider_permitocr.options.run import Pace

if TYPE_CHECKING:
    from tests.engine.conftest import FakeClock


FULL = 0.98 * 20
EVEN_GAP = 1 / FULL
NOT_STOPPED = threading.Event()
WALL_CLOCK_AHEAD = 1_790_000_000.123


def limiter(clock: FakeClock, max_per_second: float = 20, phase: float | None = None) -> RateLimiter:
    return RateLimiter(
        Pace(max_per_second, phase=phase),
        clock=clock,
        wall_clock=lambda: clock.now + WALL_CLOCK_AHEAD,
        sleep=clock.sleep,
    )


def turns(pacer: RateLimiter, clock: FakeClock, number: int) -> list[float]:
    times = []
    for _ in range(number):
        pacer.acquire(NOT_STOPPED)
        times.append(clock.now)
    return times


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def most_in_a_second(times: list[float]) -> int:
    return max(sum(start <= time < start + 1 for time in times) for start in times)


@pytest.mark.parametrize("max_per_second", [0.5, 1, 2.5, 20, 33.3, 1000])
def test_turns_are_evenly_spaced_from_the_first_with_a_little_to_spare(
    clock: FakeClock, max_per_second: float
) -> None:
    times = turns(limiter(clock, max_per_second), clock, 50)
    assert times[0] == 100.0
    assert gaps(times) == pytest.approx([1 / (0.98 * max_per_second)] * 49)


@pytest.mark.parametrize("idle_seconds", [0.06, 1.0, 3600.0])
def test_there_is_no_burst_after_idling(clock: FakeClock, idle_seconds: float) -> None:
    pacer = limiter(clock)
    turns(pacer, clock, 10)
    clock.now += idle_seconds
    assert gaps(turns(pacer, clock, 40)) == pytest.approx([EVEN_GAP] * 39)


def test_there_is_no_burst_when_the_first_call_comes_late(clock: FakeClock) -> None:
    pacer = limiter(clock)
    clock.now += 60
    assert gaps(turns(pacer, clock, 40)) == pytest.approx([EVEN_GAP] * 39)


@pytest.mark.slow
@pytest.mark.parametrize(("late_seconds", "share"), [(0.01, 1), (0.04, 0.98)])
def test_late_waking_costs_next_to_no_rate_and_no_second_has_a_turn_too_many(
    clock: FakeClock, late_seconds: float, share: float
) -> None:
    overslept = random.Random(7)
    pacer = RateLimiter(
        Pace(20),
        clock=clock,
        sleep=lambda seconds: clock.sleep(seconds + overslept.uniform(0, late_seconds)),
    )
    times = turns(pacer, clock, 4_001)
    assert 4_000 / (times[-1] - times[0]) >= 0.999 * share * FULL
    assert most_in_a_second(times) == 20


@given(st.lists(st.floats(0, 3), min_size=1, max_size=80), st.sampled_from([1, 2.5, 5]))
def test_however_calls_arrive_no_second_holds_more_turns_than_the_rate(
    new_clock: type[FakeClock], arrivals: list[float], max_per_second: float
) -> None:
    clock = new_clock()
    pacer = limiter(clock, max_per_second)
    times = []
    for pause in arrivals:
        clock.now += pause / 10
        times += turns(pacer, clock, 1)
    assert most_in_a_second(times) <= math.ceil(max_per_second)


def test_all_threads_share_one_pace(clock: FakeClock) -> None:
    pacer = limiter(clock)
    threads = [threading.Thread(target=turns, args=(pacer, clock, 25)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.now - 100.0 == pytest.approx((8 * 25 - 1) * EVEN_GAP)


@pytest.mark.parametrize("started", [0.0, 0.011, 7.77])
def test_the_turns_of_all_shards_together_are_even_whenever_each_starts(
    new_clock: type[FakeClock], started: float
) -> None:
    times: list[float] = []
    for number in range(4):
        clock = new_clock(now=100.0 + number * started)
        times += turns(limiter(clock, 5, phase=number / 4), clock, 200)
    together = sorted(time for time in times if 130 < time < 135)
    assert gaps(together) == pytest.approx([EVEN_GAP] * (len(together) - 1), abs=1e-5)


def test_a_refusal_slows_all_calls_down_at_once(clock: FakeClock) -> None:
    pacer = limiter(clock)
    turns(pacer, clock, 5)
    pacer.throttled()
    assert pacer.per_second == pytest.approx(0.8 * FULL)
    assert min(gaps([clock.now, *turns(pacer, clock, 5)])) > 1.1 * EVEN_GAP


def test_refusals_of_the_same_second_tell_the_same_news(clock: FakeClock) -> None:
    pacer = limiter(clock)
    for _ in range(15):
        pacer.throttled()
        clock.now += 0.06
    assert 0.8 * FULL <= pacer.per_second < 0.9 * FULL


def test_refusal_after_refusal_multiplies_down_to_a_twentieth(clock: FakeClock) -> None:
    pacer = limiter(clock)
    paces = []
    for _ in range(60):
        pacer.throttled()
        paces.append(pacer.per_second)
        clock.now += 1
    assert paces[:10] == sorted(paces[:10], reverse=True)
    assert paces[10] < 0.25 * FULL
    assert min(paces) == pytest.approx(FULL / 20)


def test_the_pace_comes_back_to_its_share_and_no_further(clock: FakeClock) -> None:
    pacer = limiter(clock)
    pacer.throttled()
    paces = []
    while clock.now < 112.0:
        pacer.acquire(NOT_STOPPED)
        paces.append(pacer.per_second)
    assert paces == sorted(paces)
    assert paces[-1] == FULL


def test_after_a_long_squeeze_the_pace_comes_back_within_half_a_minute(clock: FakeClock) -> None:
    pacer = limiter(clock)
    for _ in range(60):
        pacer.throttled()
        clock.now += 1
    turns(pacer, clock, 1)
    squeezed_until = clock.now
    while pacer.per_second < FULL:
        pacer.acquire(NOT_STOPPED)
    assert clock.now - squeezed_until < 30


@pytest.mark.parametrize("stranger", [5, 10, 15])
@pytest.mark.parametrize("at_once", [1, 5])
def test_beside_a_stranger_nearly_all_that_is_left_is_used(
    clock: FakeClock, stranger: int, at_once: int
) -> None:
    """A gateway that lets 20 calls a second pass, refused ones counted, for us and for someone else."""
    pacer, counts, passed, refused = limiter(clock), Counter[int](), 0, 0
    strangers = clock.now + 0.37
    while clock.now < 400:
        pacer.acquire(NOT_STOPPED)
        while strangers <= clock.now:
            counts[int(strangers)] += at_once
            strangers += at_once / stranger
        counts[int(clock.now)] += 1
        if counts[int(clock.now)] <= 20:
            passed += 1
        else:
            refused += 1
            pacer.throttled()
    left = 300 * (20 - stranger)
    assert passed >= 0.9 * left
    assert refused <= 0.07 * left


@given(st.lists(st.sampled_from(["turn", "throttled", "idle"]), max_size=60))
def test_whatever_happens_the_pace_stays_between_its_bounds(
    new_clock: type[FakeClock], events: list[str]
) -> None:
    clock = new_clock()
    pacer = limiter(clock, max_per_second=7)
    happen = {"turn": lambda: pacer.acquire(NOT_STOPPED), "throttled": pacer.throttled}
    for event in events:
        if event == "idle":
            clock.now += 2.5
        else:
            happen[event]()
        assert 0.98 * 7 / 20 <= pacer.per_second <= 0.98 * 7


def test_the_time_held_back_is_that_below_half_of_the_pace_and_adds_up(clock: FakeClock) -> None:
    pacer = limiter(clock)
    assert pacer.throttled() == 0
    for _ in range(59):
        clock.now += 1
        held_back = pacer.throttled()
    assert 50 < held_back < 59
    clock.now += 3600
    turns(pacer, clock, 100)
    assert pacer.throttled() - held_back < 10


def test_a_refusal_that_costs_less_than_half_of_the_pace_is_no_time_held_back(clock: FakeClock) -> None:
    pacer = limiter(clock)
    for _ in range(100):
        pacer.throttled()
        turns(pacer, clock, 200)
    assert pacer.throttled() == 0


def test_a_throttled_answer_moves_a_turn_that_is_being_waited_for(clock: FakeClock) -> None:
    throttle_once = iter([True])

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if next(throttle_once, False):
            pacer.throttled()

    pacer = RateLimiter(Pace(1), clock=clock, sleep=sleep)
    assert turns(pacer, clock, 2)[1] - 100.0 == pytest.approx(1 / 0.98 + 1 / (0.98 * 0.8))


def test_once_stopped_no_turn_is_given(clock: FakeClock) -> None:
    stop = threading.Event()
    stop.set()
    assert not RateLimiter(Pace(20), clock=clock, sleep=clock.sleep).acquire(stop)


def test_stopping_wakes_everyone_who_waits_for_a_turn() -> None:
    stop = threading.Event()
    pacer = RateLimiter(Pace(0.001))
    pacer.acquire(stop)
    stopped = []

    def wait_for_a_turn() -> None:
        assert not pacer.acquire(stop)
        stopped.append(True)

    threads = [threading.Thread(target=wait_for_a_turn) for _ in range(5)]
    for thread in threads:
        thread.start()
    stop.set()
    for thread in threads:
        thread.join(timeout=30)
    assert len(stopped) == 5
