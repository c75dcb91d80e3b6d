"""Ledgers under real processes: races, kills, frozen workers, and connections that are lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import NOT_SENT, OK, Grant
from airflow_provider_permitocr.errors import LedgerUnreachableError
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.exchange.statements import lock
from tests.sql.ledger.ground import NOT_PREPARED, execute
from tests.sql.ledger.processes import TABLES, Process, a_run, answered, calls_of, counted, unsent

pytestmark = pytest.mark.slow

Start = Callable[..., "subprocess.Popen[str]"]
_on_servers = pytest.mark.parametrize("database", ["psycopg", "mariadb"], indirect=True)
_on_postgres = pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)


@pytest.fixture
def start(database: sa.Engine) -> Iterator[Start]:
    """Start a process that asks for calls; see ``program``."""
    url = database.url.render_as_string(hide_password=False)
    with ExitStack() as stack:

        def run(**arguments: Any) -> subprocess.Popen[str]:
            defaults = {"url": url, "map_index": -1, "at_once": 5, "max_calls": None, "prefix": ""}
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.sql.ledger.program", json.dumps(defaults | arguments)],
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        yield run


def _granted(*processes: subprocess.Popen[str]) -> list[str]:
    """Wait for processes, and return the keys that they may call for."""
    lines = [line for process in processes for line in process.communicate(timeout=300)[0].splitlines()]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return [key for line in lines for key, _, grant in json.loads(line) if grant == Grant.GRANTED]


@NOT_PREPARED
@_on_servers
def test_four_processes_keep_to_one_cap_exactly(start: Start, database: sa.Engine) -> None:
    processes = [
        start(
            run_id="run 1", map_index=shard, prefix=f"{shard}/", number=60, max_calls=151, at_once=3 + shard
        )
        for shard in range(4)
    ]
    granted = _granted(*processes)
    rows = calls_of(database)
    assert len(granted) == len(set(granted)) == 151
    assert {row.image_key for row in rows} == set(granted)
    assert [(row.code, row.billed) for row in rows] == [(OK, 1)] * 151
    assert list(counted(database, "day").values()) == [151]


@NOT_PREPARED
@_on_servers
def test_runs_of_one_list_at_once_call_for_each_image_once(start: Start, database: sa.Engine) -> None:
    keys = [f"{number:06}" for number in range(60)]
    processes = [start(run_id=f"run {number}", number=60, at_once=7) for number in range(3)]
    assert sorted(_granted(*processes)) == keys
    assert sorted(row.image_key for row in calls_of(database)) == keys


@_on_servers
def test_calls_of_a_killed_process_stay_open_and_hold_their_images(start: Start, database: sa.Engine) -> None:
    killed = start(run_id="run 1", number=100_000)
    assert killed.stdout
    said = [json.loads(killed.stdout.readline()) for _ in range(5)]
    killed.kill()
    said += [json.loads(line) for line in killed.communicate()[0].splitlines() if line.endswith("]]")]
    rows = calls_of(database)
    assert {row.call_id for row in rows} >= {call_id for line in said for _, call_id, _ in line}
    unknown = {row.image_key for row in rows if row.code is None}
    assert 5 <= len(unknown) <= 10
    again = Process(database, a_run(try_number=2))
    assert again.ask(*unknown) == [Grant.HELD] * len(unknown)
    done = {row.image_key for row in rows if row.code == OK}
    assert set(again.ask(*done)) == {Grant.SETTLED}


def _pid(cursor: Any) -> int:
    cursor.execute("SELECT pg_backend_pid()")
    return int(cursor.fetchone()[0])


def _end_session(engine: sa.Engine, pid: int) -> None:
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}).scalar()


@_on_postgres
@pytest.mark.parametrize("statement", range(6))
def test_connection_lost_before_any_statement_counts_nothing_twice(
    database: sa.Engine, postgres_engine: sa.Engine, statement: int
) -> None:
    process = Process(database, budget=Budget(max_calls=3))
    first = process.intent("a")
    process.open(first, process.intent("b"))
    intents = [process.intent(key) for key in "cde"]
    seen = 0

    def lose(connection: Any, cursor: Any, *_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == statement + 1:
            _end_session(postgres_engine, _pid(cursor))

    sa.event.listen(database, "before_cursor_execute", lose)
    with pytest.raises(LedgerUnreachableError):
        process.ledger.exchange(intents, unsent(first), [])
    grants = process.ledger.exchange(intents, unsent(first), []).grants
    sa.event.remove(database, "before_cursor_execute", lose)
    assert grants == (Grant.GRANTED, Grant.GRANTED, Grant.CAPPED)
    assert [(row.image_key, row.code) for row in calls_of(database)] == [
        ("a", NOT_SENT),
        ("b", None),
        ("c", None),
        ("d", None),
    ]
    assert list(counted(database, "run").values()) == [3]


@_on_postgres
@pytest.mark.parametrize("is_committed", [True, False])
def test_commit_of_which_nothing_is_heard_counts_nothing_twice(
    database: sa.Engine, postgres_engine: sa.Engine, is_committed: bool
) -> None:
    process = Process(database, budget=Budget(max_calls=3))
    first = process.intent("a")
    process.open(first, process.intent("b"))
    intents = [process.intent(key) for key in "cde"]

    def lose(connection: sa.Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if is_committed:
            driver.commit()  # and no answer comes
        _end_session(postgres_engine, _pid(driver.cursor()))

    sa.event.listen(database, "commit", lose)
    with pytest.raises(LedgerUnreachableError):
        process.ledger.exchange(intents, unsent(first), [])
    sa.event.remove(database, "commit", lose)
    grants = process.ledger.exchange(intents, unsent(first), []).grants
    assert grants == (Grant.GRANTED, Grant.GRANTED, Grant.CAPPED)
    assert [row.image_key for row in calls_of(database)] == ["a", "b", "c", "d"]
    assert list(counted(database, "run").values()) == [3]
    process.close(*unsent(first))
    assert list(counted(database, "run").values()) == [3]


@_on_postgres
def test_commit_of_which_nothing_is_heard_counts_nothing_twice_beside_a_refused_answer(
    database: sa.Engine, postgres_engine: sa.Engine
) -> None:
    execute(database, "ALTER TABLE permit_ocr_answers ADD CONSTRAINT small CHECK (length(answer) <= 100)")
    process = Process(database)
    first = process.intent("a")
    process.open(first)
    intents, closed = [process.intent("b")], [answered(first, number="H" * 200)]
    commits = 0

    def lose(connection: sa.Connection) -> None:
        nonlocal commits
        commits += 1
        if commits == 2:  # after that of the call without its answer
            driver: Any = connection.connection.driver_connection
            driver.commit()
            _end_session(postgres_engine, _pid(driver.cursor()))

    sa.event.listen(database, "commit", lose)
    with pytest.raises(LedgerUnreachableError):
        process.ledger.exchange(intents, closed, [])
    assert process.ledger.exchange(intents, closed, []).grants == (Grant.GRANTED,)
    assert [row.image_key for row in calls_of(database)] == ["a", "b"]
    assert list(counted(database, "run").values()) == [2]


def test_postgresql_ends_the_transaction_of_a_worker_that_is_frozen(postgres_engine: sa.Engine) -> None:
    process = Process(postgres_engine)
    with postgres_engine.connect() as connection:
        lock(connection, TABLES)
        names = ("idle_in_transaction_session_timeout", "lock_timeout")
        limits = [connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names]
        assert limits == ["30s", "45s"]
        # Not waited for here; the server does what the first of these says.
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '200ms'")
        assert process.ask("a") == [Grant.GRANTED]
        connection.invalidate()
    with postgres_engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar_one() == "0"


def test_mariadb_ends_the_transaction_of_a_worker_that_is_frozen(mariadb_engine: sa.Engine) -> None:
    database_of(mariadb_engine).set_up_for_ledger(mariadb_engine)
    process = Process(mariadb_engine)
    with mariadb_engine.connect() as connection:
        lock(connection, TABLES)
        names = ("idle_transaction_timeout", "innodb_lock_wait_timeout")
        limits = [connection.exec_driver_sql(f"SELECT @@{name}").scalar_one() for name in names]
        assert limits == [30, 45]
        # Not waited for here; the server does what the first of these says.
        connection.exec_driver_sql("SET SESSION idle_transaction_timeout = 1")
        assert process.ask("a") == [Grant.GRANTED]
        connection.invalidate()


def test_error_of_an_exchange_quotes_no_key(postgres_engine: sa.Engine) -> None:
    process = Process(postgres_engine)
    process.ask("key-of-a-person")
    with postgres_engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE permit_ocr_calls CASCADE")
    with pytest.raises(Exception, match="Writing into the ledger") as raised:
        process.ask("key-of-another-person")
    assert "person" not in str(raised.value)
