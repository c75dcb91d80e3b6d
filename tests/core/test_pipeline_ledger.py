"""A run with a ledger: written before each call, capped, and apart from other runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from airflow_provider_permitocr.core import pipeline
from airflow_provider_permitocr.core.calls import CallIntent, CallResult, Grant
from airflow_provider_permitocr.core.errors import (
    AccountError,
    CallError,
    CapReachedError,
    Decision,
    RunStoppedError,
)
from airflow_provider_permitocr.core.models import ImageRow
from airflow_provider_permitocr.core.spending import AtCap, Spending

if TYPE_CHECKING:
    from tests.core.conftest import Bench, FakeClient, FakeSource

BUSY = CallError("InternalError", "later", Decision.RETRY, "r-busy", billed=False)
LOST = CallError("ClientConnectionLost", "no answer", Decision.RETRY, billed=None)


@dataclass
class FakeLedger:
    """A ledger in memory.

    :param cap: most calls.
    :param elsewhere: keys that another run calls for, for so many times of asking.
    :param unknown: keys over which a worker died.
    """

    cap: int = 1_000_000
    elsewhere: dict[str, int] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    intents: dict[str, CallIntent] = field(default_factory=dict)
    results: dict[str, CallResult] = field(default_factory=dict)
    prepared: int = 0
    failing: Exception | None = None

    def prepare(self) -> None:
        self.prepared += 1

    def exchange(self, intents: Sequence[CallIntent], results: Sequence[CallResult]) -> Sequence[Grant]:
        if self.failing:
            raise self.failing
        self.results |= {result.call_id: result for result in results}
        return [self._grant(intent) for intent in intents]

    def _grant(self, intent: CallIntent) -> Grant:
        key = intent.row_key[0]
        if self.elsewhere.get(key, 0) > 0:
            self.elsewhere[key] -= 1
            return Grant.CALLED_ELSEWHERE
        if key in self.unknown:
            return Grant.UNKNOWN
        if len(self.intents) >= self.cap:
            return Grant.CAPPED
        self.intents[intent.call_id] = intent
        return Grant.GRANTED

    @property
    def codes(self) -> list[str]:
        return sorted(self.results[call_id].code for call_id in self.intents if call_id in self.results)


@pytest.fixture
def ledger(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> FakeLedger:
    bench.ledger = ledger = FakeLedger()
    monkeypatch.setattr(pipeline, "_ELSEWHERE_SECONDS", 0.01)
    return ledger


def test_every_call_is_written_before_it_is_made_and_its_answer_after(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient]
) -> None:
    unwritten: list[str] = []

    def look(url: str) -> None:
        if url not in {bench.url(intent.row_key[0]) for intent in ledger.intents.values()}:
            unwritten.append(url)

    summary = bench.run(bench.images(30), new_client({bench.url(3): BUSY, bench.url(4): LOST}, before=look))
    assert ledger.prepared == 1
    assert unwritten == []
    assert ledger.codes == ["ClientConnectionLost"] * 2 + ["InternalError"] * 2 + ["OK"] * 28
    assert len(ledger.intents) == summary.calls == 32
    billed = [result.billed for result in ledger.results.values()]
    assert (billed.count(True), billed.count(False), billed.count(None)) == (28, 2, 2)
    assert summary.billed == 28
    request_ids = {row["request_id"] for row in bench.target.rows.values() if row["status"] == "recognized"}
    assert request_ids == {each.request_id for each in ledger.results.values() if each.code == "OK"}


def test_what_is_rejected_without_a_call_is_not_in_the_ledger(bench: Bench, ledger: FakeLedger) -> None:

    bench.run([ImageRow("empty", b"")])
    assert (bench.statuses, ledger.intents) == ({"empty": "rejected"}, {})


def test_at_the_cap_the_task_succeeds_and_the_rest_is_left(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient]
) -> None:
    ledger.cap = 50
    client = new_client()
    spending = Spending(price_per_call=0.02, currency="USD", max_calls=50)
    summary = bench.run(bench.images(500), client, spending=spending)
    assert len(client.asked) == len(bench.statuses) == summary.calls == 50
    assert summary.left is not None
    assert "450 images are left" in summary.left
    assert summary.cost == "1.00 USD"
    ledger.cap = 1000
    assert bench.run(bench.images(500), client, spending=spending).left is None
    assert len(client.asked) == len(set(client.asked)) == 500


def test_at_the_cap_few_images_more_are_loaded(
    bench: Bench, ledger: FakeLedger, new_source: type[FakeSource]
) -> None:
    ledger.cap = 10
    source = new_source(bench.images(5000))
    bench.run(source)
    assert source.fetched < 500


def test_at_the_cap_the_task_fails_where_that_is_asked_for(bench: Bench, ledger: FakeLedger) -> None:
    ledger.cap = 5
    with pytest.raises(CapReachedError, match="15 images are left"):
        bench.run(bench.images(20), spending=Spending(max_calls=5, at_cap=AtCap.FAIL))
    assert len(bench.statuses) == 5


def test_a_cap_that_is_just_enough_leaves_nothing(bench: Bench, ledger: FakeLedger) -> None:
    ledger.cap = 20
    summary = bench.run(bench.images(20), spending=Spending(max_calls=20, at_cap=AtCap.FAIL))
    assert (summary.left, len(bench.statuses)) == (None, 20)


def test_rows_that_another_run_calls_for_are_looked_at_again(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient]
) -> None:
    ledger.elsewhere = {"3": 1, "7": 2}
    client = new_client()
    summary = bench.run(bench.images(10), client)
    assert len(client.asked) == len(set(client.asked)) == 10
    assert set(bench.statuses.values()) == {"recognized"}
    assert (summary.skipped, len(bench.statuses)) == (0, 10)
    assert sum("another run" in line for line in bench.lines) == 2


def test_rows_that_another_run_has_recognized_meanwhile_are_counted(bench: Bench, ledger: FakeLedger) -> None:
    bench.run(bench.images(10))
    theirs = bench.target.rows.pop(("3", "FRONT"))
    ledger.elsewhere = {"3": 1}
    tell = bench.lines.info

    def finish_elsewhere(event: str) -> None:
        tell(event)
        if "another run" in event:
            bench.target.rows["3", "FRONT"] = theirs

    bench.lines.info = finish_elsewhere  # type: ignore[method-assign]
    summary = bench.run(bench.images(10))
    assert (summary.skipped, summary.elsewhere, summary.calls) == (9, 1, 0)
    assert "1 done by another run meanwhile" in str(summary)


def test_waiting_for_another_run_ends_when_the_task_is_stopped(bench: Bench, ledger: FakeLedger) -> None:
    ledger.elsewhere = {"3": 10**9}
    tell = bench.lines.info

    def stop_at_the_second_look(event: str) -> None:
        tell(event)
        if sum("another run" in line for line in bench.lines) == 2:
            bench.stop.set()

    bench.lines.info = stop_at_the_second_look  # type: ignore[method-assign]
    with pytest.raises(RunStoppedError):
        bench.run(bench.images(10))
    assert len(bench.statuses) == 9


def test_an_image_whose_call_is_not_to_be_repeated_fails_and_says_why(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient]
) -> None:
    ledger.unknown = {"3"}
    client = new_client()
    bench.run(bench.images(10), client)
    row = bench.target.rows["3", "FRONT"]
    assert (row["status"], row["error_code"]) == ("failed", "CallOutcomeUnknown")
    assert "may have been paid for" in str(row["error_message"])
    assert bench.url(3) not in client.asked


def test_calls_that_were_not_made_when_the_run_was_stopped_are_marked(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient]
) -> None:
    client = new_client(before=lambda asked: bench.stop.set() if asked == bench.url(30) else None)
    with pytest.raises(RunStoppedError):
        bench.run(bench.images(500), client, max_per_second=500)
    assert set(ledger.intents) == set(ledger.results)
    made = [each for each in ledger.results.values() if each.code != "NotSent"]
    assert len(made) == len(client.asked) == len(bench.statuses)
    assert all(each.billed is False for each in ledger.results.values() if each.code == "NotSent")


def test_answers_are_in_the_ledger_when_the_account_fails(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient]
) -> None:
    arrears = CallError("FailedOperation.ArrearsError", "pay", Decision.ACCOUNT, billed=False)
    client = new_client({bench.url(key): arrears for key in range(20, 100)})
    with pytest.raises(AccountError):
        bench.run(bench.images(100), client)
    assert ledger.codes.count("OK") == len(bench.statuses)
    assert ledger.codes.count("FailedOperation.ArrearsError") == len(client.asked) - len(bench.statuses)


def test_without_its_ledger_no_call_is_made_and_what_was_answered_is_written(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient]
) -> None:
    def break_ledger(asked: str) -> None:
        if asked == bench.url(20):
            ledger.failing = ConnectionError("the ledger is away")

    client = new_client(before=break_ledger)
    with pytest.raises(ConnectionError, match="the ledger is away"):
        bench.run(bench.images(500), client)
    assert {bench.url(key) for key in bench.statuses} == set(client.asked)
    assert len(client.asked) < 100
