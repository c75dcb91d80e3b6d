"""What a ledger's table holds of each call, on every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.calls import OK, CallIntent, CallResult, Grant, RunIdentity
from airflow_provider_permitocr.core.spending import Spending
from airflow_provider_permitocr.sql.times import as_utc
from tests.sql.ledger_calls import NOON, Process, counted, rows_of


def test_call_is_in_the_table_before_it_is_made_and_its_outcome_after(database: sa.Engine) -> None:
    run = RunIdentity("permits", "recognize", "scheduled__2026-01-31", 3, 2)
    process = Process(database, run, account="100012345")
    intent = CallIntent("a" * 32, ("image 1", CardSide.BACK), "d" * 64, NOON)
    assert process.ledger.exchange([intent], []) == [Grant.GRANTED]
    (row,) = rows_of(database)
    assert (row.call_id, row.image_key, row.card_side, row.image_digest) == (
        *("a" * 32, "image 1", "BACK", "d" * 64),
    )
    assert as_utc(row.intended_at) == NOON
    assert (row.answered_at, row.request_id, row.code, row.billed) == (None, None, None, None)
    assert (row.account, row.dag_id, row.task_id, row.run_id, row.map_index, row.task_try) == (
        *("100012345", "permits", "recognize", "scheduled__2026-01-31", 3, 2),
    )
    answered_at = NOON + timedelta(seconds=1.5)
    process.ledger.exchange([], [CallResult("a" * 32, OK, True, "request-1", answered_at)])
    (row,) = rows_of(database)
    assert (row.request_id, row.code, row.billed) == ("request-1", "OK", 1)
    assert as_utc(row.answered_at) == answered_at


def test_sum_of_billed_counts_what_is_paid_for(database: sa.Engine) -> None:
    process = Process(database)
    for key, billed in (("a", True), ("b", False), ("c", None), ("d", True)):
        process.call(key, "FailedOperation.X", billed=billed)
    with database.connect() as connection:
        assert connection.exec_driver_sql("SELECT sum(billed) FROM calls").scalar_one() == 2


def test_results_and_intents_go_along_in_one_exchange(database: sa.Engine) -> None:
    process = Process(database)
    first = process.intent("a")
    process.ledger.exchange([first], [])
    grants = process.ledger.exchange(
        [process.intent("b"), process.intent("c")], [process.result(first.call_id)]
    )
    assert grants == [Grant.GRANTED, Grant.GRANTED]
    assert [(row.image_key, row.code) for row in rows_of(database)] == [("a", OK), ("b", None), ("c", None)]


def test_nothing_to_write_needs_no_database(sqlite_engine: sa.Engine) -> None:
    process = Process(sqlite_engine)
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE calls")
    assert process.ledger.exchange([], []) == []


def test_result_of_a_call_that_is_not_in_the_table_does_no_harm(database: sa.Engine) -> None:
    process = Process(database)
    process.ledger.exchange([], [process.result("e" * 32), *process.unsent(process.intent("a"))])
    assert rows_of(database) == []
    assert counted(database, "run") == {}


def test_keys_that_differ_in_case_or_blanks_are_different_images(database: sa.Engine) -> None:
    first, second = Process(database), Process(database)
    assert first.ask("a") == [Grant.GRANTED]
    assert second.ask("A", "a ", "a") == [Grant.GRANTED, Grant.GRANTED, Grant.CALLED_ELSEWHERE]


def test_other_side_of_an_image_is_another_call(database: sa.Engine) -> None:
    Process(database).ask("a")
    other = Process(database)
    assert other.ledger.exchange([other.intent("a", side=CardSide.BACK)], []) == [Grant.GRANTED]


def test_second_ledger_in_a_schema_of_its_own(postgres_engine: sa.Engine) -> None:
    with postgres_engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA billing")
    process = Process(postgres_engine, table="billing.calls")
    assert process.call("a") is Grant.GRANTED
    assert len(rows_of(postgres_engine, "billing.calls")) == 1
    assert list(counted(postgres_engine, "day", "billing.calls").values()) == [1]


def test_calls_are_counted_by_day_and_run_where_there_is_no_cap(database: sa.Engine) -> None:
    first, second = Process(database), Process(database)
    first.ask("a", "b")
    second.ask("c")
    assert counted(database, "day") == {"2026-01-31": 3}
    assert sorted(counted(database, "run").values()) == [1, 2]


@pytest.mark.parametrize(("timezone", "day"), [("UTC", "2026-01-31"), ("Asia/Shanghai", "2026-02-01")])
def test_days_begin_at_midnight_of_the_timezone(database: sa.Engine, timezone: str, day: str) -> None:
    process = Process(database, spending=Spending(timezone=timezone))
    process.clock.now = datetime(2026, 1, 31, 16, 0, tzinfo=UTC)
    process.ask("a")
    assert counted(database, "day") == {day: 1}


def test_key_that_the_database_refuses_costs_no_other_image_its_call(postgres_engine: sa.Engine) -> None:
    process = Process(postgres_engine, spending=Spending(max_calls=4))
    keys = ["a", "b", "c\x00", "d", "\ud800", "e"]
    expected = [Grant.GRANTED] * 6
    expected[2] = expected[4] = Grant.REFUSED
    assert process.ask(*keys) == expected
    assert [row.image_key for row in rows_of(postgres_engine)] == ["a", "b", "d", "e"]
    assert list(counted(postgres_engine, "run").values()) == [4]


def test_key_too_long_for_an_index_is_refused_alone(mariadb_engine: sa.Engine) -> None:
    process = Process(mariadb_engine)
    assert process.ask("a", "k" * 600) == [Grant.GRANTED, Grant.REFUSED]


def test_results_are_written_where_the_intents_beside_them_are_refused(postgres_engine: sa.Engine) -> None:
    process = Process(postgres_engine)
    first = process.intent("a")
    process.ledger.exchange([first], [])
    process.ledger.exchange([process.intent("\x00")], [process.result(first.call_id)])
    assert [row.code for row in rows_of(postgres_engine)] == [OK]


def test_service_text_that_a_database_would_refuse_is_stored_without_it(database: sa.Engine) -> None:
    process = Process(database)
    intent = process.intent("a")
    process.ledger.exchange([intent], [])
    process.ledger.exchange(
        [], [CallResult(intent.call_id, "Odd\x00Code\ud800" + "x" * 999, None, "\x00", NOON)]
    )
    (row,) = rows_of(database)
    assert row.code.startswith("OddCode?x")
    assert row.answered_at
