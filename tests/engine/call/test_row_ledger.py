"""What is written into the ledger before, for and after a call, and what is not sent while it cannot be."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_permitocr.engine.call.rate_limit import RateLimiter
from airflow_provider_permitocr.engine.ledger.calls import NOT_SENT, OK, Attempt, CallIntent, Grant
from airflow_provider_permitocr.engine.models import (
    ImageFacts,
    ImageRow,
    Left,
    Outcome,
    PermitRequest,
    PermitResponse,
)
from airflow_provider_permitocr.engine.ports import Call
from airflow_provider_permitocr.errors import (
    CallError,
    Decision,
)
from airflow_provider_permitocr.options.run import CallRetry, Pace
from airflow_provider_permitocr.permit.answers import KeptAnswer
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from tests.support.row_calls import RowCalls, is_answered, unanswered

if TYPE_CHECKING:
    from tests.engine.conftest import FakeClock

ANSWER = PermitResponse({"Number": "1"}, "r-1")
FACTS = ImageFacts("JPEG", 100, digest="d")
REQUEST = PermitRequest(CardSide.FRONT, image_url="https://x/1.png", facts=FACTS)
ROW = ImageRow("k1", "https://x/1.png", updated_at=datetime(2026, 1, 31, tzinfo=UTC), tries=2)
BUSY = CallError("Busy", "later", Decision.RETRY, "r-busy", billed=False)


@dataclass
class Closed:
    code: str
    billed: bool | None
    request_id: str | None = None
    answer: KeptAnswer | None = None
    attempt: Attempt | None = None


@dataclass
class FakeLedger:
    """Grants every call, or says what it is told to; ``await_reachable`` does what it is told to."""

    grant: Grant = Grant.GRANTED
    await_reachable: Callable[[], bool] = lambda: False
    cap: Grant | None = None
    intents: list[CallIntent] = field(default_factory=list)
    closed: dict[str, Closed] = field(default_factory=dict)

    def open(self, intent: CallIntent) -> Grant:
        if self.grant is Grant.GRANTED:
            self.intents.append(intent)
        return self.grant

    def close(self, call_id: str, code: str, **closed: Any) -> None:
        assert call_id not in self.closed
        self.closed[call_id] = Closed(code, **closed)

    @property
    def codes(self) -> list[str]:
        """What became of each intended call, in the order of intents."""
        return [self.closed[intent.call_id].code for intent in self.intents]


class Client:
    """Sends what it prepared, and remembers which calls were sent and when."""

    def __init__(self, clock: FakeClock, *script: CallError) -> None:
        self._clock, self._script = clock, list(script)
        self.sent: list[str] = []
        self.sent_at: list[float] = []

    def prepare(self, request: PermitRequest) -> Call:
        def send() -> PermitResponse:
            self.sent.append(request.call_id)
            self.sent_at.append(self._clock())
            if self._script:
                raise self._script.pop(0)
            return ANSWER

        return send


@pytest.fixture
def ledger() -> FakeLedger:
    return FakeLedger()


def caller(
    client: Client,
    ledger: FakeLedger,
    clock: FakeClock,
    per_second: float = 10,
    stop: threading.Event | None = None,
) -> RowCalls:
    pace = Pace(per_second)
    return RowCalls(
        client,
        RateLimiter(pace, clock=clock, sleep=clock.sleep),
        pace,
        CallRetry(base_seconds=0),
        stop or threading.Event(),
        ledger=ledger,
        clock=clock,
        sleep=clock.sleep,
    )


def test_an_answer_is_closed_together_with_what_it_means_for_its_image(
    clock: FakeClock, ledger: FakeLedger
) -> None:
    answer = caller(Client(clock), ledger, clock).call(ROW, lambda: REQUEST)
    (intent,) = ledger.intents
    assert isinstance(answer, Outcome)
    assert answer.answer_id == intent.call_id
    assert intent == CallIntent(intent.call_id, ROW.row_key, ROW.updated_at, "d")
    attempt = Attempt(
        ROW.row_key,
        Status.RECOGNIZED,
        tries=3,
        is_verdict=True,
        updated_at=ROW.updated_at,
        facts=FACTS,
        is_doubtful=True,  # it lacks fields that each card has
    )
    assert ledger.closed == {intent.call_id: Closed(OK, True, "r-1", KeptAnswer(ANSWER.fields), attempt)}


def test_a_refusal_of_the_image_is_closed_together_with_what_it_means_for_it(
    clock: FakeClock, ledger: FakeLedger
) -> None:
    """It may be billed, and is then not to be paid for again, whatever becomes of this process."""
    empty = CallError("FailedOperation.EmptyImageError", "nothing on it", Decision.IMAGE, "r-2", billed=True)
    assert "EmptyImageError" in (
        unanswered(caller(Client(clock, empty), ledger, clock).call(ROW, lambda: REQUEST)).error_code or ""
    )
    (closed,) = ledger.closed.values()
    assert (closed.code, closed.billed) == ("FailedOperation.EmptyImageError", True)
    assert closed.attempt == Attempt(
        ROW.row_key,
        Status.FAILED,
        tries=3,
        is_verdict=True,
        updated_at=ROW.updated_at,
        error_code="FailedOperation.EmptyImageError",
        error_message="nothing on it",
        request_id="r-2",
        facts=FACTS,
    )


def test_a_call_without_an_answer_is_closed_and_says_nothing_yet_of_its_image(
    clock: FakeClock, ledger: FakeLedger
) -> None:
    caller(Client(clock, BUSY), ledger, clock).call(ROW, lambda: REQUEST)
    assert ledger.codes == ["Busy", OK]
    assert ledger.closed[ledger.intents[0].call_id] == Closed("Busy", False, "r-busy")


def test_what_the_ledger_does_not_grant_is_not_sent(clock: FakeClock, ledger: FakeLedger) -> None:
    ledger.grant = Grant.HELD
    client = Client(clock)
    assert caller(client, ledger, clock).call(ROW, lambda: REQUEST) is Left.HELD
    assert (client.sent, ledger.closed) == ([], {})


def test_once_capped_no_image_is_loaded(clock: FakeClock, ledger: FakeLedger) -> None:
    def load() -> PermitRequest:
        raise AssertionError("loaded")

    ledger.cap = Grant.CAPPED
    assert caller(Client(clock), ledger, clock).call(ROW, load) is Left.CAPPED


@pytest.mark.parametrize(("per_second", "intents"), [(0.06, 1), (0.04, 2)])
def test_intent_is_written_again_after_a_long_wait_and_its_turn_is_used(
    clock: FakeClock, ledger: FakeLedger, per_second: float, intents: int
) -> None:
    client = Client(clock)
    paced = caller(client, ledger, clock, per_second)
    paced.call(ROW, lambda: REQUEST)
    started_at = clock()
    assert is_answered(paced.call(ROW, lambda: REQUEST), ANSWER)
    assert client.sent == [ledger.intents[0].call_id, ledger.intents[-1].call_id]
    assert ledger.codes == [OK, *[NOT_SENT] * (intents - 1), OK]
    assert clock() - started_at < 1.1 / (per_second * 0.98)


def outage_until(ends_at: float, clock: FakeClock) -> Callable[[], bool]:
    """Wait for the end of an outage, and tell whether there was one."""

    def await_reachable() -> bool:
        left = ends_at - clock()
        clock.sleep(max(0.0, left))
        return left > 0

    return await_reachable


@pytest.mark.parametrize(("outage_seconds", "codes"), [(15.0, [OK]), (60.0, [NOT_SENT, OK])])
def test_while_the_ledger_cannot_be_reached_what_it_has_granted_is_not_sent(
    clock: FakeClock, ledger: FakeLedger, outage_seconds: float, codes: list[str]
) -> None:
    ends_at = clock() + outage_seconds
    ledger.await_reachable = outage_until(ends_at, clock)
    client = Client(clock)
    assert is_answered(caller(client, ledger, clock).call(ROW, lambda: REQUEST), ANSWER)
    assert client.sent_at[0] >= ends_at
    assert (client.sent, ledger.codes) == ([ledger.intents[-1].call_id], codes)


@pytest.mark.parametrize("outage_seconds", [0.5, 10.0])
def test_after_an_outage_calls_are_spaced_as_ever(
    clock: FakeClock, ledger: FakeLedger, outage_seconds: float
) -> None:
    all_wait, is_over = threading.Barrier(3), threading.Event()

    def await_reachable() -> bool:
        if is_over.is_set():
            return False
        all_wait.wait(30)
        assert is_over.wait(30)
        return True

    ledger.await_reachable = await_reachable
    client = Client(clock)
    paced = caller(client, ledger, clock)
    threads = [threading.Thread(target=paced.call, args=(ROW, lambda: REQUEST)) for _ in range(2)]
    for thread in threads:
        thread.start()
    all_wait.wait(30)
    clock.sleep(outage_seconds)
    is_over.set()
    for thread in threads:
        thread.join(30)
    sent_at = sorted(client.sent_at)
    assert len(sent_at) == 2
    assert sent_at[1] - sent_at[0] > 0.9 / 10


def test_an_intent_that_is_written_again_after_an_outage_is_written_before_its_turn(
    clock: FakeClock, ledger: FakeLedger
) -> None:
    """A ledger that is back is slow: calls whose turns passed while it wrote would be sent at once."""
    ends_at = clock() + 60.0
    ledger.await_reachable = outage_until(ends_at, clock)
    write, writing_seconds = ledger.open, iter([0.0, 1.0, 0.0])

    def write_slowly(intent: CallIntent) -> Grant:
        clock.sleep(next(writing_seconds))
        return write(intent)

    ledger.open = write_slowly  # type: ignore[method-assign]
    client = Client(clock)
    paced = caller(client, ledger, clock)
    for _ in range(2):
        assert is_answered(paced.call(ROW, lambda: REQUEST), ANSWER)
    assert ledger.codes == [NOT_SENT, OK, OK]
    first, second = client.sent_at
    assert second - first > 0.9 / 10


def test_a_run_that_is_stopped_while_the_ledger_cannot_be_reached_sends_nothing(
    clock: FakeClock, ledger: FakeLedger
) -> None:
    stop = threading.Event()

    def await_reachable() -> bool:
        stop.set()
        return True

    ledger.await_reachable = await_reachable
    client = Client(clock)
    assert caller(client, ledger, clock, stop=stop).call(ROW, lambda: REQUEST) is Left.STOPPED
    assert (client.sent, ledger.codes) == ([], [NOT_SENT])


def test_an_image_whose_time_is_up_before_its_turn_leaves_no_intent_open(
    clock: FakeClock, ledger: FakeLedger
) -> None:
    client = Client(clock, BUSY)
    outages = iter([0.0, 400.0])

    def await_reachable() -> bool:
        seconds = next(outages, 0.0)
        clock.sleep(seconds)
        return seconds > 0

    ledger.await_reachable = await_reachable
    assert "Busy" in (unanswered(caller(client, ledger, clock).call(ROW, lambda: REQUEST)).error_code or "")
    assert ledger.codes == ["Busy", NOT_SENT]
