"""Which readings questions are about, and what the ledger keeps of their answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.engine.ledger.deliveries import Review
from airflow_provider_permitocr.engine.review.entries import Entry, read_entry
from airflow_provider_permitocr.engine.review.ports import AskedReading, Reviewed
from airflow_provider_permitocr.options.erasure import ErasureRule
from airflow_provider_permitocr.options.review import ReviewRule
from airflow_provider_permitocr.permit.answers import Reading
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.privacy import Protection
from airflow_provider_permitocr.permit.quality.examination import Examination
from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.permit.replacement import Keys, Method, pseudonym
from airflow_provider_permitocr.sql.ledger.erasure.erasing import Erasing
from airflow_provider_permitocr.sql.ledger.review.reviewing import SqlReview
from airflow_provider_permitocr.sql.ledger.runs.pruning import prune
from airflow_provider_permitocr.sql.ledger.standing.disclosure import Disclosure
from tests.sql.ledger.ground import EACH_LEDGER, TARGET, rows_of
from tests.sql.ledger.processes import TABLES, LedgerTime, Process, answered

AT = datetime(2026, 1, 31, 13, 30, tzinfo=UTC)
RIGHT, WRONG = read_entry("right", CardSide.FRONT), read_entry("wrong", CardSide.FRONT)
SECRET = "陈小明"


@pytest.fixture(autouse=True)
def _numbers_with_an_x_are_doubtful(monkeypatch: pytest.MonkeyPatch) -> None:
    def flags(_self: Any, record: Any, *_: Any, **__: Any) -> tuple[Flag, ...]:
        if (record.get("number") or "").startswith("X"):
            return (Flag.NUMBER_FORMAT, Flag.EXPIRED)
        return (Flag.EXPIRED,) if (record.get("number") or "").startswith("E") else ()

    monkeypatch.setattr(Examination, "flags", flags)


def asker(name: str = "monday", map_index: int = -1) -> RunIdentity:
    return RunIdentity("permits", "review", name, map_index)


def recognize(process: Process, *keys: str, number: str = "X1", is_doubtful: bool | None = None) -> None:
    intents = [process.intent(key) for key in keys]
    process.open(*intents)
    process.close(
        *(answered(each, number=f"{number}{each.row_key[0]}", is_doubtful=is_doubtful) for each in intents)
    )


def review(process: Process, by: RunIdentity | None = None, **rule: Any) -> SqlReview:
    return process.ledger.review(ReviewRule(**rule), by or asker())


def keys_of(asked: Any) -> list[str]:
    return [each.row_key[0] for each in asked]


def decide(question: SqlReview, asked: Any, say: Callable[[AskedReading], Any], by: str = "li") -> Reviewed:
    entries = {each.review_id: read_entry(say(each), each.row_key[1]) for each in asked}
    return question.answer(entries, decided_by=by, decided_at=AT)


def of_targets(process: Process, *keys: str) -> dict[str, Review | None]:
    found = process.ledger.delivered([(key, CardSide.FRONT) for key in keys])
    return {key: each.review for (key, _), each in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("database", ["psycopg"], indirect=True)
def test_500_doubtful_readings_are_decided_in_10_questions_and_none_is_asked_twice(
    database: sa.Engine,
) -> None:
    process = Process(database)
    recognize(process, *(f"k{number:03}" for number in range(500)))
    recognize(process, "fine", number="H")
    questions = [review(process, asker(map_index=number)) for number in range(11)]
    asked = [question.ask() for question in questions]
    assert [len(each) for each in asked] == [50] * 10 + [0]
    assert len({key for each in asked for key in keys_of(each)}) == 500
    for number, (question, some) in enumerate(zip(questions[:10], asked[:10], strict=True)):
        assert decide(question, some, lambda _: "right", by=f"person {number}").confirmed == 50
    rows = rows_of(database, TABLES.reviews)
    assert {row.decision for row in rows} == {"confirmed"}
    assert {row.decided_at for row in rows} == {AT}
    assert len({row.decided_by for row in rows}) == 10
    assert len({row.image_key for row in rows}) == len(rows) == 500
    assert review(process, asker("tuesday")).ask() == []


@EACH_LEDGER
def test_a_decision_reaches_what_targets_get_and_the_reading_stays(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, "a", "b", "c", "d")
    question = review(process)
    asked = question.ask()
    said = {"a": "right", "b": "wrong", "c": f"name={SECRET}; birthday=1986.03.02", "d": ""}
    before = process.ledger.delivered([("c", CardSide.FRONT)])["c", CardSide.FRONT]
    done = decide(question, asked, lambda each: said[each.row_key[0]])
    assert done == Reviewed(confirmed=1, rejected=1, corrected=1, open=1)
    corrections = {"name": SECRET, "birthday_raw": "1986.03.02", "birthday": "1986-03-02"}
    assert of_targets(process, *"abcd") == {
        "a": Review("confirmed", AT),
        "b": Review("rejected", AT),
        "c": Review("corrected", AT, corrections),
        "d": None,
    }
    after = process.ledger.delivered([("c", CardSide.FRONT)])["c", CardSide.FRONT]
    assert after.fields == before.fields
    assert after.version > before.version
    (row,) = [each for each in rows_of(database, TABLES.reviews) if each.image_key == "c"]
    assert row.corrections.isascii()
    assert json.loads(row.corrected_fields) == ["name", "birthday"]
    assert json.loads(row.flags) == ["number_format", "expired"]
    assert (row.decided_by, row.decided_at.replace(tzinfo=UTC)) == ("li", AT)


@EACH_LEDGER
def test_what_was_left_open_is_asked_again_and_what_waits_is_not(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, *"abcde")
    first, second = review(process, asker("monday"), rows=2), review(process, asker("tuesday"), rows=2)
    asked = first.ask()
    assert keys_of(asked) == ["a", "b"]
    assert keys_of(second.ask()) == ["c", "d"]
    assert decide(first, asked, lambda each: "right" if each.row_key[0] == "a" else None).open == 1
    assert keys_of(review(process, asker("wednesday"), rows=9).ask()) == ["b", "e"]


@EACH_LEDGER
def test_readings_of_a_question_that_nobody_will_answer_are_free_again(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, *"ab")
    review(process, asker("monday")).ask()
    later = review(process, asker("tuesday"))
    assert later.ask() == []
    assert later.others_waiting() == {asker("monday")}
    later.retire([asker("monday")])
    assert later.others_waiting() == set()
    assert keys_of(later.ask()) == ["a", "b"]


@EACH_LEDGER
def test_a_reading_that_was_replaced_while_it_was_shown_is_refused_and_comes_back(
    database: sa.Engine, time: LedgerTime
) -> None:
    process = Process(database)
    recognize(process, *"ab")
    question = review(process)
    asked = question.ask()
    time.pass_seconds(60)
    again = Process(database)
    intent = again.intent("a", updated_at=time.now)
    again.open(intent)
    again.close(answered(intent, number="X9 new"))
    assert decide(question, asked, lambda _: "right") == Reviewed(confirmed=1, changed=1)
    assert of_targets(process, *"ab") == {"a": None, "b": Review("confirmed", AT)}
    (back,) = review(process, asker("tuesday"), show=["number"]).ask()
    assert (back.row_key[0], back.shown) == ("a", {"number": "X9 new"})


@EACH_LEDGER
def test_a_newer_answer_makes_a_decided_image_undecided(database: sa.Engine, time: LedgerTime) -> None:
    process = Process(database)
    recognize(process, "a")
    question = review(process)
    decide(question, question.ask(), lambda _: "right")
    time.pass_seconds(60)
    intent = process.intent("a", updated_at=time.now)
    process.open(intent)
    process.close(answered(intent, number="X2"))
    assert of_targets(process, "a") == {"a": None}
    assert keys_of(review(process, asker("tuesday")).ask()) == ["a"]


@EACH_LEDGER
def test_entries_for_what_was_not_asked_decide_nothing(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, *"abc")
    mine, others = review(process, rows=1), review(process, asker("other"), rows=1)
    asked, foreign = mine.ask(), others.ask()
    forged: dict[str, Entry | None] = dict.fromkeys(
        ["", "a", "' OR 1=1 --", "0" * 32, foreign[0].review_id], RIGHT
    )
    forged |= {f"{number:032x}": RIGHT for number in range(5_000)}
    done = mine.answer(forged | {asked[0].review_id: WRONG}, decided_by="x", decided_at=AT)
    assert (done.rejected, done.confirmed, done.unknown) == (1, 0, len(forged))
    assert of_targets(process, *"abc") == {"a": Review("rejected", AT), "b": None, "c": None}
    assert keys_of(others.pending()) == ["b"]


@EACH_LEDGER
def test_an_answer_that_is_written_twice_counts_once(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, *"abc")
    question = review(process)
    asked = question.ask()
    said = {"a": "right", "b": "name=Li", "c": None}
    first = decide(question, asked, lambda each: said[each.row_key[0]])
    versions = [row.version for row in rows_of(database, TABLES.images)]
    assert decide(question, asked, lambda each: said[each.row_key[0]], by="another") == first
    assert [row.version for row in rows_of(database, TABLES.images)] == versions
    assert {row.decided_by for row in rows_of(database, TABLES.reviews)} == {"li", None}


@EACH_LEDGER
def test_a_task_that_is_cleared_has_the_same_question_until_it_is_answered(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, *"ab")
    question = review(process)
    asked = question.ask()
    again = review(Process(database))
    assert [each.review_id for each in again.pending()] == [each.review_id for each in asked]
    assert again.pending()[0].flags == ("number_format", "expired")
    assert not again.is_over()
    decide(again, asked, lambda _: None)
    assert (again.pending(), again.is_over()) == ([], True)


@EACH_LEDGER
def test_flags_choose_readings_and_columns_are_shown_only_if_asked_for(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, "doubtful")
    recognize(process, "expired", number="E")
    assert keys_of(review(process, asker("one"), flags=["expired"]).ask()) == ["doubtful", "expired"]
    assert review(process, asker("two")).ask() == []
    (shown,) = review(process, asker("one"), show=["number", "name"]).ask()
    assert shown.shown == {"number": "X1doubtful", "name": None}


@EACH_LEDGER
def test_a_task_that_is_cleared_shows_the_same_columns_but_none_of_a_newer_answer(
    database: sa.Engine, time: LedgerTime
) -> None:
    process = Process(database)
    recognize(process, *"ab")
    asked = review(process, show=["number"]).ask()
    time.pass_seconds(60)
    again = Process(database)
    intent = again.intent("b", updated_at=time.now)
    again.open(intent)
    again.close(answered(intent, number="X9 new"))
    shown = [each.shown for each in review(Process(database), show=["number"]).pending()]
    assert shown == [asked[0].shown, {}]


@pytest.mark.slow
@pytest.mark.parametrize("database", ["psycopg", "mariadb"], indirect=True)
def test_questions_that_are_made_at_the_same_time_share_no_reading(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, *(f"k{number:02}" for number in range(40)))
    asked: list[str] = []
    questions = [review(Process(database), asker(map_index=number), rows=10) for number in range(4)]
    threads = [
        threading.Thread(target=lambda each=each: asked.extend(keys_of(each.ask()))) for each in questions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(asked) == [f"k{number:02}" for number in range(40)]


def hidden(**methods: Method) -> Protection:
    return Protection(methods, keys=Keys(hmac=b"key"))


@EACH_LEDGER
def test_a_policy_hides_corrections_as_it_hides_readings(database: sa.Engine) -> None:
    protection = hidden(number=Method.HMAC, name=Method.MASK, birthday=Method.YEAR, sex=Method.DROP)
    disclosure = Disclosure(reading=Reading(protection=protection))
    process = Process(database, run_options={"disclosure": disclosure})
    recognize(process, "a")
    question = review(process)
    said = "number=H87654321; name=陈小明; birthday=1986.03.02; sex=女"
    assert decide(question, question.ask(), lambda _: said).corrected == 1
    (row,) = rows_of(database, TABLES.reviews)
    assert not any(
        each in str(tuple(row)) for each in ("87654321", "小明", "03-02", "03.02", "女", "\\u5973")
    )
    assert json.loads(row.corrected_fields) == ["number", "name", "birthday", "sex"]
    shown = of_targets(process, "a")["a"]
    assert shown is not None
    assert shown.corrections == {
        "number": pseudonym("H87654321", key=b"key"),
        "name": "陈**",
        "birthday_raw": "1986",
        "birthday": "1986-01-01",
    }


@EACH_LEDGER
def test_a_stricter_policy_rewrites_corrections_and_has_them_delivered(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, *"ab")
    question = review(process)
    decide(question, question.ask(), lambda each: f"name={SECRET}" if each.row_key[0] == "a" else "right")
    before = {row.image_key: row.version for row in rows_of(database, TABLES.images)}
    reading = Reading(protection=hidden(name=Method.HMAC))
    erasing = Erasing(ErasureRule(policy=True), [TARGET], "somebody", reading)
    counted = process.ledger.erasure(erasing).count()
    done = process.ledger.erasure(erasing).erase(threading.Event())
    assert counted.images == done.images == 2  # their answers are rewritten, too
    rows = {row.image_key: row for row in rows_of(database, TABLES.reviews)}
    assert SECRET not in str(rows["a"].corrections.encode().decode("unicode_escape"))
    assert json.loads(rows["a"].corrections)["name"] == pseudonym(SECRET, key=b"key")
    assert {row.image_key: row.version > before[row.image_key] for row in rows_of(database, TABLES.images)}[
        "a"
    ]
    assert process.ledger.erasure(erasing).erase(threading.Event()).images == 0


@EACH_LEDGER
def test_a_stricter_policy_leaves_nothing_of_doubts(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, "a")
    decided = review(process)
    decide(decided, decided.ask(), lambda _: "right")
    with database.begin() as connection:
        connection.execute(sa.update(TABLES.images).values(is_doubtful=1))
    reading = Reading(protection=hidden(quality_flags=Method.DROP))
    erasing = Erasing(ErasureRule(policy=True), [TARGET], "somebody", reading)
    process.ledger.erasure(erasing).erase(threading.Event())
    assert [row.is_doubtful for row in rows_of(database, TABLES.images)] == [None]
    assert [row.flags for row in rows_of(database, TABLES.reviews)] == [None]
    assert process.ledger.erasure(erasing).erase(threading.Event()).images == 0


@EACH_LEDGER
@pytest.mark.parametrize("is_waiting", [False, True], ids=["decided", "while it waits"])
def test_an_erasure_leaves_nothing_of_a_review(database: sa.Engine, is_waiting: bool) -> None:
    process = Process(database)
    recognize(process, *"ab")
    question = review(process)
    asked = question.ask()
    if not is_waiting:
        decide(question, asked, lambda each: f"name={SECRET} {each.row_key[0]}")
    erasing = Erasing(ErasureRule(keys=["a"]), [TARGET], "somebody")
    process.ledger.erasure(erasing).erase(threading.Event())
    assert {row.image_key for row in rows_of(database, TABLES.reviews)} == {"b"}
    late = decide(question, asked, lambda each: f"name={SECRET} {each.row_key[0]}")
    assert late == Reviewed(corrected=1, unknown=1)
    rows = rows_of(database, TABLES.reviews)
    assert "a" not in {row.image_key for row in rows}
    assert json.dumps(f"{SECRET} a")[1:-1] not in str([tuple(row) for row in rows])
    assert of_targets(process, "a") == {"a": None}


@EACH_LEDGER
def test_pruning_keeps_decisions_about_answers_in_force(database: sa.Engine, time: LedgerTime) -> None:
    process = Process(database)
    recognize(process, *"abc")
    question = review(process)
    decide(question, question.ask(), lambda each: "right" if each.row_key[0] != "c" else None)
    time.pass_seconds(60)
    intent = process.intent("b", updated_at=time.now)
    process.open(intent)
    process.close(answered(intent, number="X2"))
    assert prune(database, TABLES, 30).reviews == 0
    time.set(time.now + timedelta(days=31))
    assert prune(database, TABLES, 30).reviews == 2
    assert [row.image_key for row in rows_of(database, TABLES.reviews)] == ["a"]


@EACH_LEDGER
def test_a_reading_whose_answer_is_gone_is_not_asked_about(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, "gone")
    with database.begin() as connection:
        connection.execute(sa.delete(TABLES.answers))
    assert review(process).ask() == []


@EACH_LEDGER
@pytest.mark.parametrize("flags", [None, ["number_format"]], ids=["doubtful", "by a flag of doubt"])
def test_answers_that_raised_no_doubt_are_not_read_to_find_those_that_did(
    database: sa.Engine, flags: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Process(database)
    recognize(process, *(f"good{number}" for number in range(20)), number="H1", is_doubtful=False)
    recognize(process, "doubtful", is_doubtful=True)
    recognize(process, "unexamined")
    recognize(process, "unexamined and good", number="H1")
    examined, flags_of = [], Examination.flags

    def counted(self: Examination, record: Any, *given: Any, **named: Any) -> tuple[Flag, ...]:
        examined.append(record["number"])
        return flags_of(self, record, *given, **named)

    monkeypatch.setattr(Examination, "flags", counted)
    assert keys_of(review(process, flags=flags).ask()) == ["doubtful", "unexamined"]
    assert len(examined) == 3


@EACH_LEDGER
def test_a_flag_that_is_no_doubt_is_found_in_answers_without_one(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, "a", number="E1", is_doubtful=False)
    assert keys_of(review(process, flags=["expired"]).ask()) == ["a"]
    assert not review(process, asker("tuesday")).ask()


@EACH_LEDGER
def test_what_a_newer_version_doubts_is_asked_about_once_answers_are_examined_again(
    database: sa.Engine,
) -> None:
    process = Process(database)
    recognize(process, "doubtful since", is_doubtful=False)
    recognize(process, "good since", number="H1", is_doubtful=True)
    recognize(process, "as before", number="H1", is_doubtful=False)
    versions = [row.version for row in rows_of(database, TABLES.images)]
    assert not review(process).ask()
    assert process.ledger.examine_again() == 2
    assert process.ledger.examine_again() == 0
    assert [row.version for row in rows_of(database, TABLES.images)] == versions
    assert keys_of(review(process).ask()) == ["doubtful since"]


@EACH_LEDGER
def test_decisions_about_keys_that_differ_in_case_alone_are_kept_apart(database: sa.Engine) -> None:
    process = Process(database)
    recognize(process, "h1", "H1")
    question = review(process)
    asked = question.ask()
    assert sorted(keys_of(asked)) == ["H1", "h1"]
    decide(question, asked, lambda each: {"h1": "right", "H1": "wrong"}[each.row_key[0]])
    assert of_targets(process, "h1", "H1") == {"h1": Review("confirmed", AT), "H1": Review("rejected", AT)}
