"""How long a run waits for its database, and for what."""

from __future__ import annotations

import importlib
import logging
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError, SQLAlchemyError

from airflow_provider_permitocr.sql.database.patience import Patience

#: They carry no type information.
PSYCOPG2: Any = importlib.import_module("psycopg2")
PYMYSQL: Any = importlib.import_module("pymysql.err")


@dataclass
class Clock:
    """Seconds that pass only while someone sleeps."""

    now: float = 1000.0
    sleeps: list[float] = field(default_factory=list)
    on_sleep: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds
        self.on_sleep()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def driver_error(cause: Exception) -> DBAPIError:
    return OperationalError("INSERT 李优图", {"name": "李优图"}, cause)


AWAY = driver_error(psycopg.OperationalError("connection refused"))


class Database:
    """Fails for so many times, or until a time of the clock."""

    def __init__(self, error: SQLAlchemyError, times: float = float("inf")) -> None:
        self.error, self.times, self.tried = error, times, 0

    def __call__(self) -> str:
        self.tried += 1
        if self.tried <= self.times:
            raise self.error
        return "done"


def mysql_error(number: int) -> DBAPIError:
    return driver_error(PYMYSQL.OperationalError(number, "words"))


@pytest.mark.parametrize(
    "error",
    [
        AWAY,
        driver_error(PSYCOPG2.OperationalError("server closed the connection unexpectedly")),
        driver_error(psycopg.errors.CannotConnectNow("the database system is starting up")),
        driver_error(psycopg.errors.AdminShutdown("terminating connection")),
        driver_error(psycopg.errors.DeadlockDetected("deadlock detected")),
        driver_error(psycopg.errors.SerializationFailure("could not serialize")),
        *(mysql_error(number) for number in (1205, 1213, 2002, 2003, 2006, 2013)),
    ],
    ids=lambda error: f"{type(error.orig).__name__}-{error.orig.args[0]}"[:60],
)
def test_what_passes_is_waited_out(clock: Clock, error: DBAPIError) -> None:
    database = Database(error, times=3)
    assert Patience(clock=clock, sleep=clock.sleep).wait_out(database, "writing") == "done"
    assert len(clock.sleeps) == 3


@pytest.mark.parametrize(
    "error",
    [
        ProgrammingError("SELECT", {}, psycopg.errors.UndefinedTable("no such table")),
        driver_error(psycopg.errors.DiskFull("could not extend file")),
        driver_error(sqlite3.OperationalError("database or disk is full")),
        mysql_error(1045),
        SQLAlchemyError("a mistake in the statement"),
    ],
    ids=["no table", "PostgreSQL's disk", "SQLite's disk", "access denied", "statement"],
)
def test_what_does_not_pass_is_raised_at_once(clock: Clock, error: SQLAlchemyError) -> None:
    with pytest.raises(type(error)):
        Patience(clock=clock, sleep=clock.sleep).wait_out(Database(error), "writing")
    assert clock.sleeps == []


@pytest.mark.parametrize("seconds", [1, 20, 120, 600])
def test_patience_lasts_as_long_as_asked_for_and_waits_grow_to_five_seconds(
    clock: Clock, seconds: float
) -> None:
    database = Database(AWAY)
    with pytest.raises(OperationalError):
        Patience(seconds, clock=clock, sleep=clock.sleep).wait_out(database, "writing")
    assert sum(clock.sleeps) == pytest.approx(seconds)
    assert max(clock.sleeps) <= 5
    assert database.tried == len(clock.sleeps) + 1


def test_without_patience_there_is_one_try(clock: Clock) -> None:
    database = Database(AWAY)
    with pytest.raises(OperationalError):
        Patience(0, clock=clock, sleep=clock.sleep).wait_out(database, "writing")
    assert (database.tried, clock.sleeps) == (1, [])


def test_run_asked_to_stop_tries_once_more(clock: Clock) -> None:
    stop = threading.Event()
    clock.on_sleep = lambda: stop.set() if len(clock.sleeps) == 4 else None
    database = Database(AWAY)
    with pytest.raises(OperationalError):
        Patience(stop=stop, clock=clock, sleep=clock.sleep).wait_out(database, "writing")
    assert database.tried == 5


def test_run_that_was_asked_to_stop_before_tries_once_more_without_waiting() -> None:
    stop = threading.Event()
    stop.set()
    assert Patience(stop=stop).wait_out(Database(AWAY, times=1), "writing") == "done"
    database = Database(AWAY)
    with pytest.raises(OperationalError):
        Patience(stop=stop).wait_out(database, "writing")
    assert database.tried == 2


def test_a_wait_is_told_once_without_values(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Patience(clock=clock, sleep=clock.sleep).wait_out(
            Database(
                driver_error(psycopg.errors.DeadlockDetected("deadlock detected\nKey (name)=(李优图)")),
                times=9,
            ),
            "writing 50 rows to the result table 'permits'",
        )
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert lines[0].startswith("writing 50 rows to the result table 'permits' failed: DeadlockDetected")
    assert "120 s" in lines[0]
    assert "continued after" in lines[1]
    assert "李优图" not in caplog.text


def test_each_failure_after_a_success_has_patience_of_its_own(clock: Clock) -> None:
    for _ in range(3):
        database = Database(AWAY, times=20)
        Patience(100, clock=clock, sleep=clock.sleep).wait_out(database, "reading")
    assert sum(clock.sleeps) > 120


def test_what_else_may_pass_is_tried_again_without_a_warning(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(mysql_error(1050), times=2)
    patience = Patience(clock=clock, sleep=clock.sleep)
    with caplog.at_level(logging.INFO):
        assert patience.wait_out(database, "creating tables", or_when=lambda _: True) == "done"
    assert len(clock.sleeps) == 2
    assert {record.levelname for record in caplog.records} == {"INFO"}
