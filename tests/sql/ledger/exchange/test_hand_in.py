"""Answers that a journal hands in reach every row that waits for them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import CallIntent, ClosedCall
from airflow_provider_permitocr.engine.models import ImageFacts
from airflow_provider_permitocr.permit.status import Status
from tests.sql.ledger.ground import EACH_LEDGER
from tests.sql.ledger.processes import Process, answered, attempt

DIGEST = "d" * 64
FACTS = ImageFacts(digest=DIGEST)


def refuse(process: Process, intent: CallIntent) -> ClosedCall:
    """Close a call as one whose answer the database has refused; return what the journal keeps."""
    closed = answered(intent, facts=FACTS)
    process.close(replace(closed, answer=None, attempt=None, reason="DataError"))
    return closed


def take(process: Process, key: str, intent: CallIntent, digest: str = DIGEST) -> None:
    """Have an image take the answer of another, as identical images do."""
    taken = attempt(
        key,
        Status.RECOGNIZED,
        answer_id=intent.call_id,
        reused_from=intent.row_key[0],
        facts=ImageFacts(digest=digest),
    )
    process.ledger.exchange([], [], [taken])


@EACH_LEDGER
@pytest.mark.parametrize("is_closed", [True, False], ids=["refused", "open"])
def test_images_that_took_an_answer_before_it_was_written_are_delivered_with_it(
    database: sa.Engine, is_closed: bool
) -> None:
    process = Process(database)
    intent, other = process.intent("a", digest=DIGEST), process.intent("other", digest="e" * 64)
    process.open(intent, other)
    journal = [refuse(process, intent) if is_closed else answered(intent, facts=FACTS)]
    process.close(answered(other))
    for key in ("b", "c"):
        take(process, key, intent)
    take(process, "d", other, "e" * 64)
    before = list(process.ledger.delivery("lake:permits").changes(0, 100))
    assert {each.row_key[0]: each.fields is None for each in before} == {
        **{"b": True, "c": True},
        **{"d": False, "other": False},
    }
    assert list(process.ledger.hand_in(journal)) == []
    again = process.ledger.delivery("lake:permits").changes(before[-1].version, 100)
    assert {each.row_key[0]: each.fields and each.fields["number"] for each in again} == dict.fromkeys(
        "abc", "H1"
    )


@EACH_LEDGER
def test_an_image_that_has_another_answer_by_now_is_not_delivered_again(database: sa.Engine) -> None:
    process = Process(database)
    intent, newer = process.intent("a", digest=DIGEST), process.intent("newer", digest=DIGEST)
    process.open(intent)
    journal = [refuse(process, intent)]
    process.open(newer)
    process.close(answered(newer, facts=FACTS))
    take(process, "b", newer)
    version = max(each.version for each in process.ledger.delivery("lake:permits").changes(0, 100))
    process.ledger.hand_in(journal)
    assert [each.row_key[0] for each in process.ledger.delivery("lake:permits").changes(version, 100)] == [
        "a"
    ]
