"""One process delivers to a target at a time, and notes how far it came."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.deliveries import DeliveryState
from airflow_provider_permitocr.sql.ledger.deliveries import deliveries
from airflow_provider_permitocr.sql.ledger.deliveries.deliveries import Deliverer
from airflow_provider_permitocr.sql.ledger.exchange.statements import lock
from airflow_provider_permitocr.sql.ledger.lists.lists import register_list
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.tables.clock import now
from tests.sql.ledger.ground import EACH_LEDGER, TARGET, identity, prepared, rows_of
from tests.sql.ledger.processes import Process


class Target:
    """The target ``lake:permits`` of list 1."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.tables = engine, prepared(engine)
        with engine.begin() as connection:
            lock(connection, self.tables)
            register_list(connection, self.tables, identity())

    def claim(self, session_id: str) -> int | None:
        with self.engine.begin() as connection:
            state = deliveries.claim(OpenList(connection, self.tables, 1), Deliverer(TARGET, session_id))
            return None if state is None else state.version

    def note(self, session_id: str, version: int) -> bool:
        with self.engine.begin() as connection:
            deliverer = Deliverer(TARGET, session_id)
            return deliveries.note(OpenList(connection, self.tables, 1), deliverer, DeliveryState(version))

    def release(self, session_id: str) -> None:
        with self.engine.begin() as connection:
            deliveries.release(OpenList(connection, self.tables, 1), Deliverer(TARGET, session_id))

    def seconds_left(self) -> float:
        """Seconds until others may deliver."""
        (row,) = rows_of(self.engine, self.tables.deliveries)
        with self.engine.connect() as connection:
            until = row.session_until
            moment = now(connection)
        return float((until.replace(tzinfo=moment.tzinfo) - moment).total_seconds())

    def pass_seconds(self, seconds: float) -> None:
        """Let the claim grow old, as the database's clock cannot be set."""
        table: sa.Table = self.tables.deliveries
        (row,) = rows_of(self.engine, table)
        with self.engine.begin() as connection:
            earlier = row.session_until - timedelta(seconds=seconds)
            connection.execute(sa.update(table).values(session_until=earlier))


@pytest.fixture
def target(database: sa.Engine) -> Target:
    """A target that nothing was delivered to."""
    return Target(database)


@EACH_LEDGER
def test_only_one_process_delivers(target: Target) -> None:
    assert target.claim("first") == 0
    assert target.claim("second") is None
    assert target.claim("first") == 0
    assert not target.note("second", 5)
    assert target.note("first", 7)
    target.release("second")
    assert target.claim("second") is None
    target.release("first")
    assert target.claim("second") == 7


@EACH_LEDGER
def test_a_claim_lapses_a_minute_after_the_last_word(target: Target) -> None:
    target.claim("first")
    assert 50 < target.seconds_left() <= 60
    target.pass_seconds(50)
    assert target.claim("second") is None
    target.note("first", 3)
    assert 50 < target.seconds_left() <= 60
    target.pass_seconds(61)
    assert target.claim("second") == 3
    assert not target.note("first", 4)


@EACH_LEDGER
def test_a_target_that_was_emptied_is_delivered_from_the_start(target: Target) -> None:
    target.claim("first")
    target.note("first", 9)
    assert target.note("first", 0)
    assert target.claim("first") == 0


@EACH_LEDGER
def test_a_target_that_nobody_has_written_down_is_nobodys(target: Target) -> None:
    with target.engine.begin() as connection:
        assert deliveries.claim(OpenList(connection, target.tables, 2), Deliverer(TARGET, "first")) is None


@EACH_LEDGER
def test_of_processes_that_claim_together_one_delivers(target: Target) -> None:
    barrier = threading.Barrier(6)

    def claim(number: int) -> int | None:
        barrier.wait()
        return target.claim(f"session-{number}")

    with ThreadPoolExecutor(6) as pool:
        assert sorted(str(each) for each in pool.map(claim, range(6))) == ["0", *["None"] * 5]


@EACH_LEDGER
def test_what_a_target_lacks_is_the_same_number_for_all_runs_whoever_delivers(database: sa.Engine) -> None:
    one, other = Process(database), Process(database)
    mine, theirs = (each.ledger.delivery(TARGET) for each in (one, other))
    assert (mine.count_undelivered(), theirs.count_undelivered()) == (0, 0)
    for key in "abc":
        one.call(key)
    other.ask("d")  # without an answer there is nothing to deliver
    assert mine.claim() is not None
    changed = mine.changes(0, 10)
    assert (mine.count_undelivered(), theirs.count_undelivered()) == (3, 3)
    mine.note(DeliveryState(changed[0].version, rows=1))
    assert (mine.count_undelivered(), theirs.count_undelivered()) == (2, 2)
    mine.note(DeliveryState(changed[-1].version, rows=3))
    assert (mine.count_undelivered(), theirs.count_undelivered()) == (0, 0)
