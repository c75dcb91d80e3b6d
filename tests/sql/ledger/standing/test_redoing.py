"""Images are marked to be recognized anew; until there is a new answer, the old one stays in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import OK, Attempt, ClosedCall, Grant
from airflow_provider_permitocr.engine.models import ImageFacts, Previous
from airflow_provider_permitocr.options.lists.redo import Redo
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from tests.sql.ledger.ground import EACH_LEDGER
from tests.sql.ledger.processes import (
    NOON,
    LedgerTime,
    Process,
    a_run,
    answered,
    attempt,
    images_of,
    unsent,
)

EVERY = ("recognized", "rejected", "failed")
NO_CARD = "FailedOperation.NoCard"
FRONT = CardSide.FRONT


def fail(process: Process, key: str, code: str = NO_CARD) -> None:
    """Call for an image that the API then refuses for good."""
    intent = process.intent(key)
    process.open(intent)
    verdict = Attempt((key, FRONT), Status.FAILED, is_verdict=True, error_code=code)
    process.close(ClosedCall(intent.call_id, code, True, "request-1", attempt=verdict))


def reject(process: Process, key: str, code: str = "ImageTooLarge") -> None:
    """Find out without a call that an image will not do."""
    process.ledger.exchange([], [], [attempt(key, Status.REJECTED, error_code=code)])


def marked(engine: sa.Engine) -> list[str]:
    return sorted(key for key, row in images_of(engine).items() if row.attempt_status == "redo")


def redo(process: Process, **criteria: Any) -> int:
    """Mark images, after counting them."""
    wanted = Redo(**criteria)
    counted = process.ledger.count_redone(wanted)
    assert process.ledger.mark_redone(wanted) == counted
    # It may be done twice, as after an error of whose commit nothing was heard.
    assert process.ledger.mark_redone(wanted) == 0
    return counted


@pytest.fixture
def known(database: sa.Engine, time: LedgerTime) -> Process:
    """A ledger with images of each status; a second later another run has begun."""
    before = Process(database)
    before.call("recognized")
    fail(before, "failed")
    fail(before, "unread", "FailedOperation.OcrFailed")
    reject(before, "rejected")
    before.ledger.exchange([], [], [attempt("retry", Status.RETRY, error_code="ImageNotFound")])
    time.pass_seconds(1)
    return Process(database)


@pytest.mark.slow
@EACH_LEDGER
@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({"statuses": "recognized"}, ["recognized"]),
        ({"statuses": ["failed", "rejected"]}, ["failed", "rejected", "unread"]),
        ({"error_codes": NO_CARD}, ["failed"]),
        ({"error_codes": [NO_CARD, "ImageTooLarge", "ImageNotFound"]}, ["failed", "rejected"]),
        ({"statuses": "rejected", "error_codes": NO_CARD}, []),
        ({"keys": "unread, recognized, retry, no such"}, ["recognized", "unread"]),
        ({"keys": "unread, recognized", "statuses": "recognized"}, ["recognized"]),
        ({"keys": "Recognized"}, []),
        ({"before": NOON + timedelta(seconds=1)}, ["failed", "recognized", "rejected", "unread"]),
        ({"statuses": EVERY, "keys": ""}, []),
    ],
    ids=str,
)
def test_images_are_marked_that_meet_every_criterion(
    database: sa.Engine, known: Process, criteria: dict[str, Any], expected: Sequence[str]
) -> None:
    assert redo(known, **criteria) == len(expected)
    assert marked(database) == list(expected)


@pytest.mark.slow
@EACH_LEDGER
def test_more_keys_than_a_statement_takes_are_marked_once_each(database: sa.Engine, time: LedgerTime) -> None:
    process = Process(database)
    numbers = [f"{number:04}" for number in range(1_201)]
    process.ledger.exchange([], [], [attempt(key, Status.REJECTED) for key in [*numbers, "other"]])
    time.pass_seconds(1)
    assert redo(Process(database), keys=[*numbers, *numbers[:700]]) == 1_201
    assert marked(database) == numbers


@EACH_LEDGER
def test_both_sides_of_a_key_are_marked(database: sa.Engine, time: LedgerTime) -> None:
    process = Process(database)
    for side in CardSide:
        process.call("a", side=side)
    time.pass_seconds(1)
    assert redo(Process(database), keys=["a"]) == 2


@pytest.mark.slow
@EACH_LEDGER
@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (NOON, []),
        (NOON + timedelta(milliseconds=1), ["early"]),
        ("2026-01-31T20:00:00.001+08:00", ["early"]),
        (NOON + timedelta(seconds=60), ["early"]),
        (NOON + timedelta(seconds=61), ["early", "late", "twice"]),
    ],
    ids=str,
)
def test_only_images_are_marked_whose_last_call_came_before(
    database: sa.Engine, time: LedgerTime, before: datetime | str, expected: list[str]
) -> None:
    process = Process(database)
    process.call("early")
    process.call("twice", "InternalError")
    time.pass_seconds(60)
    process.call("twice")
    process.call("late")
    time.pass_seconds(60)
    assert redo(Process(database), statuses=EVERY, before=before) == len(expected)
    assert marked(database) == expected


@EACH_LEDGER
def test_calls_that_were_not_sent_do_not_count_and_those_of_unknown_outcome_do(
    database: sa.Engine, time: LedgerTime
) -> None:
    changed = NOON + timedelta(seconds=30)
    process = Process(database)
    for key in ("unsent", "open", "failed since"):
        process.call(key, updated_at=NOON)
    time.pass_seconds(60)
    intent = process.intent("unsent", updated_at=changed)
    assert process.open(intent) == [Grant.GRANTED]
    process.close(*unsent(intent))
    assert process.ask("open", updated_at=changed) == [Grant.GRANTED]
    assert process.call("failed since", "InternalError", updated_at=changed) is Grant.GRANTED
    redo(Process(database), statuses=EVERY, before=NOON + timedelta(seconds=1))
    assert marked(database) == ["unsent"]


@EACH_LEDGER
def test_an_image_that_took_a_newer_answer_of_an_identical_one_is_not_marked(
    database: sa.Engine, time: LedgerTime
) -> None:
    """It has cost no call of its own, and would cost one without need."""
    process = Process(database)
    old, new = process.intent("old"), process.intent("new")
    process.open(old)
    process.close(answered(old))
    time.pass_seconds(60)
    process.open(new)
    process.close(answered(new))
    for key, intent in (("took old", old), ("took new", new)):
        took = attempt(key, Status.RECOGNIZED, answer_id=intent.call_id, reused_from=intent.row_key[0])
        process.ledger.exchange([], [], [took])
    redo(Process(database), statuses=EVERY, before=NOON + timedelta(seconds=60))
    assert marked(database) == ["old", "took old"]


@EACH_LEDGER
def test_by_default_a_second_try_of_a_dag_run_does_not_pay_for_what_the_first_has_redone(
    database: sa.Engine, time: LedgerTime
) -> None:
    before = Process(database)
    for key in ("a", "b", "c"):
        before.call(key)
    time.pass_seconds(60)
    wanted = Redo(statuses=EVERY)
    first = Process(database, a_run("monday", map_index=0))
    assert first.ledger.mark_redone(wanted) == 3
    time.pass_seconds(1)
    assert first.call("a") is Grant.GRANTED
    time.pass_seconds(60)
    for again in (a_run("monday", map_index=0, try_number=2), a_run("monday", map_index=1)):
        second = Process(database, again)
        assert second.ledger.count_redone(wanted) == 0
        assert second.ledger.mark_redone(wanted) == 0
    assert marked(database) == ["b", "c"]
    time.pass_seconds(60)
    assert Process(database, a_run("tuesday")).ledger.mark_redone(wanted) == 1
    assert marked(database) == ["a", "b", "c"]


@EACH_LEDGER
def test_a_second_try_does_not_look_again_at_what_the_first_has_found_out_without_a_call(
    database: sa.Engine, known: Process, time: LedgerTime
) -> None:
    wanted = Redo(statuses="rejected")
    first = Process(database, a_run("monday"))
    assert first.ledger.mark_redone(wanted) == 1
    time.pass_seconds(1)
    reject(first, "rejected")
    time.pass_seconds(1)
    assert Process(database, a_run("monday", try_number=2)).ledger.mark_redone(wanted) == 0
    time.pass_seconds(1)
    assert Process(database, a_run("tuesday")).ledger.mark_redone(wanted) == 1


@EACH_LEDGER
def test_marked_images_are_called_for_once_and_their_tries_start_again(
    database: sa.Engine, known: Process, time: LedgerTime
) -> None:
    tried = attempt("failed", Status.FAILED, error_code="InternalError", tries=3)
    known.ledger.exchange([], [], [tried])
    time.pass_seconds(1)
    process = Process(database)
    redo(process, statuses=EVERY)
    keys = [(key, FRONT) for key in ("failed", "recognized")]
    before = process.ledger.previous(keys)
    assert {key: (each.status, each.tries) for key, each in before.items()} == dict.fromkeys(
        keys, (Status.REDO, 0)
    )
    assert process.call("recognized") is Grant.GRANTED
    assert process.call("recognized") is Grant.SETTLED


@EACH_LEDGER
def test_until_the_new_answer_is_there_the_old_one_stays_in_force(
    database: sa.Engine, known: Process, time: LedgerTime
) -> None:
    delivery = known.ledger.delivery("lake:permits")
    (before,) = delivery.rows_of([("recognized", FRONT)])
    redo(known, keys="recognized")
    (after,) = delivery.rows_of([("recognized", FRONT)])
    assert after == replace(
        before,
        standing=replace(before.standing, attempt_status=Status.REDO, attempt_run=None, tries=0),
    )
    intent = known.intent("recognized")
    known.open(intent)
    known.close(answered(intent, number="H2", facts=ImageFacts(digest="d" * 64)))
    (new,) = delivery.rows_of([("recognized", FRONT)])
    assert new.fields is not None
    assert (new.fields["number"], new.standing.attempt_status) == ("H2", Status.RECOGNIZED)


@EACH_LEDGER
def test_a_transient_error_leaves_an_image_to_be_redone_until_its_runs_are_used_up(
    database: sa.Engine, known: Process, time: LedgerTime
) -> None:
    redo(known, keys="recognized")
    known.ledger.exchange([], [], [attempt("recognized", Status.RETRY, error_code="Timeout")])
    row = images_of(database)["recognized"]
    assert (row.status, row.attempt_status, row.attempt_code, row.tries) == (
        "recognized",
        "redo",
        "Timeout",
        1,
    )
    previous = Process(database).ledger.previous([("recognized", FRONT)])
    assert list(previous.values()) == [Previous(Status.REDO, 1, time.now)]
    given_up = attempt("recognized", Status.FAILED, error_code="Timeout", tries=5)
    known.ledger.exchange([], [], [given_up])
    row = images_of(database)["recognized"]
    assert (row.status, row.attempt_status) == ("recognized", "failed")


@EACH_LEDGER
def test_images_of_another_list_are_not_marked(database: sa.Engine, time: LedgerTime) -> None:
    other = {"name": "other", "is_default_name": False, "source_table": "others", "targets": ()}
    Process(database, list_options=other).call("a", OK)
    time.pass_seconds(1)
    assert redo(Process(database), statuses=EVERY) == 0
