from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count, cycle, islice
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.call.rate_limit import RateLimiter
from airflow_provider_permitocr.engine.models import ImageRow, Left, PermitRequest, PermitResponse
from airflow_provider_permitocr.engine.ports import Call
from airflow_provider_permitocr.errors import (
    AccountError,
    ApiUnreachableError,
    CallError,
    Decision,
    ThrottledTooLongError,
)
from airflow_provider_permitocr.options.run import CallRetry, Pace
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from tests.support.row_calls import RowCalls, is_answered, unanswered

if TYPE_CHECKING:
    from tests.engine.conftest import FakeClock

ROW = ImageRow("k1", "https://x/1.png")
REQUEST = PermitRequest(CardSide.FRONT, image_url="https://x/1.png")
PACE = Pace(10)
SOON = 30
ANSWER = PermitResponse({"Number": "1"}, "r-1")
REPEATED = [Decision.RETRY, Decision.UNCLEAR]


def load() -> PermitRequest:
    return REQUEST


class ScriptedClient:
    """Fails with one decision after the other, the last one for ever; None is an answer."""

    def __init__(self, *script: Decision | None) -> None:
        self._script: Sequence[Decision | None] = script
        self.calls = 0

    def prepare(self, request: PermitRequest) -> Call:
        return self._answer

    def _answer(self) -> PermitResponse:
        decision = self._script[min(self.calls, len(self._script) - 1)]
        self.calls += 1
        if decision is None:
            return ANSWER
        raise CallError(f"Code.{decision.name}", "said no", decision, f"r-{self.calls}")


class Raising:
    """Fails with one error after the other, the last one for ever; None is an answer."""

    def __init__(self, *script: CallError | None) -> None:
        self._script = list(script)

    def prepare(self, request: PermitRequest) -> Call:
        return self._answer

    def _answer(self) -> PermitResponse:
        error = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if error is None:
            return ANSWER
        raise error


class Waits:
    """Records how long the caller waits between tries, and from what interval that is drawn."""

    def __init__(self, share: float = 1.0) -> None:
        self._share = share
        self.slept: list[float] = []
        self.drawn: list[tuple[float, float]] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def uniform(self, low: float, high: float) -> float:
        self.drawn.append((low, high))
        return low + (high - low) * self._share


NewCaller = Callable[..., RowCalls]


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def caller(clock: FakeClock, waits: Waits) -> NewCaller:
    def make(client: ScriptedClient, **policy: float) -> RowCalls:
        limiter = RateLimiter(PACE, clock=clock, sleep=clock.sleep)
        retry = CallRetry(**policy)  # type: ignore[arg-type]
        return RowCalls(
            client, limiter, PACE, retry, threading.Event(), sleep=waits.sleep, uniform=waits.uniform
        )

    return make


def test_an_answer_at_once_takes_one_call_and_no_wait(caller: NewCaller, waits: Waits) -> None:
    paced = caller(ScriptedClient(None))
    assert is_answered(paced.call(ROW, load), ANSWER)
    assert (paced.calls, paced.throttled, waits.slept) == (1, 0, [])


@pytest.mark.parametrize("decision", REPEATED)
def test_a_passing_fault_is_repeated_until_it_passes(caller: NewCaller, decision: Decision) -> None:
    paced = caller(ScriptedClient(decision, decision, None))
    assert is_answered(paced.call(ROW, load), ANSWER)
    assert paced.calls == 3


@pytest.mark.parametrize("decision", REPEATED)
@pytest.mark.parametrize("attempts", [1, 3])
def test_a_fault_that_does_not_pass_is_given_up_with_the_last_error(
    caller: NewCaller, waits: Waits, decision: Decision, attempts: int
) -> None:
    paced = caller(ScriptedClient(decision), attempts=attempts)
    outcome = unanswered(paced.call(ROW, load))
    assert outcome.request_id == f"r-{attempts}"
    assert (paced.calls, len(waits.slept)) == (attempts, attempts - 1)


@pytest.mark.parametrize(("decision", "calls"), [(Decision.RETRY, 5), (Decision.UNCLEAR, 3)])
def test_what_nothing_says_to_be_transient_is_repeated_twice_at_most(
    caller: NewCaller, decision: Decision, calls: int
) -> None:
    paced = caller(ScriptedClient(decision), attempts=5)
    unanswered(paced.call(ROW, load))
    assert paced.calls == calls


def test_a_fault_of_the_image_is_not_repeated(caller: NewCaller) -> None:
    paced = caller(ScriptedClient(Decision.IMAGE, None))
    unanswered(paced.call(ROW, load))
    assert paced.calls == 1


def test_no_call_begins_after_the_time_for_an_image(clock: FakeClock) -> None:
    limiter = RateLimiter(PACE, clock=clock, sleep=clock.sleep)
    policy = CallRetry(attempts=100, base_seconds=10, max_wait_seconds=10, max_seconds=35)
    client = ScriptedClient(Decision.RETRY)
    paced = RowCalls(
        client,
        limiter,
        PACE,
        policy,
        threading.Event(),
        sleep=clock.sleep,
        clock=clock,
        uniform=lambda _low, high: high,
    )
    unanswered(paced.call(ROW, load))
    assert client.calls == 4


def test_the_time_that_throttled_calls_take_is_not_counted(clock: FakeClock) -> None:
    busy = CallError("Busy", "later", Decision.THROTTLE, retry_after=60)
    passing = CallError("Passing", "later", Decision.RETRY)
    client = Raising(passing, busy, busy, passing, None)
    paced = RowCalls(
        client,
        RateLimiter(PACE, clock=clock, sleep=clock.sleep),
        PACE,
        CallRetry(base_seconds=0, max_seconds=35),
        threading.Event(),
        sleep=clock.sleep,
        clock=clock,
    )
    assert is_answered(paced.call(ROW, load), ANSWER)
    assert clock.now > 100 + 120


def test_an_image_whose_time_is_up_when_its_turn_comes_is_given_up_unsent(clock: FakeClock) -> None:
    pace = Pace(0.1)
    client = ScriptedClient(Decision.RETRY)
    paced = RowCalls(
        client,
        RateLimiter(pace, clock=clock, sleep=clock.sleep),
        pace,
        CallRetry(attempts=100, base_seconds=0, max_seconds=35),
        threading.Event(),
        sleep=clock.sleep,
        clock=clock,
    )
    unanswered(paced.call(ROW, load))
    assert client.calls == paced.calls == 4


@pytest.mark.parametrize("decision", [Decision.RETRY, Decision.THROTTLE])
def test_a_wait_that_the_answer_asks_for_is_kept(clock: FakeClock, decision: Decision) -> None:
    asked = CallError("Busy", "later", decision, retry_after=7.5)
    paced = RowCalls(
        Raising(asked, None),
        RateLimiter(PACE, clock=clock, sleep=clock.sleep),
        PACE,
        CallRetry(base_seconds=0),
        threading.Event(),
        sleep=clock.sleep,
    )
    assert is_answered(paced.call(ROW, load), ANSWER)
    assert 7.5 in clock.sleeps


def test_a_call_is_signed_anew_once_and_without_a_wait(caller: NewCaller, waits: Waits) -> None:
    paced = caller(ScriptedClient(Decision.REPAIR, None), attempts=1)
    assert is_answered(paced.call(ROW, load), ANSWER)
    assert (paced.calls, waits.slept) == (2, [])


#: Calls that end with a fault of all calls and use up no attempt: one before its keys are renewed, one while
#: the calls for another image find out, and, once per image, one that meets it with three that confirm it for
#: the account, and six for the way there.
_UNCOUNTED = 1 + 1 + 1 + 3 + 6


@pytest.mark.parametrize("has_worked", [True, False], ids=["has worked", "never worked"])
@pytest.mark.parametrize("attempts", [1, 3])
@pytest.mark.parametrize(
    "faults",
    [
        (Decision.ACCOUNT, Decision.RETRY),
        (Decision.RETRY, Decision.ACCOUNT),
        (Decision.REPAIR, Decision.RETRY),
        (Decision.ACCOUNT, Decision.REPAIR, Decision.UNCLEAR),
        (Decision.ACCOUNT, Decision.ACCOUNT, Decision.RETRY),
    ],
    ids=" ".join,
)
def test_an_account_fault_that_alternates_with_others_ends_within_the_calls_of_an_image(
    caller: NewCaller, faults: tuple[Decision, ...], attempts: int, has_worked: bool
) -> None:
    client = ScriptedClient(*[None] * has_worked, *islice(cycle(faults), 1_000))
    paced = caller(client, attempts=attempts)
    if has_worked:
        paced.call(ROW, load)
    with suppress(AccountError):
        unanswered(paced.call(ROW, load))
    assert client.calls - has_worked <= attempts + _UNCOUNTED


@given(
    script=st.lists(st.sampled_from([*Decision]), max_size=40),
    attempts=st.integers(1, 5),
    has_worked=st.booleans(),
)
def test_whatever_the_order_of_faults_an_image_gets_no_more_calls_than_the_policy_says(
    new_clock: type[FakeClock], script: list[Decision], attempts: int, has_worked: bool
) -> None:
    clock = new_clock()
    client = ScriptedClient(*[None] * has_worked, *script, Decision.RETRY)
    limiter = RateLimiter(PACE, clock=clock, sleep=clock.sleep)
    policy = CallRetry(attempts=attempts, base_seconds=30, max_seconds=60)
    stop = threading.Event()
    paced = RowCalls(client, limiter, PACE, policy, stop, sleep=clock.sleep, clock=clock)
    if has_worked:
        paced.call(ROW, load)
    started_at = clock.now
    is_fatal = False
    try:
        unanswered(paced.call(ROW, load))
    except (AccountError, ApiUnreachableError):
        is_fatal = True
    throttled = paced.throttled
    assert paced.calls - has_worked - throttled <= attempts + _UNCOUNTED
    assert clock.now - started_at <= 60 + 60 + 3 + (paced.calls + throttled) * 2
    assert stop.is_set() is is_fatal


def test_an_account_fault_that_comes_and_goes_stops_no_run(caller: NewCaller) -> None:
    client = ScriptedClient(None, Decision.ACCOUNT, Decision.RETRY, Decision.ACCOUNT, None)
    paced = caller(client, attempts=2)
    paced.call(ROW, load)
    outcome = unanswered(paced.call(ROW, load))
    assert (outcome.error_code, outcome.status, outcome.counts) == ("Code.ACCOUNT", Status.RETRY, False)
    assert is_answered(paced.call(ROW, load), ANSWER)


def test_throttles_use_up_no_attempt_and_are_counted(caller: NewCaller, waits: Waits) -> None:
    throttled = [Decision.THROTTLE] * 20
    paced = caller(ScriptedClient(*throttled, Decision.RETRY, *throttled, None), attempts=2)
    assert is_answered(paced.call(ROW, load), ANSWER)
    assert (paced.calls, paced.throttled, len(waits.slept)) == (42, 40, 1)


def test_being_throttled_without_end_is_bounded_in_time(caller: NewCaller, clock: FakeClock) -> None:
    paced = caller(ScriptedClient(Decision.THROTTLE), max_throttled_seconds=60)
    started_at = clock.now
    with pytest.raises(ThrottledTooLongError, match=r"Code\.THROTTLE.*Lower the slots"):
        paced.call(ROW, load)
    assert 60 < clock.now - started_at < 70


class BusyClient:
    """Refuses every call for its rate, and asks for a wait before the next."""

    def prepare(self, request: PermitRequest) -> Call:
        return self._answer

    def _answer(self) -> PermitResponse:
        raise CallError("Code.BUSY", "said no", Decision.THROTTLE, retry_after=30.0)


def test_waits_that_throttling_answers_ask_for_are_kept_to_and_bounded(clock: FakeClock) -> None:
    limiter = RateLimiter(PACE, clock=clock, sleep=clock.sleep)
    policy = CallRetry(max_throttled_seconds=100)
    paced = RowCalls(BusyClient(), limiter, PACE, policy, threading.Event(), sleep=clock.sleep, clock=clock)
    with pytest.raises(ThrottledTooLongError):
        paced.call(ROW, load)
    assert paced.calls == 5
    assert clock.now - 100 == pytest.approx(4 * 30, abs=1)


def test_a_trickle_that_passes_does_not_end_the_time_throttled(caller: NewCaller, clock: FakeClock) -> None:
    trickle = [*[Decision.THROTTLE] * 5, None] * 1000
    paced = caller(ScriptedClient(*trickle), max_throttled_seconds=60)

    def call_on_and_on() -> None:
        while True:
            paced.call(ROW, load)

    with pytest.raises(ThrottledTooLongError, match=r"below half of its pace for 6\d s in total"):
        call_on_and_on()


def test_a_throttled_image_is_loaded_again_for_its_next_turn(caller: NewCaller) -> None:
    loads = count(1)

    def load_and_count() -> PermitRequest:
        next(loads)
        return REQUEST

    paced = caller(ScriptedClient(Decision.THROTTLE, Decision.THROTTLE, None))
    assert is_answered(paced.call(ROW, load_and_count), ANSWER)
    assert next(loads) == 4


def test_the_intervals_of_the_waits_double_up_to_the_longest(caller: NewCaller, waits: Waits) -> None:
    paced = caller(ScriptedClient(Decision.RETRY), attempts=7, base_seconds=1.5, max_wait_seconds=20)
    unanswered(paced.call(ROW, load))
    assert waits.drawn == [(0, 1.5), (0, 3), (0, 6), (0, 12), (0, 20), (0, 20)]


@given(st.floats(0, 1), st.floats(0, 10), st.floats(0, 10), st.integers(2, 12))
def test_no_wait_leaves_its_bounds(
    new_clock: type[FakeClock], share: float, base: float, longest: float, attempts: int
) -> None:
    clock, waits = new_clock(), Waits(share)
    limiter = RateLimiter(PACE, clock=clock, sleep=clock.sleep)
    policy = CallRetry(attempts=attempts, base_seconds=base, max_wait_seconds=longest)
    paced = RowCalls(
        ScriptedClient(Decision.RETRY),
        limiter,
        PACE,
        policy,
        threading.Event(),
        sleep=waits.sleep,
        uniform=waits.uniform,
    )
    unanswered(paced.call(ROW, load))
    assert all(0 <= slept <= min(longest, base * 2**tries) for tries, slept in enumerate(waits.slept))


def test_repeated_calls_wait_for_their_turn_too(caller: NewCaller, clock: FakeClock) -> None:
    caller(ScriptedClient(Decision.RETRY, Decision.RETRY, Decision.REPAIR, None)).call(ROW, load)
    assert clock.now == pytest.approx(100 + 3 / 9.8)


def test_once_stopped_a_call_is_not_repeated(clock: FakeClock, waits: Waits) -> None:
    stop, client = threading.Event(), ScriptedClient(Decision.RETRY)
    limiter = RateLimiter(PACE, clock=clock, sleep=clock.sleep)
    paced = RowCalls(
        client,
        limiter,
        PACE,
        CallRetry(attempts=9),
        stop,
        sleep=lambda seconds: stop.set(),
        uniform=waits.uniform,
    )
    assert paced.call(ROW, load) is Left.STOPPED
    assert client.calls == 1


def test_calls_of_several_threads_are_all_counted(caller: NewCaller) -> None:
    paced = caller(ScriptedClient(None))
    threads = [threading.Thread(target=lambda: [paced.call(ROW, load) for _ in range(200)]) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paced.calls == 1000
