"""A history has each recognition of an image once, however late and however often it is delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import Attempt, CallIntent, ClosedCall
from airflow_provider_permitocr.engine.ledger.deliveries import Delivered
from airflow_provider_permitocr.engine.models import ImageFacts, RowKey
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.standing import standings
from tests.sql.ledger.ground import EACH_LEDGER, TARGET
from tests.sql.ledger.histories import day, history, in_chunks, rows_of
from tests.sql.ledger.processes import NOON, TABLES, LedgerTime, Process, a_run, answered, attempt

FRONT, BACK = CardSide.FRONT, CardSide.BACK
FACTS = ImageFacts("JPEG", 1234, "converted from HEIC", "d" * 64)


def told(delivered: Sequence[Delivered]) -> list[tuple[str, str | None, Any]]:
    """Return key, status, and number or error code of each row, in order of time."""
    rows = sorted(rows_of(delivered).items(), key=lambda row: (row[0][2], row[0][0]))
    return [
        (
            key,
            each.standing.status and each.standing.status.value,
            each.fields["number"] if each.fields else each.standing.error_code,
        )
        for (key, _, _), each in rows
    ]


def recognize(
    process: Process,
    key: str,
    number: str,
    *,
    side: CardSide = FRONT,
    updated_at: datetime | None = None,
    **special: Any,
) -> CallIntent:
    """Call for an image, and answer with a number."""
    intent = process.intent(key, side=side, updated_at=updated_at)
    process.open(intent)
    process.close(answered(intent, number=number, **({"facts": FACTS} | special)))
    return intent


def refuse(
    process: Process, key: str, *, updated_at: datetime | None = None, code: str = "NoCard"
) -> Attempt:
    """Call for an image that the API refuses for good; return what the run then notes of it."""
    intent = process.intent(key, updated_at=updated_at)
    process.open(intent)
    verdict = Attempt(
        (key, FRONT),
        Status.FAILED,
        is_verdict=True,
        updated_at=updated_at,
        error_code=code,
        error_message="no card is in the image",
        request_id="request-1",
        facts=FACTS,
    )
    process.close(ClosedCall(intent.call_id, code, True, "request-1", attempt=verdict))
    return verdict


@pytest.mark.slow
@EACH_LEDGER
def test_two_recognitions_while_the_target_was_away_are_two_rows(
    database: sa.Engine, time: LedgerTime
) -> None:
    monday, tuesday = Process(database, a_run("monday")), Process(database, a_run("tuesday"))
    recognize(monday, "a", "H1", updated_at=day(0))
    time.pass_seconds(60)
    recognize(tuesday, "a", "H2", updated_at=day(1))
    first, second = rows_of(in_chunks(history(tuesday))).values()
    assert (first.fields and first.fields["number"], second.fields and second.fields["number"]) == (
        "H1",
        "H2",
    )
    assert (first.standing.processed_at, second.standing.processed_at) == (NOON, NOON + timedelta(seconds=60))
    assert (first.standing.run, second.standing.run) == ("dag/task/monday", "dag/task/tuesday")
    assert (first.standing.updated_at, second.standing.updated_at) == (day(0), day(1))
    assert first.version < second.version
    (current,) = tuesday.ledger.delivery(TARGET).changes(0, 9)
    assert current == replace(second, first_version=current.first_version)


@pytest.mark.slow
@EACH_LEDGER
def test_a_recognition_says_as_much_once_there_is_a_newer_one(database: sa.Engine, time: LedgerTime) -> None:
    process = Process(database)
    intent = process.intent("a", digest=FACTS.digest)
    process.open(intent)
    process.close(answered(intent, facts=FACTS, tries=2))
    (before,) = in_chunks(history(process))
    time.pass_seconds(60)
    recognize(Process(database), "a", "H2", updated_at=day(1))
    after, _ = sorted(in_chunks(history(process)), key=lambda each: each.version)
    assert after == before


@EACH_LEDGER
def test_verdicts_are_rows_and_so_is_what_came_without_a_call(database: sa.Engine, time: LedgerTime) -> None:
    process = Process(database)
    noted = refuse(process, "refused")
    time.pass_seconds(1)
    process.ledger.exchange([], [], [noted])
    process.ledger.exchange([], [], [attempt("rejected", Status.REJECTED, error_code="ImageTooLarge")])
    process.call("given up", "InternalError")
    process.ledger.exchange([], [], [attempt("given up", Status.RETRY, error_code="InternalError")])
    process.ask("under way")
    assert told(in_chunks(history(process))) == [
        ("refused", "failed", "NoCard"),
        ("given up", "retry", "InternalError"),
        ("rejected", "rejected", "ImageTooLarge"),
    ]


@pytest.mark.slow
@EACH_LEDGER
def test_a_verdict_stays_a_row_where_it_does_not_replace_the_answer(
    database: sa.Engine, time: LedgerTime
) -> None:
    process = Process(database)
    recognize(process, "a", "H1", updated_at=day(0))
    time.pass_seconds(60)
    process.ledger.exchange([], [], [attempt("a", Status.RETRY, error_code="ImageNotFound")])
    time.pass_seconds(60)
    process.ledger.exchange([], [], [refuse(process, "a")])
    time.pass_seconds(60)
    refuse(process, "a", updated_at=day(1), code="OcrFailed")
    rows = rows_of(in_chunks(history(process)))
    assert told(list(rows.values())) == [
        ("a", "recognized", "H1"),
        ("a", "failed", "NoCard"),
        ("a", "failed", "OcrFailed"),
    ]
    refused = rows["a", FRONT, NOON + timedelta(seconds=120)].standing
    assert (refused.error_message, refused.request_id) == ("no card is in the image", "request-1")
    assert (refused.facts, refused.attempt_status) == (replace(FACTS, digest=None), Status.FAILED)


@pytest.mark.slow
@EACH_LEDGER
def test_repeated_delivery_brings_the_same_rows(database: sa.Engine, time: LedgerTime) -> None:
    process = Process(database)
    recognize(process, "a", "H1", updated_at=day(0))
    refuse(process, "b")
    time.pass_seconds(60)
    recognize(process, "a", "H2", updated_at=day(1))
    process.ledger.exchange([], [], [attempt("c", Status.REJECTED)])
    all_at_once = in_chunks(history(process))
    assert in_chunks(history(process)) == all_at_once
    assert rows_of(in_chunks(history(process), 1)) == rows_of(all_at_once)
    keys: list[RowKey] = [(key, FRONT) for key in ("a", "b", "c")]
    assert rows_of(history(process).rows_of(keys)) == rows_of(all_at_once)


@pytest.mark.slow
@EACH_LEDGER
def test_a_chunk_is_as_large_as_asked_for_however_much_there_is(
    database: sa.Engine, time: LedgerTime
) -> None:
    process = Process(database)
    for number in range(5):
        recognize(process, "a", f"H{number}", updated_at=day(number))
        time.pass_seconds(1)
    some = history(process).changes(0, 2)
    assert [each.fields and each.fields["number"] for each in some] == ["H0", "H1"]
    assert len(in_chunks(history(process), 2)) == 5


@pytest.mark.slow
@EACH_LEDGER
def test_rows_of_an_image_are_all_its_recognitions_and_no_others(
    database: sa.Engine, time: LedgerTime
) -> None:
    process = Process(database)
    other = {"name": "other", "is_default_name": False, "source_table": "others", "targets": ()}
    recognize(Process(database, list_options=other), "a", "other list")
    for number in (1, 2):
        time.pass_seconds(60)
        recognize(process, "a", f"front {number}", updated_at=day(number))
        recognize(process, "a", f"back {number}", side=BACK, updated_at=day(number))
        recognize(process, "b", f"b {number}", updated_at=day(number))
    found = history(process).rows_of([("a", BACK), ("no such", FRONT)])
    assert [each.fields and each.fields["number"] for each in found] == ["back 1", "back 2"]
    assert len(in_chunks(history(process))) == 6


@pytest.mark.slow
@EACH_LEDGER
def test_answers_that_a_journal_hands_in_together_are_of_different_times(
    database: sa.Engine, time: LedgerTime
) -> None:
    lost = Process(database)
    intents = []
    for number in range(3):
        intents.append(lost.intent("a", updated_at=day(number)))
        assert lost.open(intents[-1]) == ["granted"]
    closed = [answered(intent, number=f"H{number}") for number, intent in enumerate(intents)]
    process = Process(database)
    assert process.ledger.hand_in([*closed, *closed]) == []
    found = in_chunks(history(process))
    assert told(found) == [("a", "recognized", f"H{number}") for number in range(3)]
    assert process.ledger.hand_in(closed) == []
    assert in_chunks(history(process)) == found


@pytest.mark.slow
@EACH_LEDGER
def test_copied_columns_are_those_of_the_last_attempt(database: sa.Engine, time: LedgerTime) -> None:
    process = Process(database)
    recognize(process, "a", "H1", updated_at=day(0), carried={"branch": "north"})
    time.pass_seconds(60)
    recognize(process, "a", "H2", updated_at=day(1), carried={"branch": "south"})
    process.ledger.exchange([], [], [attempt("a", Status.RETRY, carried={"branch": "west", "weight": 0.5})])
    carried = [each.standing.carried for each in in_chunks(history(process))]
    assert carried == [{"branch": "west", "weight": 0.5}] * 2


@pytest.mark.slow
@EACH_LEDGER
def test_an_answer_that_was_erased_leaves_its_row(database: sa.Engine, time: LedgerTime) -> None:
    process = Process(database)
    first = recognize(process, "a", "H1", updated_at=day(0))
    time.pass_seconds(60)
    recognize(process, "a", "H2", updated_at=day(1))
    with database.begin() as connection:
        connection.execute(sa.delete(TABLES.answers).where(TABLES.answers.c.call_id == first.call_id))
    assert [each.fields and each.fields["number"] for each in in_chunks(history(process))] == [None, "H2"]


@EACH_LEDGER
def test_what_is_written_while_a_delivery_reads_waits_for_the_next(
    database: sa.Engine, time: LedgerTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Process(database)
    intent = process.intent("called")
    process.open(intent)
    read_images = standings.changes

    def read_and_exchange(*given: Any) -> list[Delivered]:
        images = read_images(*given)
        monkeypatch.setattr(standings, "changes", read_images)
        rejected = attempt("rejected", Status.REJECTED, error_code="ImageTooLarge")
        process.ledger.exchange([], [answered(intent)], [rejected])
        return images

    monkeypatch.setattr(standings, "changes", read_and_exchange)
    delivered = history(process).changes(0, 500)
    after = max((each.version for each in delivered), default=0)
    assert told([*delivered, *in_chunks(history(process), after=after)]) == [
        ("called", "recognized", "H1"),
        ("rejected", "rejected", "ImageTooLarge"),
    ]
