"""Ledgers under real processes and a real PostgreSQL: races, kills, and connections that are lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.core.calls import NOT_SENT, OK, Grant, RunIdentity
from airflow_provider_permitocr.core.spending import Spending
from airflow_provider_permitocr.sql.errors import DatabaseError
from tests.sql.ledger_calls import Process, counted, rows_of

Start = Callable[..., "subprocess.Popen[str]"]
_on_postgres = pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)


@pytest.fixture
def start(postgres_engine: sa.Engine) -> Iterator[Start]:
    """Start a process that asks for calls; see ``ledger_program``."""
    url = postgres_engine.url.render_as_string(hide_password=False)
    with ExitStack() as stack:

        def run(**arguments: Any) -> subprocess.Popen[str]:
            given = {
                "url": url,
                "map_index": -1,
                "at_once": 5,
                "max_calls": None,
                "prefix": "",
            } | arguments
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.sql.ledger_program", json.dumps(given)],
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


def test_four_processes_keep_to_one_cap_exactly(start: Start, postgres_engine: sa.Engine) -> None:
    processes = [
        start(
            run_id="run 1",
            map_index=shard,
            prefix=f"{shard}/",
            number=100,
            max_calls=251,
            at_once=3 + shard,
        )
        for shard in range(4)
    ]
    granted = _granted(*processes)
    rows = rows_of(postgres_engine)
    assert len(granted) == len(set(granted)) == 251
    assert {row.image_key for row in rows} == set(granted)
    assert [(row.code, row.billed) for row in rows] == [(OK, 1)] * 251
    assert list(counted(postgres_engine, "day").values()) == [251]


def test_runs_of_one_list_at_once_call_for_each_image_once(start: Start, postgres_engine: sa.Engine) -> None:
    keys = [f"{number:06}" for number in range(100)]
    processes = [start(run_id=f"run {number}", number=100, at_once=7) for number in range(3)]
    assert sorted(_granted(*processes)) == keys
    assert sorted(row.image_key for row in rows_of(postgres_engine)) == keys


def test_calls_of_a_killed_process_are_open_and_made_again(start: Start, postgres_engine: sa.Engine) -> None:
    killed = start(run_id="run 1", number=100_000)
    assert killed.stdout
    said = [json.loads(killed.stdout.readline()) for _ in range(5)]
    killed.kill()
    said += [json.loads(line) for line in killed.communicate()[0].splitlines() if line.endswith("]]")]
    rows = rows_of(postgres_engine)
    assert {row.call_id for row in rows} >= {call_id for line in said for _, call_id, _ in line}
    unknown = {row.image_key for row in rows if row.code is None}
    assert 5 <= len(unknown) <= 10
    resumed = RunIdentity("dag", "task", "run 1", try_number=2)
    now = max(row.intended_at for row in rows)
    again = Process(postgres_engine, resumed)
    again.clock.now = now
    assert again.ask(*unknown) == [Grant.GRANTED] * len(unknown)


def _end_session(engine: sa.Engine, pid: int) -> None:
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}).scalar()


def _pid(cursor: Any) -> int:
    cursor.execute("SELECT pg_backend_pid()")
    return int(cursor.fetchone()[0])


@_on_postgres
@pytest.mark.parametrize("statement", range(8))
def test_connection_lost_before_any_statement_counts_nothing_twice(
    database: sa.Engine, postgres_engine: sa.Engine, statement: int
) -> None:
    process = Process(database, spending=Spending(max_calls=3))
    first = process.intent("a")
    process.ledger.exchange([first, process.intent("b")], [])
    seen = 0

    def lose(connection: Any, cursor: Any, *_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == statement + 1:
            _end_session(postgres_engine, _pid(cursor))

    sa.event.listen(database, "before_cursor_execute", lose)
    grants = process.ledger.exchange(
        [process.intent("c"), process.intent("d"), process.intent("e")], process.unsent(first)
    )
    sa.event.remove(database, "before_cursor_execute", lose)
    assert seen > statement
    assert grants == [Grant.GRANTED, Grant.GRANTED, Grant.CAPPED]
    assert [(row.image_key, row.code) for row in rows_of(database)] == [
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
    process = Process(database, spending=Spending(max_calls=3))
    first = process.intent("a")
    process.ledger.exchange([first, process.intent("b")], [])
    lost = 0

    def lose(connection: sa.Connection) -> None:
        nonlocal lost
        lost += 1
        if lost > 1:
            return
        driver: Any = connection.connection.driver_connection
        if is_committed:
            driver.commit()  # and no answer comes
        _end_session(postgres_engine, _pid(driver.cursor()))

    sa.event.listen(database, "commit", lose)
    grants = process.ledger.exchange(
        [process.intent("c"), process.intent("d"), process.intent("e")], process.unsent(first)
    )
    sa.event.remove(database, "commit", lose)
    assert lost == 2
    assert grants == [Grant.GRANTED, Grant.GRANTED, Grant.CAPPED]
    assert [row.image_key for row in rows_of(database)] == ["a", "b", "c", "d"]
    assert list(counted(database, "run").values()) == [3]
    process.ledger.exchange([], process.unsent(first))
    assert list(counted(database, "run").values()) == [3]


def test_worker_that_hangs_in_a_transaction_holds_nobody_up_for_ever(postgres_engine: sa.Engine) -> None:
    process, other = Process(postgres_engine, patience_seconds=0), Process(postgres_engine)
    with postgres_engine.connect() as connection:
        process.ledger._budget.lock(connection)
        limits = [
            connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("idle_in_transaction_session_timeout", "lock_timeout")
        ]
        assert limits == ["1min", "30s"]
        # Not waited for here; the server does what the first of these says.
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '200ms'")
        assert other.ask("a") == [Grant.GRANTED]
        connection.invalidate()
    with postgres_engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar_one() == "0"


def test_stopped_run_waits_for_no_database(postgres_engine: sa.Engine) -> None:
    process = Process(postgres_engine, patience_seconds=600)
    first = process.intent("key-of-a-person")
    process.ledger.exchange([first], [])
    process.stop.set()

    def lose(connection: Any, cursor: Any, *_: Any) -> None:
        with postgres_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as other:
            sa.event.remove(postgres_engine, "before_cursor_execute", lose)
            pid = _pid(cursor)
            other.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")
            sa.event.listen(postgres_engine, "before_cursor_execute", lose)

    sa.event.listen(postgres_engine, "before_cursor_execute", lose)
    started_at = time.monotonic()
    with pytest.raises(DatabaseError) as raised:
        process.ledger.exchange([], [process.result(first.call_id)])
    sa.event.remove(postgres_engine, "before_cursor_execute", lose)
    assert time.monotonic() - started_at < 60
    assert "the outcome of 1 calls is not written there" in str(raised.value)
    assert "key-of-a-person" not in str(raised.value)
