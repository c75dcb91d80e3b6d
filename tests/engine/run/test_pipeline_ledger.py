"""A run and its ledger: written before each call, capped, and apart from other runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from airflow_provider_permitocr.engine.call import retries
from airflow_provider_permitocr.engine.ledger import call_ledger
from airflow_provider_permitocr.engine.models import ImageRow, Previous, RowKey
from airflow_provider_permitocr.engine.run import list_run
from airflow_provider_permitocr.errors import (
    AccountError,
    CallError,
    CapReachedError,
    Decision,
    FencedError,
    LedgerError,
    RunStoppedError,
    TargetError,
)
from airflow_provider_permitocr.options.budget import Budget, OnExhausted
from airflow_provider_permitocr.permit.api import CardSide

if TYPE_CHECKING:
    from tests.engine.conftest import Bench, FakeClient, FakeFile, FakeSource, FakeTarget
    from tests.support.fake_ledger import FakeLedger

BUSY = CallError("InternalError", "later", Decision.RETRY, "r-busy", billed=False)
LOST = CallError("ClientConnectionLost", "no answer", Decision.RETRY, billed=None)


@pytest.fixture
def ledger(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> FakeLedger:
    monkeypatch.setattr(list_run, "_ELSEWHERE_SECONDS", 0.01)
    return bench.ledger


def answered(client: FakeClient) -> set[str]:
    return {asked.rpartition("/")[2] for asked in client.asked}


def test_every_call_is_written_before_it_is_made_and_its_answer_after(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient]
) -> None:
    unwritten: list[str] = []

    def look(url: str) -> None:
        if url not in {bench.url(intent.row_key[0]) for intent in list(ledger.intents.values())}:
            unwritten.append(url)

    summary = bench.run(bench.images(30), new_client({bench.url(3): BUSY, bench.url(4): LOST}, before=look))
    assert ledger.prepared == 1
    assert unwritten == []
    assert ledger.codes == ["ClientConnectionLost"] * 2 + ["InternalError"] * 2 + ["OK"] * 28
    assert len(ledger.intents) == summary.calls == 32
    billed = [closed.billed for closed in ledger.closed.values()]
    assert (billed.count(True), billed.count(False), billed.count(None)) == (28, 2, 2)
    assert summary.billed == 28
    request_ids = {row["request_id"] for row in bench.target.rows.values() if row["status"] == "recognized"}
    assert request_ids == {each.request_id for each in ledger.closed.values() if each.code == "OK"}


def test_what_is_rejected_without_a_call_is_no_call_in_the_ledger(bench: Bench, ledger: FakeLedger) -> None:
    bench.run([ImageRow("empty", b"")])
    assert (bench.statuses, ledger.intents) == ({"empty": "rejected"}, {})


@pytest.mark.slow
def test_at_the_cap_the_task_succeeds_and_the_rest_is_left(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient], new_file: type[FakeFile]
) -> None:
    ledger.cap = 50
    bench.file = new_file()
    client = new_client()
    budget = Budget(price_per_call=0.02, currency="USD", max_calls=50)
    summary = bench.run(bench.images(500), client, budget=budget)
    assert len(client.asked) == len(bench.statuses) == summary.calls == 50
    assert (summary.left, summary.cap and summary.cap.name) == (450, "max_calls")
    assert (summary.cost, summary.currency) == (Decimal("1.00"), "USD")
    assert bench.file.rows is None
    ledger.cap = 1000
    assert bench.run(bench.images(500), client, budget=budget).cap is None
    assert len(client.asked) == len(set(client.asked)) == 500
    assert [whole for _, whole in ledger.ended] == [False, True]
    assert bench.file.rows is not None
    assert len(bench.file.rows) == 500


def test_at_the_cap_few_images_more_are_loaded(
    bench: Bench, ledger: FakeLedger, new_source: type[FakeSource]
) -> None:
    ledger.cap = 10
    source = new_source(bench.images(5000))
    bench.run(source, budget=Budget(max_calls=10))
    assert source.fetched < 500


def test_at_the_cap_the_task_fails_where_that_is_asked_for(bench: Bench, ledger: FakeLedger) -> None:
    ledger.cap = 5
    with pytest.raises(CapReachedError, match="15 images are left"):
        bench.run(bench.images(20), budget=Budget(max_calls=5, on_exhausted=OnExhausted.FAIL))
    assert len(bench.statuses) == 5


def test_a_cap_that_is_just_enough_leaves_nothing(bench: Bench, ledger: FakeLedger) -> None:
    ledger.cap = 20
    summary = bench.run(bench.images(20), budget=Budget(max_calls=20, on_exhausted=OnExhausted.FAIL))
    assert (summary.left, summary.cap, len(bench.statuses)) == (0, None, 20)


def test_a_run_says_that_it_lives_while_its_table_takes_long_to_prepare(
    bench: Bench, ledger: FakeLedger, new_target: type[FakeTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise another run takes over its window after two minutes, and deletes what it still needs."""
    monkeypatch.setattr(call_ledger, "_ALIVE_SECONDS", 0.05)
    is_alive = threading.Event()
    monkeypatch.setattr(ledger, "keep_alive", is_alive.set)

    class LockedTarget(new_target):  # type: ignore[valid-type,misc]
        def prepare(self, *_: object) -> None:
            assert is_alive.wait(10)
            raise TargetError("the table is locked")

    bench.target = LockedTarget()
    with pytest.raises(TargetError, match="locked"):
        bench.run(bench.images(3))
    assert "permitocr-ledger" not in {thread.name for thread in threading.enumerate()}


def test_images_that_another_run_holds_are_looked_at_again_and_no_others(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient], new_source: type[FakeSource]
) -> None:
    ledger.held_keys = {"3": 1, "7": 4}
    client, source = new_client(), new_source(bench.images(100))
    asked: list[str] = []
    previous = ledger.previous

    def note(row_keys: Sequence[RowKey]) -> Mapping[RowKey, Previous]:
        asked.extend(key for key, _ in row_keys)
        return previous(row_keys)

    ledger.previous = note  # type: ignore[method-assign]
    summary = bench.run(source, client)
    assert len(client.asked) == len(set(client.asked)) == 100
    assert set(bench.statuses.values()) == {"recognized"}
    assert (summary.skipped, summary.elsewhere, len(bench.statuses)) == (0, 0, 100)
    assert source.read == 100
    assert set(asked[100:]) == {"3", "7"}
    assert any("1 image is held by another run's calls" in line for line in bench.lines)


def test_images_that_another_run_has_recognized_meanwhile_are_counted(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient]
) -> None:
    bench.run(bench.images(10))
    theirs = ledger.standings.pop(("3", CardSide.FRONT))
    ledger.held_keys = {"3": 2}
    tell = bench.lines.info

    def finish_elsewhere(event: str) -> None:
        tell(event)
        if "another run" in event:
            ledger.standings["3", CardSide.FRONT] = theirs

    bench.lines.info = finish_elsewhere  # type: ignore[method-assign]
    client = new_client()
    summary = bench.run(bench.images(10), client)
    assert client.asked == []
    assert (summary.skipped, summary.elsewhere, summary.calls) == (9, 1, 0)
    assert "1 done by another run meanwhile" in str(summary)


def test_an_image_that_was_settled_since_it_was_looked_up_is_counted_and_not_called(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient]
) -> None:
    bench.run(bench.images(10))
    ledger.previous = lambda row_keys: {}  # type: ignore[method-assign]
    client = new_client()
    summary = bench.run(bench.images(10), client)
    assert (client.asked, summary.elsewhere) == ([], 10)


def test_waiting_for_another_run_ends_when_the_task_is_stopped(bench: Bench, ledger: FakeLedger) -> None:
    ledger.held_keys = {"3": 10**9}
    tell = bench.lines.info

    def stop_while_it_waits(event: str) -> None:
        tell(event)
        if "another run" in event:
            bench.stop.set()

    bench.lines.info = stop_while_it_waits  # type: ignore[method-assign]
    with pytest.raises(RunStoppedError):
        bench.run(bench.images(10))
    assert len(ledger.statuses) == 9


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


def test_one_intent_that_is_refused_among_others_is_rejected_alone(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient]
) -> None:
    ledger.refused = {"3"}
    client = new_client()
    summary = bench.run(bench.images(50), client)
    assert summary.error_codes == {"LedgerRefusesKey": 1}
    assert summary.statuses == {"recognized": 49, "rejected": 1}
    assert "3" not in ledger.statuses
    assert bench.url(3) not in client.asked


def test_a_ledger_that_refuses_every_intent_stops_the_run_and_settles_nothing(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient]
) -> None:
    ledger.refused = {"*"}
    client = new_client()
    with pytest.raises(LedgerError, match="trigger or constraint"):
        bench.run(bench.images(500), client, max_per_second=5)
    assert (client.asked, ledger.statuses) == ([], {})
    ledger.refused = set()
    bench.run(bench.images(5), client)
    assert len(client.asked) == 5


def test_a_newer_try_of_the_task_fences_this_one_and_its_answers_are_taken(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient]
) -> None:
    def begin_a_newer_try(asked: str) -> None:
        if asked == bench.url(20):
            ledger.fenced = True

    client = new_client(before=begin_a_newer_try)
    with pytest.raises(FencedError, match="A newer try of this task has started, so this one stopped"):
        bench.run(bench.images(500), client, max_in_flight=1)
    assert set(ledger.statuses) == answered(client)
    assert len(client.asked) < 200
    assert bench.journal.files == {}


def test_calls_that_were_not_made_when_the_run_was_stopped_are_marked(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient]
) -> None:
    client = new_client(before=lambda asked: bench.stop.set() if asked == bench.url(30) else None)
    with pytest.raises(RunStoppedError):
        bench.run(bench.images(500), client, max_per_second=500)
    assert set(ledger.intents) == set(ledger.closed)
    made = [each for each in ledger.closed.values() if each.code != "NotSent"]
    assert len(made) == len(client.asked) == len(ledger.statuses)
    assert all(each.billed is False for each in ledger.closed.values() if each.code == "NotSent")


def test_answers_are_in_the_ledger_when_the_account_fails(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "_ACCOUNT_WAITS", (0.0, 0.0))
    arrears = CallError("FailedOperation.ArrearsError", "pay", Decision.ACCOUNT, billed=False)
    client = new_client({bench.url(key): arrears for key in range(20, 100)})
    with pytest.raises(AccountError):
        bench.run(bench.images(100), client)
    assert set(ledger.statuses) == {key for key in answered(client) if int(key) < 20}
    assert ledger.codes.count("OK") == len(ledger.statuses)
    assert ledger.codes.count("FailedOperation.ArrearsError") == len(client.asked) - len(ledger.statuses)
