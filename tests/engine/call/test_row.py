from __future__ import annotations

import re
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_permitocr.engine.call.row import Recognizer
from airflow_provider_permitocr.engine.models import ImageRow, Left, Outcome, PermitRequest, PermitResponse
from airflow_provider_permitocr.engine.ports import Call, PermitClient
from airflow_provider_permitocr.errors import (
    AccountError,
    CallError,
    Decision,
    ImageUnavailableError,
    ThrottledTooLongError,
)
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
from airflow_provider_permitocr.options.run import CallRetry, Pace, RunOptions
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from tests.support.row_calls import outcome_of

if TYPE_CHECKING:
    from tests.engine.conftest import FakeClock

LOADER = PermitRequestBuilder(max_base64_bytes=100)
ROW = ImageRow("k", "https://x/1")


class OneAnswer:
    """Answers every request alike and remembers them."""

    def __init__(self, answer: PermitResponse | CallError) -> None:
        self._answer = answer
        self.requests: list[PermitRequest] = []

    def prepare(self, request: PermitRequest) -> Call:
        return partial(self._answer_to, request)

    def _answer_to(self, request: PermitRequest) -> PermitResponse:
        self.requests.append(request)
        if isinstance(self._answer, CallError):
            raise self._answer
        return self._answer


class Alternating:
    """Fails with one error after the other, and then with the first again."""

    def __init__(self, *errors: CallError) -> None:
        self._errors = errors
        self.calls = 0

    def prepare(self, request: PermitRequest) -> Call:
        return self._fail

    def _fail(self) -> PermitResponse:
        self.calls += 1
        raise self._errors[(self.calls - 1) % len(self._errors)]


def refused(decision: Decision) -> OneAnswer:
    return OneAnswer(CallError("Some.Code", "words of the service", decision, "r-9"))


def recognizer(
    client: PermitClient, clock: FakeClock, builder: PermitRequestBuilder = LOADER, **options: Any
) -> Recognizer:
    retry = CallRetry(attempts=2, max_throttled_seconds=10)
    described = RunOptions(Pace(20), call_retry=retry, **options)
    return Recognizer(builder, client, described, threading.Event(), clock=clock, sleep=clock.sleep)


def test_an_answered_image_is_recognized(clock: FakeClock) -> None:
    client = OneAnswer(PermitResponse({"Number": "08320271"}, "r-1"))
    outcome = outcome_of(recognizer(client, clock), ROW)
    assert (outcome.row, outcome.status, outcome.request_id) == (ROW, Status.RECOGNIZED, "r-1")
    assert outcome.fields["number"] == "08320271"
    assert outcome.error_code is None
    assert (outcome.answer_id, outcome.is_verdict) == (client.requests[0].call_id, True)


def test_side_and_portrait_reach_the_request(clock: FakeClock) -> None:
    client = OneAnswer(PermitResponse({}, "r-1"))
    builder = PermitRequestBuilder(max_base64_bytes=100, with_portrait=True)
    recognizer(client, clock, builder=builder).recognize(ImageRow("k", "https://x/1", CardSide.BACK))
    (sent,) = client.requests
    assert replace(sent, call_id="") == PermitRequest(CardSide.BACK, True, image_url="https://x/1")


def test_each_call_is_told_from_all_others(clock: FakeClock) -> None:
    client = OneAnswer(CallError("Some.Code", "said no", Decision.RETRY))
    outcome_of(recognizer(client, clock), ROW)
    assert len({request.call_id for request in client.requests}) == len(client.requests) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", request.call_id) for request in client.requests)


@pytest.mark.parametrize(
    ("image", "status", "code"),
    [
        (None, Status.REJECTED, "ImageMissing"),
        (b"GIF89a", Status.REJECTED, "ImageFormatUnsupported"),
        (b"\xff\xd8\xff" + b"0" * 100, Status.REJECTED, "ImageTooLarge"),
        ("/nowhere/1.png", Status.RETRY, "ImageNotFound"),
    ],
)
def test_an_image_that_cannot_be_sent_costs_no_call_and_no_turn(
    clock: FakeClock, image: str | bytes | None, status: Status, code: str
) -> None:
    client = OneAnswer(PermitResponse({}, "r-1"))
    one = recognizer(client, clock)
    outcomes = [outcome_of(one, ImageRow("k", image)) for _ in range(3)]
    assert [(outcome.status, outcome.error_code) for outcome in outcomes] == [(status, code)] * 3
    assert (one.calls, client.requests, clock.sleeps) == (0, [], [])


@pytest.mark.parametrize(
    ("decision", "status", "calls"),
    [
        (Decision.IMAGE, Status.FAILED, 1),
        (Decision.UNCLEAR, Status.RETRY, 2),
        (Decision.RETRY, Status.RETRY, 2),
        (Decision.LATER, Status.RETRY, 1),
    ],
)
def test_a_refused_image_has_its_reason(
    clock: FakeClock, decision: Decision, status: Status, calls: int
) -> None:
    one = recognizer(refused(decision), clock)
    assert outcome_of(one, ROW) == Outcome(
        ROW,
        status,
        {},
        error_code="Some.Code",
        error_message="words of the service",
        request_id="r-9",
        is_verdict=decision is Decision.IMAGE,
    )
    assert one.calls == calls


def test_what_something_on_the_way_says_of_an_image_is_no_verdict_of_the_api(clock: FakeClock) -> None:
    too_large = CallError("ServerNetworkError.TooLarge", "HTTP status 413", Decision.IMAGE)
    outcome = outcome_of(recognizer(OneAnswer(too_large), clock), ROW)
    assert (outcome.status, outcome.is_verdict) == (Status.FAILED, False)


@pytest.mark.parametrize("was_sent", [True, False])
def test_a_run_of_which_nothing_left_the_worker_does_not_count(clock: FakeClock, was_sent: bool) -> None:
    down = CallError("ClientNetworkError", "not connected", Decision.RETRY, was_sent=was_sent)
    outcome = outcome_of(recognizer(OneAnswer(down), clock), ROW)
    assert (outcome.status, outcome.counts) == (Status.RETRY, was_sent)


@pytest.mark.parametrize("is_outage", [True, False])
def test_a_run_in_which_the_images_host_is_down_does_not_count(clock: FakeClock, is_outage: bool) -> None:
    def download(url: str, most: int) -> bytes:
        raise ImageUnavailableError("ImageDownloadFailed", "no answer", is_outage=is_outage)

    client = OneAnswer(PermitResponse({}, "r-1"))
    builder = PermitRequestBuilder(max_base64_bytes=100, download=download)
    outcome = outcome_of(recognizer(client, clock, builder=builder), ROW)
    assert (outcome.status, outcome.counts, client.requests) == (Status.RETRY, not is_outage, [])


def test_an_account_fault_that_comes_and_goes_leaves_the_image_to_a_later_run(clock: FakeClock) -> None:
    account = CallError("Some.Code", "no", Decision.ACCOUNT, "r-9")
    passing = CallError("Other.Code", "no", Decision.RETRY, "r-9")
    client = Alternating(account, passing)
    outcome = outcome_of(recognizer(client, clock), ROW)
    assert (outcome.status, outcome.error_code) == (Status.RETRY, "Some.Code")
    assert (outcome.counts, outcome.is_verdict, client.calls) == (False, False, 3)


@pytest.mark.parametrize(("decision", "calls"), [(Decision.ACCOUNT, 2), (Decision.REPAIR, 3)])
def test_a_fault_of_the_account_is_no_images_fault(clock: FakeClock, decision: Decision, calls: int) -> None:
    one = recognizer(refused(decision), clock)
    with pytest.raises(AccountError, match=r"Some\.Code.*r-9.*No image was marked failed") as caught:
        outcome_of(one, ROW)
    assert (caught.value.code, caught.value.request_id, one.calls) == ("Some.Code", "r-9", calls)


def test_throttling_without_end_is_no_images_fault(clock: FakeClock) -> None:
    one = recognizer(refused(Decision.THROTTLE), clock)
    with pytest.raises(ThrottledTooLongError):
        outcome_of(one, ROW)
    assert one.throttled == one.calls


def test_once_stopped_no_call_is_made(clock: FakeClock) -> None:
    client, stop = OneAnswer(PermitResponse({}, "r-1")), threading.Event()
    stop.set()
    one = Recognizer(LOADER, client, RunOptions(Pace(20)), stop, clock=clock, sleep=clock.sleep)
    assert one.recognize(ROW) is Left.STOPPED
    assert client.requests == []
