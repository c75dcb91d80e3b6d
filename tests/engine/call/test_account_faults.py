"""What a fault of the account does to the calls of a run: it holds for all, or comes and goes."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from airflow_provider_permitocr.engine.call.rate_limit import RateLimiter
from airflow_provider_permitocr.engine.call.row import Recognizer
from airflow_provider_permitocr.engine.models import ImageRow, Left, Outcome, PermitRequest, PermitResponse
from airflow_provider_permitocr.engine.ports import Call
from airflow_provider_permitocr.errors import (
    AccountError,
    ApiUnreachableError,
    CallError,
    Decision,
    PermitOcrError,
)
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
from airflow_provider_permitocr.options.run import CallRetry, Pace, RunOptions
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from tests.support.row_calls import RowCalls, is_answered, unanswered

if TYPE_CHECKING:
    from tests.engine.conftest import FakeClock

ROW = ImageRow("k1", "https://x/1.png")
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


NewCaller = Callable[[Scripted], RowCalls]


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def caller(clock: FakeClock, stop: threading.Event) -> NewCaller:
    def make(client: Scripted) -> RowCalls:
        limiter = RateLimiter(PACE, clock=clock, sleep=clock.sleep)
        return RowCalls(client, limiter, PACE, CallRetry(attempts=1), stop, sleep=clock.sleep, clock=clock)

    return make


@pytest.mark.parametrize(("decision", "calls"), [(Decision.ACCOUNT, 2), (Decision.REPAIR, 3)])
def test_keys_that_never_worked_are_asked_once_more_and_stop_all(
    caller: NewCaller, stop: threading.Event, decision: Decision, calls: int
) -> None:
    paced = caller(Scripted(decision))
    with pytest.raises(AccountError, match=r"Some\.Code.*No image was marked failed"):
        paced.call(ROW, lambda: REQUEST)
    assert (paced.calls, stop.is_set()) == (calls, True)
    assert paced.call(ROW, lambda: REQUEST) is Left.STOPPED
    assert paced.calls == calls


@pytest.mark.parametrize(("decision", "calls"), [(Decision.ACCOUNT, 4), (Decision.REPAIR, 5)])
def test_a_fault_after_an_answer_is_confirmed_by_three_more_calls(
    caller: NewCaller, clock: FakeClock, decision: Decision, calls: int
) -> None:
    paced = caller(Scripted(None, decision))
    paced.call(ROW, lambda: REQUEST)
    started_at = clock.now
    with pytest.raises(AccountError):
        paced.call(ROW, lambda: REQUEST)
    assert paced.calls == 1 + calls
    assert 3 <= clock.now - started_at < 5


@pytest.mark.parametrize("decision", OF_ACCOUNT)
@pytest.mark.parametrize("faults", [1, 2, 3])
def test_a_fault_that_goes_again_stops_nothing_and_uses_up_no_attempt(
    caller: NewCaller, stop: threading.Event, decision: Decision, faults: int
) -> None:
    paced = caller(Scripted(None, *[decision] * faults, None))
    for _ in range(2):
        assert is_answered(paced.call(ROW, lambda: REQUEST), ANSWER)
    assert (paced.calls, stop.is_set()) == (faults + 2, False)


def test_another_fault_while_it_is_confirmed_counts_as_an_answer(
    caller: NewCaller, stop: threading.Event
) -> None:
    paced = caller(Scripted(None, Decision.ACCOUNT, Decision.IMAGE))
    paced.call(ROW, lambda: REQUEST)
    outcome = unanswered(paced.call(ROW, lambda: REQUEST))
    assert (outcome.status, stop.is_set()) == (Status.FAILED, False)


def test_a_second_fault_of_the_account_after_one_that_went_again_is_not_confirmed_by_the_same_image(
    caller: NewCaller, stop: threading.Event
) -> None:
    client = Scripted(None, Decision.ACCOUNT, Decision.THROTTLE, Decision.ACCOUNT, None)
    paced = caller(client)
    paced.call(ROW, lambda: REQUEST)
    outcome = unanswered(paced.call(ROW, lambda: REQUEST))
    assert (outcome.status, outcome.counts, paced.calls, stop.is_set()) == (Status.RETRY, False, 4, False)


ARREARS = CallError(
    "ResourceUnavailable.InArrears", "pay first", Decision.ACCOUNT, advice="Recharge in the Billing Center"
)


class ByImage:
    """Answers an image by its URL: those in ``refused`` end with an account fault.

    :param mended: each of those does so once alone.
    """

    def __init__(self, refused: set[str], *, mended: bool = False) -> None:
        self.refused = refused
        self._mended = mended
        self._lock = threading.Lock()
        self.asked: Counter[str] = Counter()

    def prepare(self, request: PermitRequest) -> Call:
        return partial(self._answer, request.image_url or "")

    def _answer(self, url: str) -> PermitResponse:
        with self._lock:
            self.asked[url] += 1
            is_refused = url in self.refused
            if self._mended:
                self.refused.discard(url)
        if is_refused:
            raise ARREARS
        return ANSWER


def recognize_all(
    client: ByImage, rows: list[ImageRow], max_in_flight: int
) -> list[Outcome | Left | Exception]:
    """Recognize rows from several threads, and return how each ended, as far as any was begun."""
    stop = threading.Event()
    options = RunOptions(Pace(100_000, max_in_flight), call_retry=CallRetry(attempts=2, base_seconds=0))
    recognizer = Recognizer(PermitRequestBuilder(max_base64_bytes=1000), client, options, stop)

    def recognize(row: ImageRow) -> Outcome | Left | Exception:
        try:
            return recognizer.recognize(row)
        except PermitOcrError as error:
            return error

    with ThreadPoolExecutor(max_in_flight) as pool:
        return list(pool.map(recognize, rows))


@pytest.mark.slow
def test_while_it_is_confirmed_no_other_image_is_called_for() -> None:
    """At the moment of the fault up to four calls are in flight; the row that confirms is one of them."""
    rows = [ImageRow(str(key), f"https://x/{key}") for key in range(500)]
    client = ByImage({str(row.image) for row in rows[20:]})
    ends = recognize_all(client, rows, max_in_flight=4)
    (confirmed,) = [end for end in ends if isinstance(end, AccountError)]
    assert re.search(r"InArrears.*Recharge in the Billing Center", str(confirmed))
    assert {end.status for end in ends if isinstance(end, Outcome)} == {Status.RECOGNIZED}
    called = [end for row, end in zip(rows, ends, strict=True) if client.asked[str(row.image)]]
    assert (
        len([end for end in called if isinstance(end, Outcome)]) >= 20 - 4
    )  # each thread may be late by one
    assert {type(end) for end in ends[:20]} <= {Outcome, Left}
    assert {type(end) for end in ends[20:]} == {AccountError, Left}
    assert sum(client.asked[url] for url in client.refused) <= 4 + 4 + 3


def test_one_bad_node_ends_no_run() -> None:
    rows = [ImageRow(str(key), f"https://x/{key}") for key in range(100)]
    client = ByImage({str(row.image) for row in rows[::25]}, mended=True)
    ends = recognize_all(client, rows, max_in_flight=4)
    assert {end.status for end in ends if isinstance(end, Outcome)} == {Status.RECOGNIZED}
    assert len([end for end in ends if isinstance(end, Outcome)]) == 100
    assert client.asked.total() == 100 + 4


class Unreachable(Scripted):
    """As ``Scripted``; a decision is that of a call that was never sent."""

    def _answer(self) -> PermitResponse:
        try:
            return super()._answer()
        except CallError as error:
            raise CallError(
                "ClientNetworkError.NotConnected",
                "nobody listens",
                error.decision,
                billed=False,
                was_sent=False,
                advice="Check the firewall",
            ) from None


def test_an_api_that_cannot_be_reached_is_waited_for_and_then_stops_the_run_with_advice(
    caller: NewCaller, clock: FakeClock, stop: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    client = Unreachable(Decision.UNREACHABLE)
    began_at = clock()
    with pytest.raises(ApiUnreachableError, match=r"for 60 seconds.*NotConnected.*Check the firewall"):
        caller(client).call(ROW, lambda: REQUEST)
    assert client.calls == 7
    assert stop.is_set()
    assert clock() - began_at == pytest.approx(60, abs=2)
    (line,) = [each.getMessage() for each in caplog.records if "cannot be reached" in each.getMessage()]
    assert "Calls wait for up to 60 seconds. Check the firewall" in line


def test_an_api_that_is_back_in_between_goes_on(caller: NewCaller) -> None:
    client = Unreachable(*[Decision.UNREACHABLE] * 5, None)
    assert is_answered(caller(client).call(ROW, lambda: REQUEST), ANSWER)


@pytest.mark.slow
def test_many_rows_that_meet_an_unreachable_api_make_few_calls(stop: threading.Event) -> None:
    client = Unreachable(Decision.UNREACHABLE)
    pace = Pace(1000)
    caller = RowCalls(
        client, RateLimiter(pace), pace, CallRetry(), stop, sleep=lambda seconds: stop.wait(seconds / 100)
    )

    def call(number: int) -> object:
        try:
            return caller.call(ImageRow(f"k{number}", "https://x/1.png"), lambda: REQUEST)
        except PermitOcrError as error:
            return type(error)

    with ThreadPoolExecutor(16) as pool:
        ends = Counter(pool.map(call, range(100)))
    assert ends[ApiUnreachableError] == 1
    assert ends[ApiUnreachableError] + ends[Left.STOPPED] == 100
    # Those that were in flight already, and those that find out.
    assert client.calls <= 16 + 7


@pytest.mark.slow
def test_an_unreachable_api_says_nothing_of_an_image(stop: threading.Event) -> None:
    client = Unreachable(Decision.UNREACHABLE)
    recognizer = Recognizer(
        PermitRequestBuilder(max_base64_bytes=1000),
        client,
        RunOptions(PACE),
        stop,
        sleep=lambda _seconds: None,
    )
    with pytest.raises(ApiUnreachableError):
        recognizer.recognize(ROW)
