"""What a fault of the account does to the calls of a run: it holds for all, or comes and goes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.errors import AccountError, CallError, Decision, RunStoppedError
from airflow_provider_permitocr.core.models import PermitRequest, PermitResponse
from airflow_provider_permitocr.core.options import CallRetry, Pace
from airflow_provider_permitocr.core.ports import Call
from airflow_provider_permitocr.core.rate_limit import RateLimiter
from airflow_provider_permitocr.core.retry import PacedCaller

if TYPE_CHECKING:
    from tests.core.conftest import Bench, FakeClient, FakeClock

ROW_KEY = ("k1", CardSide.FRONT)
REQUEST = PermitRequest(CardSide.FRONT, image_url="https://x/1.png")
PACE = Pace(10)
ANSWER = PermitResponse({"Number": "1"}, "r-1")
OF_ACCOUNT = [Decision.ACCOUNT, Decision.REPAIR]


class Scripted:
    """Gives one answer after the other, the last one for ever; a decision is an error."""

    def __init__(self, *script: Decision | None) -> None:
        self._script = script
        self.calls = 0

    def prepare(self, request: PermitRequest) -> Call:
        return self._answer

    def _answer(self) -> PermitResponse:
        decision = self._script[min(self.calls, len(self._script) - 1)]
        self.calls += 1
        if decision is None:
            return ANSWER
        raise CallError("Some.Code", "said no", decision)


NewCaller = Callable[[Scripted], PacedCaller]


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def caller(clock: FakeClock, stop: threading.Event) -> NewCaller:
    def make(client: Scripted) -> PacedCaller:
        limiter = RateLimiter(PACE, clock=clock, sleep=clock.sleep)
        return PacedCaller(client, limiter, PACE, CallRetry(attempts=1), stop, sleep=clock.sleep, clock=clock)

    return make


@pytest.mark.parametrize(("decision", "calls"), [(Decision.ACCOUNT, 2), (Decision.REPAIR, 3)])
def test_keys_that_never_worked_are_asked_once_more_and_stop_all(
    caller: NewCaller, stop: threading.Event, decision: Decision, calls: int
) -> None:
    paced = caller(Scripted(decision))
    with pytest.raises(CallError) as caught:
        paced.call(ROW_KEY, lambda: REQUEST)
    assert (caught.value.decision, paced.calls, stop.is_set()) == (decision, calls, True)
    with pytest.raises(RunStoppedError):
        paced.call(ROW_KEY, lambda: REQUEST)
    assert paced.calls == calls


@pytest.mark.parametrize(("decision", "calls"), [(Decision.ACCOUNT, 4), (Decision.REPAIR, 5)])
def test_a_fault_after_an_answer_is_confirmed_by_three_more_calls(
    caller: NewCaller, clock: FakeClock, decision: Decision, calls: int
) -> None:
    paced = caller(Scripted(None, decision))
    paced.call(ROW_KEY, lambda: REQUEST)
    started_at = clock.now
    with pytest.raises(CallError):
        paced.call(ROW_KEY, lambda: REQUEST)
    assert paced.calls == 1 + calls
    assert 3 <= clock.now - started_at < 5


@pytest.mark.parametrize("decision", OF_ACCOUNT)
@pytest.mark.parametrize("faults", [1, 2, 3])
def test_a_fault_that_goes_again_stops_nothing_and_uses_up_no_attempt(
    caller: NewCaller, stop: threading.Event, decision: Decision, faults: int
) -> None:
    paced = caller(Scripted(None, *[decision] * faults, None))
    for _ in range(2):
        assert paced.call(ROW_KEY, lambda: REQUEST) is ANSWER
    assert (paced.calls, stop.is_set()) == (faults + 2, False)


def test_another_fault_while_it_is_confirmed_counts_as_an_answer(
    caller: NewCaller, stop: threading.Event
) -> None:
    paced = caller(Scripted(None, Decision.ACCOUNT, Decision.IMAGE))
    paced.call(ROW_KEY, lambda: REQUEST)
    with pytest.raises(CallError) as caught:
        paced.call(ROW_KEY, lambda: REQUEST)
    assert (caught.value.decision, stop.is_set()) == (Decision.IMAGE, False)


ARREARS = CallError(
    "ResourceUnavailable.InArrears", "pay first", Decision.ACCOUNT, advice="Recharge in the Billing Center"
)


def test_while_it_is_confirmed_no_other_image_is_called_for(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    """At the moment of the fault up to four calls are in flight; the row that confirms is one of them."""
    client = new_client({bench.url(key): ARREARS for key in range(20, 500)})
    with pytest.raises(AccountError, match=r"InArrears.*Recharge in the Billing Center"):
        bench.run(bench.images(500), client, max_at_once=4)
    asked = Counter(client.asked)
    assert {bench.url(key) for key in bench.statuses} == {url for url in asked if client.is_answered(url)}
    assert set(bench.statuses.values()) == {"recognized"}
    assert sum(asked[bench.url(key)] for key in range(20, 500)) <= 4 + 4 + 3


def test_one_bad_node_ends_no_run(bench: Bench, new_client: type[FakeClient]) -> None:
    faulty = {bench.url(key) for key in range(0, 100, 25)}
    answers: dict[str, dict[str, str] | Exception] = dict.fromkeys(faulty, ARREARS)

    def mend(url: str) -> None:
        if client.asked.count(url) > 1:
            answers[url] = {"Number": "1"}

    client = new_client(answers, before=mend)
    bench.run(bench.images(100), client)
    assert set(bench.statuses.values()) == {"recognized"}
    assert len(client.asked) == 100 + len(faulty)
