"""How many images are in memory at once."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from airflow_provider_permitocr.engine.call.rate_limit import RateLimiter
from airflow_provider_permitocr.engine.models import ImageRow, PermitRequest, PermitResponse
from airflow_provider_permitocr.engine.ports import Call
from airflow_provider_permitocr.errors import CallError, Decision
from airflow_provider_permitocr.options.run import CallRetry, Pace
from airflow_provider_permitocr.permit.api import CardSide
from tests.support.row_calls import RowCalls, unanswered

if TYPE_CHECKING:
    from tests.engine.conftest import FakeClock

PACE = Pace(10)
SOON = 30
ANSWER = PermitResponse({"Number": "1"}, "r-1")

ROW = ImageRow("k1", "https://x/1.png")


def load() -> PermitRequest:
    return PermitRequest(CardSide.FRONT, image_url="https://x/1.png")


class HeldClient:
    """Answers when told to, and counts the prepared calls that are in memory."""

    def __init__(self) -> None:
        self.answer = threading.Event()
        self.sent = threading.Semaphore(0)
        self.prepared: weakref.WeakSet[HeldCall] = weakref.WeakSet()

    def prepare(self, request: PermitRequest) -> Call:
        call = HeldCall(self)
        self.prepared.add(call)
        return call


class HeldCall:
    def __init__(self, client: HeldClient) -> None:
        self._client = client

    def __call__(self) -> PermitResponse:
        self._client.sent.release()
        assert self._client.answer.wait(SOON)
        return ANSWER


def test_images_are_loaded_only_when_their_turn_is_near(clock: FakeClock) -> None:
    client = HeldClient()
    pace = Pace(10, max_in_flight=3)
    limiter = RateLimiter(pace, clock=clock, sleep=clock.sleep)
    # To its own clock, loading takes no time, so two are enough to have ready.
    paced = RowCalls(
        client, limiter, pace, CallRetry(), threading.Event(), sleep=clock.sleep, clock=lambda: 0.0
    )
    threads = [threading.Thread(target=paced.call, args=(ROW, load)) for _ in range(40)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        assert client.sent.acquire(timeout=SOON)
    assert not client.sent.acquire(timeout=0.1), "a fourth was sent with three in flight"
    assert len(client.prepared) <= 5, "three in flight, two ready to go"
    assert paced.rows_wanted == 3 + 11
    client.answer.set()
    for thread in threads:
        thread.join(SOON)
    assert (paced.calls, len(client.prepared)) == (40, 0)


def test_an_image_is_let_go_of_while_it_waits_for_another_try(clock: FakeClock) -> None:
    in_memory: list[int] = []

    class FailingCall:
        def __call__(self) -> PermitResponse:
            raise CallError("Code.RETRY", "said no", Decision.RETRY, "r-1")

    prepared: weakref.WeakSet[FailingCall] = weakref.WeakSet()

    class FailingClient:
        def prepare(self, request: PermitRequest) -> Call:
            call = FailingCall()
            prepared.add(call)
            return call

    limiter = RateLimiter(PACE, clock=clock, sleep=clock.sleep)
    paced = RowCalls(
        FailingClient(),
        limiter,
        PACE,
        CallRetry(),
        threading.Event(),
        sleep=lambda seconds: in_memory.append(len(prepared)),
    )
    unanswered(paced.call(ROW, load))
    assert in_memory == [0, 0]
