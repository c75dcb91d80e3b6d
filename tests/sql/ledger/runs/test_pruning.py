"""What pruning deletes from a ledger, and what it keeps as something depends on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import RunIdentity, new_call_id
from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.sql.ledger.exchange.caller import run_period
from airflow_provider_permitocr.sql.ledger.runs import pruning
from airflow_provider_permitocr.sql.ledger.runs.pruning import Pruned, prune
from airflow_provider_permitocr.sql.ledger.tables.clock import now
from airflow_provider_permitocr.sql.source.times import as_utc
from tests.sql.ledger.ground import EACH_LEDGER, execute, prepared, rows_of

NOTHING = Pruned(calls=0, answers=0, runs=0, counters=0)


class House:
    """A ledger whose rows are so many days old."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.tables = engine, prepared(engine)
        with engine.connect() as connection:
            self.now = now(connection)

    def insert(self, table: sa.Table, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.insert(table), [values])

    def call(self, days: float, key: str = "a", **special: Any) -> str:
        """Write a call that was answered, with its answer."""
        intended_at = self.now - timedelta(days=days)
        call_id = new_call_id(intended_at.timestamp())
        described: dict[str, Any] = {
            **{"list_id": 1, "image_key": key, "card_side": "FRONT", "account": "100"},
            **{"dag_id": "d", "task_id": "t", "run_id": "r", "map_index": -1, "task_try": 1},
            **{"session_id": "s", "place": 1, "code": "OK", "held_until": intended_at},
        }
        self.insert(self.tables.calls, call_id=call_id, intended_at=intended_at, **(described | special))
        if "code" not in special:
            self.answer(call_id)
        return call_id

    def answer(self, call_id: str) -> str:
        self.insert(self.tables.answers, call_id=call_id, form=1, answer="{}")
        return call_id

    def image(self, key: str, **special: Any) -> None:
        described = {"list_id": 1, "image_key": key, "card_side": "FRONT", "answer_order": 1, "tries": 1}
        self.insert(self.tables.images, **(described | special))

    def run(self, days: float, *, map_index: int = -1, **special: Any) -> None:
        described: dict[str, Any] = {
            **{"dag_id": "d", "task_id": "t", "run_id": "r", "map_index": map_index, "list_id": 1},
            **{"task_try": 1, "session_id": "s", "is_whole": 1},
            "ended_at": self.now - timedelta(days=days),
        }
        self.insert(self.tables.runs, **(described | special))

    def count(self, period: str) -> None:
        self.insert(self.tables.counters, account="100", period=period, calls=3)

    def prune(self, days: int = 90) -> Pruned:
        return prune(self.engine, self.tables, days)

    def calls(self) -> set[str]:
        return {row.call_id for row in rows_of(self.engine, self.tables.calls)}

    def answers(self) -> set[str]:
        return {row.call_id for row in rows_of(self.engine, self.tables.answers)}


@pytest.fixture
def house(database: sa.Engine) -> House:
    """An empty ledger."""
    return House(database)


@EACH_LEDGER
def test_old_calls_go_with_their_answers_and_younger_ones_stay(house: House) -> None:
    house.call(91)
    house.call(400, code="ImageBlur")
    young = house.call(89)
    assert house.prune() == Pruned(calls=2, answers=1, runs=0, counters=0)
    assert house.calls() == house.answers() == {young}
    assert house.prune() == NOTHING


@EACH_LEDGER
def test_the_ledger_knows_from_when_on_its_calls_are_whole(house: House) -> None:
    def whole_from() -> list[timedelta | None]:
        with house.engine.connect() as connection:
            found = connection.execute(sa.select(house.tables.state.c.pruned_before)).scalars().all()
        return [each and round_days(house.now - as_utc(each)) for each in found]

    def round_days(span: timedelta) -> timedelta:
        return timedelta(days=round(span / timedelta(days=1)))

    assert whole_from() == [None]
    house.prune()
    assert whole_from() == [timedelta(days=90)]
    prune(house.engine, house.tables, 200)
    assert whole_from() == [timedelta(days=90)]


@EACH_LEDGER
def test_the_answer_in_force_stays_with_its_call_and_those_before_it_go(house: House) -> None:
    house.call(300)
    in_force = house.call(200)
    house.image("a", status="recognized", answer_id=in_force)
    assert house.prune().calls == 1
    assert house.calls() == house.answers() == {in_force}


@EACH_LEDGER
def test_the_answer_that_an_identical_image_has_taken_stays(house: House) -> None:
    taken = house.call(300, "a", image_digest="d" * 64)
    newer = house.call(200, "a", image_digest="e" * 64)
    house.image("a", status="recognized", answer_id=newer, image_digest="e" * 64)
    house.image("b", status="recognized", answer_id=taken, image_digest="d" * 64, reused_from="a")
    assert house.prune() == NOTHING


@EACH_LEDGER
def test_another_list_with_the_same_keys_keeps_nothing(house: House) -> None:
    call_id = house.call(300)
    house.image("a", list_id=2, status="recognized", answer_id=call_id)
    assert house.prune().calls == 1


@EACH_LEDGER
def test_a_call_that_holds_its_image_stays_and_one_that_is_long_dead_goes(house: House) -> None:
    holding = house.call(300, "a", code=None)
    house.image("a", held_by=holding)
    house.call(300, "b", code=None)
    still_open = house.call(300, "c", code=None, held_until=house.now)
    assert house.prune().calls == 1
    assert house.calls() == {holding, still_open}


@EACH_LEDGER
def test_a_call_whose_refused_answer_waits_in_a_journal_stays(house: House) -> None:
    refused = house.call(300, code="OK", reason="DataError")
    assert house.prune() == NOTHING
    assert house.calls() == {refused}


@EACH_LEDGER
def test_calls_go_in_chunks_past_those_that_stay(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "_CHUNK_ROWS", 3)
    kept = set()
    for number in range(10):
        call_id = house.call(300, f"k{number}")
        if number % 5 < 3:
            house.image(f"k{number}", answer_id=call_id)
            kept.add(call_id)
    assert house.prune() == Pruned(calls=4, answers=4, runs=0, counters=0)
    assert house.calls() == house.answers() == kept


@EACH_LEDGER
def test_adopted_answers_go_once_no_image_has_them(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "_ORPHANS_AT_ONCE", 2)
    long_ago = (house.now - timedelta(days=300)).timestamp()
    adopted = [house.answer(new_call_id(long_ago)) for _ in range(5)]
    recent = house.answer(new_call_id((house.now - timedelta(days=1)).timestamp()))
    for number in (0, 3):
        house.image(f"k{number}", answer_id=adopted[number])
    assert house.prune() == Pruned(calls=0, answers=3, runs=0, counters=0)
    assert house.answers() == {adopted[0], adopted[3], recent}


@EACH_LEDGER
def test_whole_runs_go_with_their_counters_once_all_shards_are_old(house: House) -> None:
    old, mixed = run_period(RunIdentity("d", "t", "r")), run_period(RunIdentity("d", "t", "mixed"))
    house.count(old)
    house.count(mixed)
    for map_index in range(2):
        house.run(91, map_index=map_index)
    house.run(91, run_id="mixed", map_index=0)
    house.run(89, run_id="mixed", map_index=1)
    assert house.prune() == Pruned(calls=0, answers=0, runs=3, counters=1)
    assert [row.map_index for row in rows_of(house.engine, house.tables.runs)] == [1]
    assert [row.period for row in rows_of(house.engine, house.tables.counters)] == [mixed]


@EACH_LEDGER
@pytest.mark.parametrize("special", [{"is_whole": 0}, {"is_whole": None}, {"ended_at": None}])
def test_a_run_whose_window_is_unfinished_stays(house: House, special: dict[str, Any]) -> None:
    house.run(400, **special)
    assert house.prune() == NOTHING


@EACH_LEDGER
def test_days_that_are_over_are_counted_no_longer(house: House) -> None:
    days = [(house.now - timedelta(days=number)).date() for number in (0, 30, 89, 92, 400)]
    for day in days:
        house.count(f"day {day.isoformat()}")
    assert house.prune().counters == 2
    assert {row.period for row in rows_of(house.engine, house.tables.counters)} == {
        f"day {day.isoformat()}" for day in days[:3]
    }


def test_the_ledgers_clock_decides_and_not_the_workers(
    sqlite_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(sqlite_engine)
    house.call(10)
    monkeypatch.setattr(pruning, "now", lambda _: datetime.now(UTC) + timedelta(days=100))
    assert house.prune().calls == 1


def test_less_than_a_day_is_refused(sqlite_engine: sa.Engine) -> None:
    with pytest.raises(ValueError, match="must be 1 or more, not 0"):
        House(sqlite_engine).prune(0)


def test_the_right_to_delete_is_asked_for(postgres_engine: sa.Engine, new_engine: Any) -> None:
    house = House(postgres_engine)
    house.call(91)
    execute(
        postgres_engine,
        "DROP ROLE IF EXISTS writer",
        "CREATE ROLE writer LOGIN PASSWORD 'writer'",
        "GRANT USAGE ON SCHEMA public TO writer",
        "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO writer",
    )
    try:
        writer = new_engine(postgres_engine.url.set(username="writer", password="writer"))
        with pytest.raises(TargetError, match="may not delete from the ledger's table 'permit_ocr_calls'"):
            prune(writer, house.tables, 90)
    finally:
        execute(postgres_engine, "DROP OWNED BY writer", "DROP ROLE writer")
