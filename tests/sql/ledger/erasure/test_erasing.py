"""What an erasure leaves of images in a ledger, and what it keeps from coming back."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.erasure.ports import ErasedImages
from airflow_provider_permitocr.engine.ledger.calls import Attempt, Grant
from airflow_provider_permitocr.engine.models import ImageFacts
from airflow_provider_permitocr.errors import RunStoppedError, TargetError
from airflow_provider_permitocr.options.erasure import ErasureRule
from airflow_provider_permitocr.options.lists.redo import Redo
from airflow_provider_permitocr.permit.answers import KeptAnswer, Reading
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.privacy import Protection
from airflow_provider_permitocr.permit.replacement import Method
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.erasure import erasing as erasing_module
from airflow_provider_permitocr.sql.ledger.erasure import pages
from airflow_provider_permitocr.sql.ledger.erasure.erasing import Erasing, SqlErasure
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from tests.sql.ledger.ground import EACH_LEDGER, TARGET, rows_of
from tests.sql.ledger.processes import NOON, TABLES, LedgerTime, Process, answered, attempt, images_of

FRONT = CardSide.FRONT
#: What a person is known by in these tests.
SECRET = "H66554433"
DIGEST, OTHER_DIGEST = "a" * 64, "b" * 64


@dataclass
class Removed:
    """Stored portraits that were removed."""

    profiles: list[str] = field(default_factory=list)

    def remove(self, profiles: Collection[str]) -> int:
        self.profiles += sorted(profiles)
        return len(profiles)


def erasure(process: Process, portraits: Removed | None = None, **rule: Any) -> SqlErasure:
    protection = rule.pop("protection", Protection())
    erasing = Erasing(ErasureRule(**rule), [TARGET], "somebody", Reading(protection=protection), portraits)
    return process.ledger.erasure(erasing)


def erase(process: Process, portraits: Removed | None = None, **rule: Any) -> ErasedImages:
    """Erase, after counting; both say the same."""
    job = erasure(process, portraits, **rule)
    counted = job.count()
    done = job.erase(threading.Event())
    job.end("done")
    assert counted == replace(done, portraits=0)
    return done


def recognize(process: Process, key: str, digest: str | None = None, **special: Any) -> str:
    """Call for an image that shows a person; return the call's id."""
    intent = process.intent(key, digest=digest, updated_at=special.pop("updated_at", None))
    assert process.open(intent) == [Grant.GRANTED]
    facts = ImageFacts("JPEG", 123_456, digest=digest)
    carried = {"customer": f"customer {SECRET}"}
    closed = answered(intent, number=SECRET, facts=facts, carried=carried, **special)
    process.close(replace(closed, request_id=f"request of {SECRET}"))
    return intent.call_id


def everything(engine: sa.Engine) -> str:
    return "\n".join(str(tuple(row)) for table in TABLES for row in rows_of(engine, table))


def sums(engine: sa.Engine) -> Any:
    """What the ledger says of calls, bills and cost."""
    calls = [(row.code, row.billed, row.unit_price, row.intended_at) for row in rows_of(engine, TABLES.calls)]
    return sorted(calls, key=str), [tuple(row) for row in rows_of(engine, TABLES.counters)]


@EACH_LEDGER
def test_nothing_of_an_erased_image_is_left_but_its_key_and_the_sums(
    database: sa.Engine, time: LedgerTime
) -> None:
    process = Process(database)
    recognize(process, "a", DIGEST)
    recognize(process, "b", OTHER_DIGEST)
    before = sums(database)
    time.pass_seconds(60)
    assert erase(process, keys=["a", "unknown"]) == ErasedImages(images=1, answers=1, unknown_keys=1)
    erased, other = images_of(database)["a"], images_of(database)["b"]
    assert (erased.status, erased.attempt_status) == ("erased", "erased")
    assert (other.status, other.answer_id is not None) == ("recognized", True)
    gone = ("error_message", "request_id", "answer_id", "carried", "image_digest", "image_bytes", "run")
    assert [getattr(erased, name) for name in gone] == [None] * len(gone)
    assert erase(process, keys=["b"]).images == 1
    assert SECRET not in everything(database)
    assert DIGEST not in everything(database)
    assert sums(database) == before


@EACH_LEDGER
def test_an_erased_image_is_settled_until_it_changes_or_redo_names_it(
    database: sa.Engine, time: LedgerTime
) -> None:
    process = Process(database)
    for key in ("changed", "named"):
        recognize(process, key, updated_at=NOON)
    erase(process, keys=["changed", "named"])
    time.pass_seconds(60)
    later = Process(database)
    assert later.ask("changed", "named", updated_at=NOON) == [Grant.SETTLED] * 2
    assert later.ledger.mark_redone(Redo(before=NOON + timedelta(days=1))) == 0
    assert later.ledger.mark_redone(Redo(keys=["named"])) == 1
    assert later.ask("named", updated_at=NOON) == [Grant.GRANTED]
    assert later.ask("changed", updated_at=NOON + timedelta(seconds=1)) == [Grant.GRANTED]


@EACH_LEDGER
def test_the_same_picture_under_another_key_is_erased_with_it(database: sa.Engine) -> None:
    process = Process(database)
    call_id = recognize(process, "a", DIGEST)
    recognize(process, "paid again", DIGEST)
    facts = ImageFacts("JPEG", digest=DIGEST)
    taken = Attempt(("taker", FRONT), Status.RECOGNIZED, facts=facts, answer_id=call_id, reused_from="a")
    process.ledger.exchange([], [], [taken])
    recognize(process, "other", OTHER_DIGEST)
    assert erase(process, keys=["taker"]) == ErasedImages(images=3, identical=2, answers=2)
    assert {key: row.status for key, row in images_of(database).items()} == {
        **dict.fromkeys(("a", "paid again", "taker"), "erased"),
        "other": "recognized",
    }


@EACH_LEDGER
def test_what_is_old_goes_and_an_answer_that_a_younger_image_has_taken_stays(
    database: sa.Engine, time: LedgerTime
) -> None:
    process = Process(database)
    call_id = recognize(process, "old", DIGEST)
    time.pass_seconds(timedelta(days=20).total_seconds())
    facts = ImageFacts("JPEG", digest=DIGEST)
    taken = Attempt(("young", FRONT), Status.RECOGNIZED, facts=facts, answer_id=call_id, reused_from="old")
    process.ledger.exchange([], [], [taken])
    time.pass_seconds(timedelta(days=11).total_seconds())
    assert erase(process, older_than_days=30) == ErasedImages(images=1, answers=0)
    assert images_of(database)["young"].status == "recognized"
    (found,) = process.ledger.delivered([("young", FRONT)]).values()
    assert found.fields is not None
    assert found.fields["number"] == SECRET
    time.pass_seconds(timedelta(days=20).total_seconds())
    assert erase(process, older_than_days=30) == ErasedImages(images=1, answers=1)
    assert SECRET not in everything(database)


@EACH_LEDGER
@pytest.mark.parametrize("code", ["OK", "FailedOperation.NoCard"])
def test_a_call_that_was_in_flight_brings_nothing_back(database: sa.Engine, code: str) -> None:
    process = Process(database)
    intent = process.intent("a", digest=DIGEST)
    process.open(intent)
    erase(Process(database), keys=["a"])
    facts = ImageFacts("JPEG", digest=DIGEST)
    closed = answered(intent, number=SECRET, facts=facts, carried={"customer": SECRET})
    if code != "OK":
        assert closed.attempt
        verdict = replace(closed.attempt, status=Status.FAILED, error_code=code, error_message=SECRET)
        closed = replace(closed, code=code, answer=None, attempt=verdict)
    process.close(closed)
    image, (call,) = images_of(database)["a"], rows_of(database, TABLES.calls)
    assert (image.status, image.held_by) == ("erased", None)
    assert (call.code, call.billed, call.attempt) == (code, 1, None)
    assert SECRET not in everything(database)
    assert DIGEST not in everything(database)


@EACH_LEDGER
def test_a_journal_that_is_handed_in_later_brings_nothing_back(database: sa.Engine) -> None:
    process = Process(database)
    intent = process.intent("a", digest=DIGEST)
    process.open(intent)
    erase(Process(database), keys=["a"])
    assert Process(database).ledger.hand_in([answered(intent, number=SECRET)]) == []
    assert images_of(database)["a"].status == "erased"
    assert (rows_of(database, TABLES.calls)[0].code, rows_of(database, TABLES.answers)) == ("OK", [])


@EACH_LEDGER
def test_what_a_run_finds_out_that_listed_the_image_before_brings_nothing_back(database: sa.Engine) -> None:
    process = Process(database)
    process.ledger.exchange([], [], [attempt("a", Status.RETRY, error_code="ImageNotFound")])
    erase(Process(database), keys=["a"])
    process.ledger.exchange([], [], [attempt("a", Status.REJECTED, carried={"customer": SECRET})])
    assert images_of(database)["a"].status == "erased"
    assert SECRET not in everything(database)


@EACH_LEDGER
def test_an_image_that_takes_an_erased_answer_from_memory_is_called_for_by_the_next_run(
    database: sa.Engine,
) -> None:
    process = Process(database)
    call_id = recognize(process, "a", DIGEST)
    erase(Process(database), keys=["a"])
    facts = ImageFacts("JPEG", digest=DIGEST)
    taken = Attempt(("b", FRONT), Status.RECOGNIZED, facts=facts, answer_id=call_id, reused_from="a")
    process.ledger.exchange([], [], [taken])
    image = images_of(database)["b"]
    assert (image.status, image.error_code, image.answer_id) == ("retry", "AnswerErased", None)
    assert Process(database).ask("b") == [Grant.GRANTED]


@EACH_LEDGER
def test_an_erasure_that_dies_half_way_can_be_repeated(
    database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing_module, "PAGE_IMAGES", 2)
    monkeypatch.setattr(pages, "PAGE_IMAGES", 2)
    process = Process(database)
    keys = [f"k{number}" for number in range(5)]
    for key in keys:
        recognize(process, key)
    stop = threading.Event()

    real = process.ledger.erasure(Erasing(ErasureRule(keys=keys), [TARGET], "somebody"))
    erase_page, asked = real._erase_page, []

    def dying(opened: OpenList, **arguments: Any) -> Any:
        asked.append(1)
        done = erase_page(opened, **arguments)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(real, "_erase_page", dying)
    with pytest.raises(KeyboardInterrupt):
        real.erase(stop)
    assert sum(row.status == "erased" for row in images_of(database).values()) == 2
    assert erase(process, keys=keys) == ErasedImages(images=3, answers=3, erased_before=2)
    assert SECRET not in everything(database)
    first, second = sorted(rows_of(database, TABLES.erasures), key=lambda row: str(row.ended_at))
    assert {first.ended_at is None, second.ended_at is None} == {True, False}


@EACH_LEDGER
def test_it_stops_between_pages_when_asked_to(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, "a")
    stop = threading.Event()
    stop.set()
    with pytest.raises(RunStoppedError, match="run it again"):
        erasure(process, keys=["a"]).erase(stop)
    assert images_of(database)["a"].status == "recognized"


@EACH_LEDGER
def test_the_record_says_who_and_how_many_and_no_key(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, "a person's name")
    erase(process, keys=["a person's name"])
    (record,) = rows_of(database, TABLES.erasures)
    assert (record.rule, record.erased_by, record.images, record.answers) == ("1 key", "somebody", 1, 1)
    assert record.keys_digest == ErasureRule(keys=["a person's name"]).keys_digest
    assert (record.outcome, record.ended_at is not None) == ("done", True)
    assert "name" not in str(tuple(record))


@EACH_LEDGER
def test_stored_portraits_are_removed_before_what_leads_to_them(database: sa.Engine) -> None:
    process = Process(database)
    intent = process.intent("a")
    process.open(intent)
    closed = answered(intent)
    process.close(replace(closed, answer=KeptAnswer({"Profile": "s3://portraits/1.jpg"})))
    portraits = Removed()
    assert erase(process, portraits, keys=["a"]).portraits == 1
    assert portraits.profiles == ["s3://portraits/1.jpg"]


@EACH_LEDGER
def test_a_portrait_that_cannot_be_removed_keeps_its_answer(database: sa.Engine) -> None:
    process = Process(database)
    intent = process.intent("a")
    process.open(intent)
    process.close(replace(answered(intent), answer=KeptAnswer({"Profile": "s3://portraits/1.jpg"})))

    class Unreachable(Removed):
        def remove(self, profiles: Collection[str]) -> int:
            raise TargetError("the store cannot be reached")

    with pytest.raises(TargetError):
        erasure(process, Unreachable(), keys=["a"]).erase(threading.Event())
    assert images_of(database)["a"].status == "recognized"


@EACH_LEDGER
def test_a_stricter_policy_rewrites_answers_and_copied_columns_in_place(database: sa.Engine) -> None:
    process = Process(database)
    call_id = recognize(process, "a", DIGEST)
    facts = ImageFacts("JPEG", digest=DIGEST)
    taken = Attempt(("b", FRONT), Status.RECOGNIZED, facts=facts, answer_id=call_id, reused_from="a")
    process.ledger.exchange([], [], [taken])
    policy = Protection({"number": Method.DROP}, {"customer": Method.DROP})
    before = {key: row.version for key, row in images_of(database).items()}
    assert erase(process, policy=True, protection=policy) == ErasedImages(images=2, answers=1)
    assert f"number {SECRET}" not in everything(database)
    assert all(row.version > before[key] for key, row in images_of(database).items())
    found = process.ledger.delivered([("a", FRONT), ("b", FRONT)])
    assert [each.fields and each.fields["number"] for each in found.values()] == [None, None]
    assert erase(process, policy=True, protection=policy) == ErasedImages()


def kinds(database: sa.Engine) -> set[str | None]:
    with database.connect() as connection:
        return set(connection.execute(sa.select(TABLES.calls.c.permit_kind)).scalars())


@EACH_LEDGER
def test_calls_forget_the_kind_of_what_is_erased_or_hidden(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, "a", DIGEST, kind="台湾居民来往大陆通行证")
    assert kinds(database) == {"taiwan"}
    erase(process, policy=True, protection=Protection({"number": Method.DROP}))
    assert kinds(database) == {"taiwan"}
    erase(process, policy=True, protection=Protection({"type": Method.DROP}))
    assert kinds(database) == {None}
    recognize(process, "b", kind="台湾居民来往大陆通行证")
    assert "taiwan" in kinds(database)
    erase(process, keys=["b"])
    assert kinds(database) == {None}


@EACH_LEDGER
def test_a_policy_names_how_many_answers_are_gone(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, "a")
    with database.begin() as connection:
        connection.execute(sa.delete(TABLES.answers))
    policy = Protection({"number": Method.DROP})
    assert erase(process, policy=True, protection=policy) == ErasedImages(unreadable=1)


def test_a_rule_is_exactly_one_of_three() -> None:
    for wrong in ({}, {"keys": ["a"], "older_than_days": 1}, {"policy": True, "keys": []}):
        with pytest.raises(ValueError, match="by one of: keys, older_than_days, policy"):
            ErasureRule(**wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        ErasureRule(keys="a,b")


def test_a_rule_shows_no_key() -> None:
    assert "person" not in f"{ErasureRule(keys=['a person'])!r} {ErasureRule(keys=['a person'])}"
