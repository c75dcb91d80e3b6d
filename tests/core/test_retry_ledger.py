"""An intent that waits long for its turn: others must not take it for that of a dead worker."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.call_ledger import CallLedger
from airflow_provider_permitocr.core.calls import NOT_SENT, OK, CallIntent, CallResult, Grant
from airflow_provider_permitocr.core.models import PermitRequest, PermitResponse
from airflow_provider_permitocr.core.options import CallRetry, Pace
from airflow_provider_permitocr.core.ports import Call
from airflow_provider_permitocr.core.rate_limit import RateLimiter
from airflow_provider_permitocr.core.retry import PacedCaller

if TYPE_CHECKING:
    from tests.core.conftest import FakeClock

ANSWER = PermitResponse({"Number": "1"}, "r-1")


class FakeTable:
    def __init__(self) -> None:
        self.intended: list[str] = []
        self.codes: dict[str, str] = {}

    def prepare(self) -> None: ...

    def exchange(self, intents: Sequence[CallIntent], results: Sequence[CallResult]) -> Sequence[Grant]:
        self.intended += [intent.call_id for intent in intents]
        self.codes |= {result.call_id: result.code for result in results}
        return [Grant.GRANTED] * len(intents)


class SlowClient:
    """Sends what it prepared last, and remembers which calls were sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def prepare(self, request: PermitRequest) -> Call:
        def send() -> PermitResponse:
            self.sent.append(request.call_id)
            return ANSWER

        return send


@pytest.mark.parametrize(("per_second", "intents"), [(0.06, 1), (0.04, 2)])
def test_intent_is_written_anew_after_a_long_wait_and_its_turn_is_used(
    clock: FakeClock, per_second: float, intents: int
) -> None:
    pace, table, client = Pace(per_second), FakeTable(), SlowClient()
    limiter = RateLimiter(pace, clock=clock, sleep=clock.sleep)
    ledger = CallLedger(table, sleep=lambda _: None)
    paced = PacedCaller(
        client, limiter, pace, CallRetry(), threading.Event(), ledger=ledger, clock=clock, sleep=clock.sleep
    )
    request = PermitRequest(CardSide.FRONT, image_url="https://x/1.png")
    paced.call(("first", CardSide.FRONT), lambda: request)
    started_at = clock()
    assert paced.call(("second", CardSide.FRONT), lambda: request) is ANSWER
    ledger.flush()
    assert len(table.intended) == 1 + intents
    assert client.sent == [table.intended[0], table.intended[-1]]
    assert [table.codes[call_id] for call_id in table.intended] == [OK, *[NOT_SENT] * (intents - 1), OK]
    assert clock() - started_at < 1.1 / (per_second * 0.98)
