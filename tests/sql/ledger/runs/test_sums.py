"""What the page of a run shows beyond it is added up by the ledger: money, caps, what is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa

from airflow_provider_permitocr.engine.progress.facts import LedgerSums
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables
from tests.sql.ledger.ground import EACH_LEDGER
from tests.sql.ledger.processes import NOON, SUMMARY, LedgerTime, Process, a_run, answered, attempt

_PRICED = Budget(price_per_call="0.0015", currency="USD")


def sums_of(process: Process) -> LedgerSums:
    sums = process.ledger.sums()
    assert sums is not None
    return sums


@EACH_LEDGER
def test_billed_calls_cost_what_each_was_made_for_today_and_this_month(
    database: sa.Engine, time: LedgerTime
) -> None:
    time.set(NOON - timedelta(days=2))
    Process(database, a_run("before yesterday"), budget=_PRICED).call("a")
    time.set(NOON)
    process = Process(database, a_run("today"), budget=_PRICED)
    process.call("b")
    process.call("c")
    process.call("d", "FailedOperation.OcrFailed", billed=False)
    sums = sums_of(process)
    assert (sums.billed_today, sums.billed_month) == (2, 3)
    assert (sums.cost_today, sums.cost_month) == ({"USD": Decimal("0.0030")}, {"USD": Decimal("0.0045")})
    assert (sums.calls_today, sums.calls_of_run) == (3, 3)


@EACH_LEDGER
def test_a_price_that_changed_or_is_not_known_is_not_mixed_up(database: sa.Engine, time: LedgerTime) -> None:
    Process(database, a_run("dollars"), budget=_PRICED).call("a")
    Process(database, a_run("yuan"), budget=Budget(price_per_call=1, currency="CNY")).call("b")
    process = Process(database, a_run("no price"))
    process.call("c")
    sums = sums_of(process)
    assert sums.cost_today == {"USD": Decimal("0.0015"), "CNY": Decimal(1)}
    assert (sums.billed_today, sums.unpriced_today) == (3, 1)


@EACH_LEDGER
def test_a_day_begins_and_ends_at_midnight_of_the_ledgers_time_zone(
    database: sa.Engine, time: LedgerTime
) -> None:
    shanghai = Budget(timezone="Asia/Shanghai", max_calls_per_day=5)
    time.set(datetime(2026, 1, 31, 15, 30, tzinfo=UTC))  # 23:30 there
    process = Process(database, a_run("late"), budget=shanghai)
    process.call("a")
    sums = sums_of(process)
    assert (sums.day, sums.timezone, sums.billed_today) == ("2026-01-31", "Asia/Shanghai", 1)
    assert sums.resets_at == datetime(2026, 1, 31, 16, tzinfo=UTC)
    time.pass_seconds(3600)
    sums = sums_of(process)
    assert (sums.day, sums.billed_today, sums.billed_month, sums.calls_today) == ("2026-02-01", 0, 0, 0)


@EACH_LEDGER
def test_what_ended_runs_left_and_what_is_to_be_tried_again_is_left_over(
    database: sa.Engine, time: LedgerTime
) -> None:
    Process(database, a_run("capped"), listed=90).ledger.close_run(SUMMARY, whole=False, left=70)
    died = Process(database, a_run("died"), listed=5)
    died.ledger.exchange([], [], [attempt("a", Status.RETRY), attempt("b", Status.FAILED)])
    assert sums_of(died).left_over == 70 + 1  # it is alive
    time.pass_seconds(130)
    assert sums_of(Process(database, a_run("next"), listed=1_000)).left_over == 70 + 1 + 5


@EACH_LEDGER
def test_tries_of_a_run_are_told_apart_and_others_are_not_counted(
    database: sa.Engine, time: LedgerTime
) -> None:
    Process(database, a_run("other")).call("z")
    Process(database, a_run("monday", map_index=1)).call("y")
    first = Process(database, a_run("monday"))
    first.call("a")
    first.call("b", "InternalError", billed=False)
    time.pass_seconds(60)
    first.ledger.close_run(SUMMARY, whole=False)
    second = Process(database, a_run("monday", try_number=2))
    second.call("b")
    one, two = sums_of(second).tries
    assert (one.number, one.calls, one.billed, one.answered) == (1, 2, 1, 1)
    assert (two.number, two.calls, two.billed, two.answered) == (2, 1, 1, 1)
    assert (one.began_at, two.began_at) == (NOON, NOON + timedelta(seconds=60))


def test_nothing_is_added_up_before_the_ledger_is_prepared(database: sa.Engine) -> None:
    process = Process(database)
    process.ledger._caller = None
    assert process.ledger.sums() is None


@EACH_LEDGER
def test_doubtful_readings_wait_until_somebody_decides(database: sa.Engine) -> None:
    process = Process(database)
    for key, is_doubtful in (("a", True), ("b", True), ("c", False), ("d", None)):
        intent = process.intent(key)
        process.open(intent)
        process.close(answered(intent, is_doubtful=is_doubtful))
    assert sums_of(process).waiting_for_review == 2
    tables = ledger_tables("permit_ocr")
    with database.begin() as connection:
        in_force = sa.select(tables.images.c.answer_id).where(tables.images.c.image_key == "a")
        row = {
            **dict.fromkeys(column.name for column in tables.reviews.c),
            **{"review_id": "r", "list_id": 1, "image_key": "a", "card_side": "FRONT"},
            **{"answer_id": connection.execute(in_force).scalar_one(), "decision": "confirmed"},
            **{"dag_id": "d", "task_id": "t", "run_id": "r", "map_index": -1, "asked_at": NOON},
        }
        connection.execute(sa.insert(tables.reviews).values(row))
    assert sums_of(process).waiting_for_review == 1
