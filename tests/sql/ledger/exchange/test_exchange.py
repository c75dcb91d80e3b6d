"""What an exchange writes of calls, answers and images, on every database."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import (
    OK,
    Attempt,
    CallIntent,
    ClosedCall,
    Grant,
    RunIdentity,
)
from airflow_provider_permitocr.engine.models import ImageFacts
from airflow_provider_permitocr.errors import LedgerError
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.permit.answers import KeptAnswer
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.source.times import as_utc
from tests.sql.ledger.ground import EACH_LEDGER, execute
from tests.sql.ledger.processes import (
    HOLD_SECONDS,
    NOON,
    TABLES,
    LedgerTime,
    Process,
    answered,
    attempt,
    calls_of,
    counted,
    images_of,
    pass_the_hold,
    unsent,
)


def test_call_is_in_the_ledger_before_it_is_made_and_its_answer_after(
    database: sa.Engine, time: LedgerTime
) -> None:
    run = RunIdentity("permits", "recognize", "scheduled__2026-01-31", 3, 2)
    process = Process(database, run, Budget(price_per_call=0.02, currency="USD"), account="100012345")
    intent = CallIntent("a" * 32, ("image 1", CardSide.BACK), None, "d" * 64)
    assert process.open(intent) == [Grant.GRANTED]
    (row,) = calls_of(database)
    assert (row.call_id, row.image_key, row.card_side, row.image_digest) == (
        *("a" * 32, "image 1", "BACK", "d" * 64),
    )
    assert as_utc(row.intended_at) == NOON
    assert as_utc(row.held_until) == NOON + timedelta(seconds=HOLD_SECONDS)
    assert (row.answered_at, row.request_id, row.code, row.billed) == (None, None, None, None)
    assert (row.account, row.dag_id, row.task_id, row.run_id, row.map_index, row.task_try) == (
        *("100012345", "permits", "recognize", "scheduled__2026-01-31", 3, 2),
    )
    assert (row.unit_price, row.currency) == ("0.02", "USD")
    time.pass_seconds(1.5)
    process.close(answered(intent, number="08320271"))
    (row,) = calls_of(database)
    assert (row.request_id, row.code, row.billed, row.reason) == ("request-1", "OK", 1, None)
    assert as_utc(row.answered_at) == time.now
    with database.connect() as connection:
        (answer,) = connection.execute(sa.select(TABLES.answers)).all()
    assert (answer.call_id, answer.form, json.loads(answer.answer)) == ("a" * 32, 1, {"Number": "08320271"})
    image = images_of(database)["image 1"]
    assert (image.status, image.answer_id, image.held_by) == ("recognized", "a" * 32, None)


@pytest.mark.slow
def test_answer_reads_back_as_it_came_whatever_the_encoding(database: sa.Engine) -> None:
    process = Process(database)
    intent = process.intent("a")
    process.open(intent)
    facts = ImageFacts("JPEG", 12345, "converted from HEIC", "d" * 64)
    given = {"Name": "李\U00020bb7\x00", "EnglishName": "O'NEIL, \\\"", "MainlandTravelPermitBackInfos": None}
    made = Attempt(intent.row_key, Status.RECOGNIZED, facts=facts, carried={"note": "ß\ud800", "n": 1.5})
    process.close(ClosedCall(intent.call_id, OK, True, "r", KeptAnswer(given), made))
    (delivered,) = process.ledger.delivery("lake:permits").changes(0, 500)
    assert delivered.fields is not None
    assert delivered.fields["name"] == "李\U00020bb7�"
    assert delivered.fields["english_name"] == "O'NEIL, \\\""
    assert delivered.standing.facts == facts
    assert delivered.standing.carried == {"note": "ß\ud800", "n": 1.5}
    assert delivered.standing.request_id == "r"


def test_sum_of_billed_counts_what_is_paid_for(database: sa.Engine) -> None:
    process = Process(database)
    for key, billed in (("a", True), ("b", False), ("c", None), ("d", True)):
        process.call(key, "FailedOperation.X", billed=billed)
    with database.connect() as connection:
        assert connection.exec_driver_sql("SELECT sum(billed) FROM permit_ocr_calls").scalar_one() == 2


def test_closed_calls_attempts_and_intents_share_an_exchange(database: sa.Engine) -> None:
    process = Process(database)
    first = process.intent("a")
    process.open(first)
    exchanged = process.ledger.exchange(
        [process.intent("b"), process.intent("c")],
        [answered(first)],
        [attempt("d", Status.REJECTED, error_code="ImageEmpty")],
    )
    assert exchanged.grants == (Grant.GRANTED, Grant.GRANTED)
    assert [(row.image_key, row.code) for row in calls_of(database)] == [("a", OK), ("b", None), ("c", None)]
    images = images_of(database)
    assert images["a"].version == images["d"].version
    assert (images["b"].version, images["d"].status, images["d"].attempt_code) == (
        *(None, "rejected", "ImageEmpty"),
    )


def test_statements_under_the_lock_are_four_at_most(database: sa.Engine) -> None:
    process = Process(database, budget=Budget(max_calls=1000))
    first = [process.intent(f"a{number}") for number in range(5)]
    process.open(*first)
    seen: list[str] = []
    listening: Any = lambda *args: seen.append(args[2])  # noqa: E731
    sa.event.listen(database, "before_cursor_execute", listening)
    process.ledger.exchange(
        [process.intent(f"b{number}") for number in range(5)], [answered(each) for each in first], []
    )
    sa.event.remove(database, "before_cursor_execute", listening)
    locked = next(number for number, each in enumerate(seen) if each.startswith("UPDATE"))
    assert len(seen[locked + 1 :]) == 4, seen


def test_call_that_the_ledger_does_not_know_does_no_harm(database: sa.Engine) -> None:
    process = Process(database)
    process.close(ClosedCall("e" * 32, OK, True), *unsent(process.intent("a")))
    assert calls_of(database) == []
    assert counted(database, "run") == {}


def test_keys_that_differ_in_case_or_blanks_are_different_images(database: sa.Engine) -> None:
    first, second = Process(database), Process(database)
    assert first.ask("a") == [Grant.GRANTED]
    assert second.ask("A", "a ", "a") == [Grant.GRANTED, Grant.GRANTED, Grant.HELD]


def test_other_side_of_an_image_is_another_call(database: sa.Engine) -> None:
    Process(database).ask("a")
    assert Process(database).ask("a", side=CardSide.BACK) == [Grant.GRANTED]


def test_second_ledger_in_a_schema_of_its_own(postgres_engine: sa.Engine) -> None:
    execute(postgres_engine, "CREATE SCHEMA billing")
    process = Process(postgres_engine, name="billing.ocr")
    assert process.call("a") is Grant.GRANTED
    assert len(calls_of(postgres_engine, "billing.ocr")) == 1
    assert list(counted(postgres_engine, "day", "billing.ocr").values()) == [1]


def test_service_text_that_a_database_would_refuse_is_stored_without_it(database: sa.Engine) -> None:
    process = Process(database)
    intent = process.intent("a")
    process.open(intent)
    process.close(ClosedCall(intent.call_id, "Odd\x00Code\ud800" + "x" * 999, None, "\x00"))
    (row,) = calls_of(database)
    assert row.code.startswith("Odd�Code�x")
    assert row.answered_at


@EACH_LEDGER
def test_answer_that_the_database_refuses_closes_its_call_and_holds_nobody_up(database: sa.Engine) -> None:
    process = Process(database)
    text = "char_length(answer)" if database.dialect.name != "sqlite" else "length(answer)"
    if database.dialect.name == "sqlite":
        execute(
            database,
            "CREATE TRIGGER small BEFORE INSERT ON permit_ocr_answers WHEN length(NEW.answer) > 100"
            " BEGIN SELECT RAISE(ABORT, 'too long'); END",
        )
    else:
        execute(database, f"ALTER TABLE permit_ocr_answers ADD CONSTRAINT small CHECK ({text} <= 100)")
    intents = [process.intent(key) for key in "abc"]
    process.open(*intents)
    numbers = ["H1", "H" * 200, "H3"]
    closed = [answered(each, number=number) for each, number in zip(intents, numbers, strict=True)]
    (refused,) = process.close(*closed)
    assert (refused.call_id, refused.answer) == (intents[1].call_id, KeptAnswer({"Number": "H" * 200}))
    assert [(row.image_key, row.code, row.billed, row.reason is None) for row in calls_of(database)] == [
        *(("a", "OK", 1, True), ("b", "OK", 1, False), ("c", "OK", 1, True)),
    ]
    images = images_of(database)
    assert {key: images[key].status for key in "abc"} == {"a": "recognized", "b": None, "c": "recognized"}
    assert images["b"].held_by is None
    if database.dialect.name == "sqlite":
        execute(database, "DROP TRIGGER small")
    else:
        execute(database, "ALTER TABLE permit_ocr_answers DROP CONSTRAINT small")
    assert list(process.ledger.hand_in([refused])) == []
    assert images_of(database)["b"].status == "recognized"


@EACH_LEDGER
def test_ledger_that_refuses_everything_says_so(database: sa.Engine) -> None:
    process = Process(database)
    intent = process.intent("a")
    process.open(intent)
    if database.dialect.name == "sqlite":
        execute(
            database,
            "CREATE TRIGGER never BEFORE UPDATE ON permit_ocr_calls BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
    elif database.dialect.name == "postgresql":
        execute(database, "ALTER TABLE permit_ocr_calls ADD CONSTRAINT never CHECK (code IS NULL)")
    else:
        execute(database, "ALTER TABLE permit_ocr_calls ADD CONSTRAINT never CHECK (code IS NULL)")
    with pytest.raises(LedgerError, match="refuses to record the outcome of a call"):
        process.close(answered(intent))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("database", "key"),
    [
        ("psycopg", "k" * 3000),
        ("psycopg", "a\x00"),
        ("psycopg", "\ud800"),
        ("mariadb", "k" * 600),
        ("mariadb", "a\x00"),
        ("sqlite", "\ud800"),
    ],
    indirect=["database"],
    ids=["3 kB", "NUL", "surrogate", "600 characters", "NUL on MariaDB", "surrogate on SQLite"],
)
def test_key_that_the_ledger_cannot_hold_is_known_before_the_call(database: sa.Engine, key: str) -> None:
    process = Process(database)
    fault = process.ledger.key_fault(key)
    assert fault
    assert key not in fault
    assert process.ledger.key_fault("a" * 500) is None


@EACH_LEDGER
def test_longest_key_that_is_let_through_can_be_held(database: sa.Engine) -> None:
    import random

    process = Process(database)
    letters = random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=2_600)
    longest = "".join(letters[: 512 if database.dialect.name == "mysql" else 2_600])
    assert process.ledger.key_fault(longest) is None
    assert process.call(longest) is Grant.GRANTED


def test_emptied_ledger_stops_the_run_saying_what_to_do(database: sa.Engine) -> None:
    process = Process(database)
    execute(database, "DELETE FROM permit_ocr_state")
    with pytest.raises(LedgerError, match="Restore the ledger"):
        process.ask("a")


def test_of_two_answers_that_of_the_later_intent_is_in_force(database: sa.Engine, time: LedgerTime) -> None:
    first, second = Process(database), Process(database)
    early = first.intent("a")
    first.open(early)
    pass_the_hold(second, time)
    late = second.intent("a")
    assert second.open(late) == [Grant.GRANTED]
    second.close(answered(late, number="late"))
    first.close(answered(early, number="early"))
    assert images_of(database)["a"].answer_id == late.call_id
    both = [(row.code, row.billed) for row in calls_of(database) if row.image_key == "a"]
    assert both == [(OK, 1), (OK, 1)]


def test_lists_with_equal_keys_never_touch(database: sa.Engine) -> None:
    one = Process(database)
    other = Process(
        database,
        list_options={"name": "other", "source_table": "other_images", "targets": ("lake:others",)},
    )
    one.ask("1")
    assert other.call("1") is Grant.GRANTED
    assert one.ledger.previous([("1", CardSide.FRONT)]) == {}
    assert [each.row_key[0] for each in other.ledger.delivery("lake:permits").changes(0, 10)] == ["1"]
    assert list(one.ledger.delivery("lake:permits").changes(0, 10)) == []
