"""Small tables of a ledger's calls, on every database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.sql.analytics.definitions import OF_LEDGERS
from airflow_provider_permitocr.sql.ledger.runs.pruning import prune
from airflow_provider_permitocr.sql.ledger.tables.schema import SHAPE
from tests.sql.analytics.conftest import LIST_ID, NOON, Analyzed

New = Callable[..., Analyzed]


def _priced(price: str, **call: Any) -> dict[str, Any]:
    return {"unit_price": price, "currency": "CNY", "permit_kind": "taiwan"} | call


def _costs(permits: Analyzed) -> list[tuple[Any, ...]]:
    rows = permits.read("cost_by_day")
    return [tuple(row.values())[1:] for row in sorted(rows, key=lambda row: row["line"])]


@pytest.mark.slow
def test_cost_is_exact_at_the_price_of_its_day(analyzed: New) -> None:
    permits = analyzed()
    permits.write()
    permits.make_calls(
        [
            *([_priced("0.1")] * 3),
            _priced("0.1", billed=0, code="FailedOperation.ImageBlur"),
            _priced("0.1", billed=None, code=None),
            _priced("0.1", code="NotSent", billed=0),
            _priced("0.0015", intended_at=NOON + timedelta(hours=4)),  # the next day in Shanghai
            _priced("0.1", dag_id="archive", permit_kind=None),
            {"billed": 1},
        ]
    )
    assert permits.tables().fill()["permits_cost_by_day"] == 4
    first, second = date(2026, 1, 31), date(2026, 2, 1)
    assert _costs(permits) == [
        (first, "archive", None, "CNY", "0.1", 1, 1, 0, 100_000),
        (first, "daily", None, None, None, 1, 1, 0, None),
        (first, "daily", "taiwan", "CNY", "0.1", 5, 3, 1, 300_000),
        (second, "daily", "taiwan", "CNY", "0.0015", 1, 1, 0, 1_500),
    ]


@pytest.mark.slow
def test_hours_have_their_busiest_minute_and_how_long_calls_took(analyzed: New) -> None:
    permits = analyzed()
    permits.write()
    calls: list[dict[str, Any]] = [
        {
            "intended_at": NOON + timedelta(seconds=second),
            "answered_at": NOON + timedelta(seconds=second, milliseconds=took),
        }
        for second, took in enumerate([*range(100, 2000, 100), 9_999])
    ]
    calls += [{"intended_at": NOON + timedelta(minutes=59, seconds=59), "code": None, "billed": None}]
    calls += [{"intended_at": NOON + timedelta(hours=1), "code": None, "billed": None}]
    permits.make_calls(calls)
    permits.tables().fill()
    hours = [tuple(row.values())[1:] for row in permits.read("calls_by_hour")]
    assert [(each[0].astimezone(UTC), *each[1:]) for each in hours] == [
        (NOON, 21, 20, 20, 1_000, 1_900),
        (NOON + timedelta(hours=1), 1, 0, 1, None, None),
    ]


@pytest.mark.slow
def test_calls_of_other_lists_are_left_out(analyzed: New) -> None:
    permits, others = analyzed("permits"), analyzed("others")
    permits.write()
    others.write()
    permits.make_calls([_priced("1")] * 2, list_id=1)
    others.make_calls([_priced("1")] * 5, list_id=2)
    for each, list_id, calls in ((permits, 1, 2), (others, 2, 5)):
        each.tables(list_id).fill()
        assert [row[5] for row in _costs(each)] == [calls]


@pytest.mark.slow
def test_table_is_replaced_and_keeps_what_the_ledger_has_pruned(analyzed: New) -> None:
    permits = analyzed()
    permits.write()
    days = [NOON + timedelta(days=day) for day in range(3)]
    tables = permits.make_calls([_priced("1", intended_at=day) for day in days for _ in range(2)])
    permits.tables().fill()
    before = _costs(permits)
    calls = tables.calls
    with permits.ledger.begin() as connection:
        pruned = sa.or_(calls.c.intended_at < days[1], calls.c.call_id == "7-2")
        connection.execute(sa.delete(calls).where(pruned))
        last = connection.execute(sa.select(calls).where(calls.c.call_id == "7-5")).mappings().one()
        connection.execute(sa.insert(calls), dict(last) | {"call_id": "new"})
    permits.tables().fill()
    assert [row[5] for row in before] == [2, 2, 2]
    assert [row[5] for row in _costs(permits)] == [2, 2, 3]
    assert len(permits.read("calls_by_hour")) == 3


@pytest.mark.slow
def test_last_microsecond_of_a_day_or_hour_belongs_to_it(analyzed: New) -> None:
    permits = analyzed()
    last = datetime(2026, 1, 31, 15, 59, 59, 999_999, tzinfo=UTC)
    permits.write({"image_key": "a", "processed_at": last})
    permits.prepare()
    permits.make_calls([_priced("1", intended_at=last, answered_at=last + timedelta(seconds=1))])
    permits.tables().fill()
    assert [row["day"] for row in permits.read("by_day")] == [date(2026, 1, 31)]
    assert [row[0] for row in _costs(permits)] == [date(2026, 1, 31)]
    (hour,) = permits.read("calls_by_hour")
    assert (hour["hour"].astimezone(UTC).hour, hour["p50_ms"]) == (15, 1_000)


@pytest.mark.slow
def test_days_that_pruning_has_thinned_keep_what_they_cost(analyzed: New) -> None:
    permits = analyzed()
    permits.write()
    days = [NOON + timedelta(days=day) for day in range(3)]
    # Of each day the last call's answer is in force, which pruning keeps.
    tables = permits.make_calls(
        [
            _priced("1", intended_at=day, answered_at=day, billed=billed)
            for day in days
            for billed in (1, None, 1)
        ]
    )
    with permits.ledger.begin() as connection:
        connection.execute(
            sa.insert(tables.state),
            {"id": 1, "ledger_id": "x", "shape": SHAPE, "version": 1, "timezone": "UTC"},
        )
        for number in (2, 5, 8):
            standing = {"list_id": LIST_ID, "image_key": f"{number}", "card_side": "FRONT", "tries": 1}
            in_force = {"answer_id": f"7-{number}", "answer_order": 1, "status": "recognized"}
            connection.execute(sa.insert(tables.images), standing | in_force)
    permits.tables().fill()
    before = [permits.read("cost_by_day"), permits.read("calls_by_hour")]
    assert [row[5:8] for row in _costs(permits)] == [(3, 2, 1)] * 3
    assert prune(permits.ledger, tables, older_than_days=1).calls == 6
    permits.tables().fill()
    assert [permits.read("cost_by_day"), permits.read("calls_by_hour")] == before


@pytest.mark.slow
def test_days_that_were_not_pruned_are_as_the_ledger_has_them_now(analyzed: New) -> None:
    permits = analyzed()
    permits.write()
    tables = permits.make_calls(
        [_priced("1", intended_at=NOON + timedelta(days=day), code=None) for day in (0, 1, 1)]
    )
    permits.tables().fill()
    with permits.ledger.begin() as connection:
        given_up = sa.update(tables.calls).where(tables.calls.c.call_id == "7-2")
        connection.execute(given_up.values(code="NotSent", billed=0))
    permits.tables().fill()
    assert [row[5] for row in _costs(permits)] == [1, 1]


def test_ledger_without_calls_makes_empty_tables(analyzed: New) -> None:
    permits = analyzed()
    permits.write()
    permits.make_calls([])
    assert set(permits.tables().fill().values()) == {0}
    assert _costs(permits) == []


@pytest.mark.parametrize(
    ("price", "micros"),
    [("12345678901.123456", 12345678901123456), ("1e-7", 0), ("NaN", None), ("free", None)],
)
def test_price_that_somebody_has_written_into_the_ledger(
    sqlite_engine: sa.Engine, price: str, micros: int | None
) -> None:
    permits = Analyzed(sqlite_engine, sqlite_engine)
    permits.write()
    permits.make_calls([_priced(price)])
    permits.tables().fill()
    assert [row[-1] for row in _costs(permits)] == [micros]


def test_lists_that_fill_a_table_are_found_by_its_name(sqlite_engine: sa.Engine) -> None:
    permits = Analyzed(sqlite_engine, sqlite_engine)
    permits.write()
    with pytest.raises(TargetError, match=r"no ledger 'permit_ocr' in connection 'ledger'"):
        permits.lists()
    tables = permits.make_calls([])
    state = {"id": 1, "ledger_id": "x", "shape": SHAPE, "version": 1, "timezone": "UTC"}
    with sqlite_engine.begin() as connection:
        connection.execute(sa.insert(tables.state), state)
        connection.execute(sa.update(tables.lists).values(key_type="integer"))
    assert permits.lists() == (frozenset({7}), "integer")
    with sqlite_engine.begin() as connection:
        connection.execute(sa.update(tables.state).values(shape=1))
    with pytest.raises(TargetError, match=r"created by another version"):
        permits.lists()


@pytest.mark.slow
def test_columns_and_comments_are_as_they_are_declared(postgres_engine: sa.Engine) -> None:
    permits = Analyzed(postgres_engine, postgres_engine)
    permits.write()
    permits.make_calls([])
    permits.tables().fill()
    inspector = sa.inspect(postgres_engine)
    for each in OF_LEDGERS:
        found = inspector.get_columns(each.name_beside("permits"))
        declared = [(column.name, column.comment) for column in each.columns]
        assert [(column["name"], column["comment"]) for column in found] == declared
        assert inspector.get_table_comment(each.name_beside("permits"))["text"] == each.question


@pytest.mark.parametrize(
    "taken", ["VIEW permits_cost_by_day AS SELECT 1 AS line", "TABLE permits_cost_by_day (a integer)"]
)
def test_name_that_is_taken_is_refused(sqlite_engine: sa.Engine, taken: str) -> None:
    permits = Analyzed(sqlite_engine, sqlite_engine)
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE {taken}")
    with pytest.raises(
        TargetError,
        match=r"'permits_cost_by_day' is a (view|table with other columns); rename it, or drop it",
    ):
        permits.tables().check()
