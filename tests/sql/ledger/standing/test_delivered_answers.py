"""Answers that are not to be kept go once every target has them, and no sooner."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import Attempt
from airflow_provider_permitocr.engine.ledger.deliveries import DeliveryState, Refusal
from airflow_provider_permitocr.engine.models import ImageFacts
from airflow_provider_permitocr.engine.run.window import DueFile
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.runs.pruning import prune
from airflow_provider_permitocr.sql.ledger.standing import delivered_answers
from tests.sql.ledger.ground import EACH_LEDGER, TARGET, execute, rows_of
from tests.sql.ledger.processes import SUMMARY, TABLES, LedgerTime, Process, answered

FRONT = CardSide.FRONT
FILE = DueFile("/exports/permits.csv", None, "csv")


@pytest.fixture(autouse=True)
def _at_noon(time: LedgerTime) -> None:
    """The ledger's clock passes only when told to."""


def a_process(engine: sa.Engine, keep: Any = "delivered", **special: Any) -> Process:
    return Process(engine, ledger_options={"keep_answers": keep}, **special)


def recognize(process: Process, key: str, digest: str | None = None) -> str:
    intent = process.intent(key, digest=digest)
    process.open(intent)
    process.close(answered(intent, facts=ImageFacts("JPEG", digest=digest)))
    return intent.call_id


def deliver(process: Process, target: str = TARGET, *, refused: str | None = None) -> None:
    """Note that a target has all that the ledger has, but for a key."""
    delivery = process.ledger.delivery(target)
    state = delivery.claim()
    assert state
    changed = delivery.changes(state.version, 1_000)
    if changed:
        refusals = [Refusal((refused, FRONT), "too long", has_row=False)] if refused else []
        delivery.note(DeliveryState(changed[-1].version, len(changed)), refused=refusals)
    delivery.release()


def end(process: Process, **summary: Any) -> None:
    """End a run, as a pipeline does."""
    process.ledger.close_run(SUMMARY, **summary)
    process.ledger.delete_delivered()


def kept(engine: sa.Engine) -> set[str]:
    return {row.call_id for row in rows_of(engine, TABLES.answers)}


@EACH_LEDGER
def test_answers_go_at_the_end_of_the_run_that_has_delivered_them(database: sa.Engine) -> None:
    process = a_process(database)
    recognize(process, "a")
    deliver(process)
    undelivered = recognize(process, "b")
    end(process, whole=True)
    assert kept(database) == {undelivered}
    later = a_process(database)
    deliver(later)
    end(later, whole=True)
    assert kept(database) == set()


@EACH_LEDGER
def test_without_keep_answers_all_are_kept(database: sa.Engine) -> None:
    process = a_process(database, None)
    call_id = recognize(process, "a")
    deliver(process)
    end(process, whole=True)
    assert kept(database) == {call_id}


@EACH_LEDGER
def test_a_target_that_lacks_them_keeps_them(database: sa.Engine) -> None:
    both = {"targets": (TARGET, "lake:other"), "name": "permits", "is_default_name": False}
    process = a_process(database, list_options=both)
    call_id = recognize(process, "a")
    deliver(process)
    end(process, whole=True)
    assert kept(database) == {call_id}


@EACH_LEDGER
def test_an_answer_that_a_target_has_refused_is_kept_for_its_image_and_for_those_that_took_it(
    database: sa.Engine,
) -> None:
    process = a_process(database)
    own, shared, _ = recognize(process, "a"), recognize(process, "b", "d" * 64), recognize(process, "c")
    facts = ImageFacts("JPEG", digest="d" * 64)
    taken = Attempt(("d", FRONT), Status.RECOGNIZED, facts=facts, answer_id=shared, reused_from="b")
    process.ledger.exchange([], [], [taken])
    deliver(process, refused="a")
    deliver(process, refused="d")
    delivery = process.ledger.delivery(TARGET)
    state = delivery.claim()
    assert state
    delivery.note(state, refused=[Refusal((key, FRONT), "too long", has_row=False) for key in ("a", "d")])
    end(process, whole=True)
    assert kept(database) == {own, shared}


@EACH_LEDGER
def test_an_image_that_takes_an_answer_later_keeps_it_until_it_is_delivered(database: sa.Engine) -> None:
    process = a_process(database)
    shared = recognize(process, "a", "d" * 64)
    deliver(process)
    facts = ImageFacts("JPEG", digest="d" * 64)
    taken = Attempt(("b", FRONT), Status.RECOGNIZED, facts=facts, answer_id=shared, reused_from="a")
    process.ledger.exchange([], [], [taken])
    end(process, whole=True)
    assert kept(database) == {shared}


@EACH_LEDGER
def test_another_run_that_lives_may_have_them_in_memory(database: sa.Engine, time: LedgerTime) -> None:
    other, process = a_process(database), a_process(database)
    call_id = recognize(process, "a")
    deliver(process)
    end(process, whole=True)
    assert kept(database) == {call_id}
    end(other, whole=True)
    assert kept(database) == set()


@EACH_LEDGER
def test_files_that_are_due_need_them(database: sa.Engine) -> None:
    process = a_process(database, run_options={"files": (FILE,)})
    call_id = recognize(process, "a")
    deliver(process)
    end(process, whole=False, left=1)
    assert kept(database) == {call_id}
    again = a_process(database, run=process.run, run_options={"files": (FILE,)})
    end(again, whole=True)
    assert kept(database) == set()


@EACH_LEDGER
def test_days_are_counted_from_the_answer(database: sa.Engine, time: LedgerTime) -> None:
    process = a_process(database, 30)
    recognize(process, "a")
    time.pass_seconds(timedelta(days=29).total_seconds())
    process = a_process(database, 30)
    young = recognize(process, "b")
    deliver(process)
    end(process, whole=True)
    assert len(kept(database)) == 2
    time.pass_seconds(timedelta(days=2).total_seconds())
    assert prune(database, TABLES, 90, 30).answers == 1
    assert kept(database) == {young}


@EACH_LEDGER
def test_more_answers_than_one_part_has_go_in_several(
    database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivered_answers, "_CHUNK_ROWS", 2)
    process = a_process(database)
    for number in range(5):
        recognize(process, f"k{number}")
    deliver(process)
    end(process, whole=True)
    assert kept(database) == set()


@EACH_LEDGER
def test_what_was_emptied_by_hand_changes_nothing(database: sa.Engine) -> None:
    process = a_process(database)
    recognize(process, "a")
    execute(database, "DELETE FROM permit_ocr_answers")
    deliver(process)
    end(process, whole=True)
    assert kept(database) == set()
