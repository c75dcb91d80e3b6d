"""A run whose ledger is down, or refuses an answer: nothing paid is lost, nothing is paid for twice."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from airflow_provider_permitocr.engine.ledger import call_ledger
from airflow_provider_permitocr.engine.ledger.calls import ClosedCall
from airflow_provider_permitocr.errors import JournalError, LedgerUnreachableError
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.permit.answers import KeptAnswer
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status

if TYPE_CHECKING:
    from tests.engine.conftest import Bench, FakeClient
    from tests.support.fake_ledger import FakeLedger

DOWN = LedgerUnreachableError("Writing into the ledger 'l' failed: OperationalError")
IMPATIENT = Batch(patience_seconds=0.1)


@pytest.fixture
def ledger(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> FakeLedger:
    monkeypatch.setattr(call_ledger, "_FIRST_WAIT_SECONDS", 0.01)
    return bench.ledger


def answered(client: FakeClient) -> set[str]:
    return {asked.rpartition("/")[2] for asked in client.asked}


def test_nothing_is_sent_while_the_ledger_is_down_and_the_run_goes_on_when_it_is_back(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    failures = 0
    sent_while_down: list[str] = []

    def look(asked: str) -> None:
        nonlocal failures
        if asked == bench.url(20) and not failures:
            failures = 1
            ledger.failing = DOWN
        elif 2 < failures < 6:
            sent_while_down.append(asked)

    def count() -> None:
        nonlocal failures
        failures += ledger.failing is not None
        if failures == 6:
            ledger.failing = None

    ledger.before_exchange = count
    client = new_client(before=look)
    bench.run(bench.images(200), client)
    assert failures == 6
    assert sent_while_down == []
    assert len(client.asked) == len(set(client.asked)) == 200
    assert set(bench.statuses.values()) == {"recognized"}
    assert bench.journal.files == {}
    assert [each.message for each in caplog.records if "OperationalError" in each.message] == [
        f"{DOWN}; no call is sent until it can be written. Retrying for up to 120 s"
    ]
    assert "The ledger can be written again" in caplog.messages


@pytest.mark.slow
def test_after_patience_the_run_fails_naming_the_journal_and_the_next_run_hands_it_in(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient]
) -> None:
    def take_down(asked: str) -> None:
        if asked == bench.url(20):
            ledger.failing = DOWN

    client = new_client(before=take_down)
    with pytest.raises(LedgerUnreachableError, match=r"OperationalError.*kept in /journal/1; the next run"):
        bench.run(bench.images(500), client, batch=IMPATIENT)
    kept = [each for each in bench.journal.files["/journal/1"] if each.attempt]
    assert "20" in {each.attempt.row_key[0] for each in kept if each.attempt}
    assert len(kept) + len(ledger.statuses) == len(client.asked)
    ledger.failing = None
    again = new_client()
    bench.run(bench.images(500), again)
    assert not answered(again) & answered(client)
    assert len(bench.statuses) == 500
    assert {row["number"] for row in bench.target.rows.values()} == {str(key) for key in range(500)}
    assert bench.journal.files == {}
    assert any(line.startswith("Recorded") and "/journal/1" in line for line in bench.lines)


def test_a_journal_whose_calls_the_ledger_does_not_know_stays_unless_they_were_not_made(
    bench: Bench, ledger: FakeLedger
) -> None:
    bench.journal.files = {
        "/journal/unsent": [ClosedCall("1" * 32, "NotSent", billed=False)],
        "/journal/unknown": [ClosedCall("2" * 32, "OK", billed=True)],
    }
    bench.run(bench.images(1))
    assert list(bench.journal.files) == ["/journal/unknown"]
    assert "Recorded 0 of 1 calls kept in /journal/unknown" in bench.lines


def test_with_neither_ledger_nor_journal_the_error_says_what_is_lost(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient], caplog: pytest.LogCaptureFixture
) -> None:
    def take_down(asked: str) -> None:
        ledger.failing = DOWN

    bench.journal.failing = JournalError("Could not write the journal /journal/1: No space left on device")
    with pytest.raises(LedgerUnreachableError, match=r"1 call could be recorded neither .*No space left"):
        bench.run(bench.images(1), new_client(before=take_down), batch=IMPATIENT)
    assert [each.message for each in caplog.records if each.message == str(bench.journal.failing)] != []


def test_an_answer_that_the_database_refuses_is_kept_paid_once_and_tried_again_by_each_run(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient], caplog: pytest.LogCaptureFixture
) -> None:
    ledger.refused_answers = {"3"}
    client = new_client()
    bench.run(bench.images(10), client)
    (refused,) = [each for each in ledger.closed.values() if each.reason]
    assert (refused.code, refused.billed, refused.answer, refused.reason) == ("OK", True, None, "too long")
    (kept,) = bench.journal.files["/journal/1-refused"]
    assert (kept.call_id, kept.answer) == (refused.call_id, KeptAnswer({"Number": "3"}))
    row = bench.target.rows["3", "FRONT"]
    assert (row["status"], row["error_code"]) == ("failed", "LedgerRefusesAnswer")
    assert sum(status == "recognized" for status in bench.statuses.values()) == 9
    assert f"cannot store the answer of call {refused.call_id} (too long)" in caplog.text

    bench.new_dag_run()
    bench.run(bench.images(10), client)
    assert len(client.asked) == 10
    assert list(bench.journal.files) == ["/journal/1-refused"]

    ledger.refused_answers = set()
    bench.new_dag_run()
    bench.run(bench.images(10), client)
    assert len(client.asked) == 10
    assert (bench.statuses["3"], bench.target.rows["3", "FRONT"]["number"]) == ("recognized", "3")
    assert bench.journal.files == {}


def test_a_late_answer_of_a_journal_does_not_replace_a_later_one(
    bench: Bench, ledger: FakeLedger, new_client: type[FakeClient]
) -> None:
    def take_down(asked: str) -> None:
        ledger.failing = DOWN

    with pytest.raises(LedgerUnreachableError):
        bench.run(
            bench.images(1),
            new_client({bench.url(0): {"Number": "old"}}, take_down),
            batch=IMPATIENT,
        )
    ledger.failing = None
    left, bench.journal.files = bench.journal.files, {}
    bench.run(bench.images(1), new_client({bench.url(0): {"Number": "new"}}))
    bench.journal.files = left
    bench.run(bench.images(1))
    assert bench.journal.files == {}
    assert ledger.standings["0", CardSide.FRONT].status is Status.RECOGNIZED
    assert bench.target.rows["0", "FRONT"]["number"] == "new"
