"""All that Airflow's pages of the SQLite and DuckDB connections name, and what our engine makes of it.

https://airflow.apache.org/docs/apache-airflow-providers-sqlite/stable/connections/sqlite.html, which leads to
https://www.sqlite.org/uri.html; https://airflow.apache.org/docs/apache-airflow-providers-duckdb/stable/
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from airflow.sdk import BaseHook

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines, sql_engine

SetConnection = Callable[..., None]


def _tried(attempt: Callable[[], Any]) -> str:
    """Return the kind of error that something ends with; '' for none."""
    try:
        attempt()
    except Exception as error:  # noqa: BLE001  that is what is asked for
        return type(getattr(error, "orig", error)).__name__
    return ""


def _write_by_hook() -> None:
    with closing(BaseHook.get_hook("lake").get_conn()) as connection:
        connection.execute("CREATE TABLE written (a integer)").close()
        connection.rollback()


def _write_by_engine() -> None:
    engine = sql_engine("lake")
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("CREATE TABLE written (a integer)"))
            connection.rollback()
            connection.execute(sa.text("DROP TABLE IF EXISTS written"))
            connection.commit()
    finally:
        engine.dispose()


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    """A SQLite file with a table of one row, at a path that has to be quoted in a URI."""
    file = tmp_path / "a lake 湖.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE names (name text)")
        connection.execute("INSERT INTO names VALUES ('𠮷李')")
        connection.commit()
    return file


@pytest.mark.parametrize(
    "extra",
    [
        {},
        *({"mode": mode} for mode in ("ro", "rw", "rwc")),
        *({"cache": cache} for cache in ("shared", "private")),
        *({name: "1"} for name in ("psow", "nolock", "immutable")),
        {"vfs": "unix-none"},
        {"mode": "ro", "immutable": "1"},
    ],
    ids=json.dumps,
)
def test_sqlite_is_opened_as_the_hook_does(
    sqlite_file: Path, set_connection: SetConnection, extra: dict[str, str]
) -> None:
    set_connection("lake", conn_type="sqlite", host=str(sqlite_file), extra=extra)
    engine = sql_engine("lake")
    assert database_of(engine).file_of(engine) == str(sqlite_file)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT name FROM names")) == "𠮷李"
    engine.dispose()
    by_hook = _tried(_write_by_hook)
    with closing(sqlite3.connect(sqlite_file)) as connection:
        connection.execute("DROP TABLE IF EXISTS written")
    assert _tried(_write_by_engine) == by_hook
    assert bool(by_hook) == (extra.get("mode") == "ro" or "immutable" in extra)


@pytest.mark.parametrize("extra", [{"mode": "sometimes"}, {"vfs": "nowhere"}], ids=json.dumps)
def test_parameters_that_sqlite_refuses_are_refused_naming_what_to_change(
    sqlite_file: Path, set_connection: SetConnection, extra: dict[str, str]
) -> None:
    set_connection("lake", conn_type="sqlite", host=str(sqlite_file), extra=extra)
    assert _tried(_write_by_hook) == "OperationalError"
    with pytest.raises(ConfigurationError, match=r"'lake' cannot be opened.*the parameters in its extra"):
        _write_by_engine()


@pytest.mark.parametrize(
    "fields", [{}, {"host": ":memory:"}, {"host": "lake", "extra": {"mode": "memory"}}], ids=json.dumps
)
def test_sqlite_in_memory_is_refused(set_connection: SetConnection, fields: dict[str, Any]) -> None:
    set_connection("lake", conn_type="sqlite", **fields)
    with pytest.raises(ConfigurationError, match=r"'lake'.*in-memory.*name a file"):
        sql_engine("lake")


@pytest.mark.parametrize(
    ("conn_type", "extra"),
    [("sqlite", {}), ("sqlite", {"mode": "ro"}), ("duckdb", {}), ("duckdb", {"read_only": True})],
    ids=str,
)
def test_a_file_that_is_not_there_is_named_and_not_made(
    tmp_path: Path, set_connection: SetConnection, conn_type: str, extra: dict[str, Any]
) -> None:
    file = tmp_path / "lake.db"
    set_connection("lake", conn_type=conn_type, host=str(file), extra=extra)
    engine = sql_engine("lake")
    database = database_of(engine)
    assert database.missing_file(engine) == str(file)
    with pytest.raises(
        ConfigurationError,
        match=r"'lake' leads to .*lake\.db, which does not exist here; correct its host, or run this on the",
    ):
        database.require_file(engine, "lake")
    engine.dispose()
    assert not file.exists()
    if extra:
        with pytest.raises(ConfigurationError, match="correct the path"), engine.connect():
            pass


def test_sqlite_is_used_by_threads_in_turn_and_at_once(
    sqlite_file: Path, set_connection: SetConnection
) -> None:
    set_connection("lake", conn_type="sqlite", host=str(sqlite_file))
    engine = sql_engine("lake")
    at_once = Barrier(3)

    def read(_: int) -> Any:
        with engine.connect() as connection:
            at_once.wait(timeout=30)
            return connection.scalar(sa.text("SELECT name FROM names WHERE name REGEXP '李$'"))

    for _ in range(3):
        with ThreadPoolExecutor(3) as pool:
            assert list(pool.map(read, range(3))) == ["𠮷李"] * 3
    engine.dispose()


def test_a_ledger_in_sqlite_waits_for_others(sqlite_file: Path, set_connection: SetConnection) -> None:
    set_connection("lake", conn_type="sqlite", host=str(sqlite_file))
    with SqlEngines() as engines, engines.of_ledger("lake").connect() as connection:
        assert connection.scalar(sa.text("PRAGMA busy_timeout")) == 45_000


@pytest.mark.parametrize(
    ("extra", "asked", "answer"),
    [
        ({"memory_limit": "100MB"}, "current_setting('memory_limit')", "95.3 MiB"),
        ({"threads": 1}, "current_setting('threads')", 1),
        ({"settings": {"default_null_order": "nulls_first"}}, "current_setting('default_null_order')", None),
        ({"allow_community_extensions": False}, "current_setting('allow_community_extensions')", False),
        ({"read_only": True}, "current_setting('access_mode')", "read_only"),
    ],
    ids=str,
)
def test_duckdb_is_opened_as_the_hook_does(
    tmp_path: Path, set_connection: SetConnection, extra: dict[str, Any], asked: str, answer: Any
) -> None:
    file = tmp_path / "lake.duckdb"
    duckdb.connect(str(file)).close()
    set_connection("lake", conn_type="duckdb", host=str(file), extra=extra)
    engine = sql_engine("lake")
    with engine.connect() as connection:
        found = connection.scalar(sa.text(f"SELECT {asked}"))
    engine.dispose()
    with closing(BaseHook.get_hook("lake").get_conn()) as connection:
        assert found == connection.execute(f"SELECT {asked}").fetchone()[0]
    assert answer is None or found == answer


def test_a_token_of_motherduck_is_nowhere_to_be_seen(set_connection: SetConnection) -> None:
    set_connection("lake", conn_type="duckdb", schema="permits", password="secret-token")
    engine = sql_engine("lake")
    assert database_of(engine).file_of(engine) is None
    assert "secret-token" not in f"{engine} {engine.url!r} {engine.pool.__dict__}"


def test_duckdb_in_memory_reads_files(tmp_path: Path, set_connection: SetConnection) -> None:
    (tmp_path / "list.csv").write_text("key,image\na,b\n")
    set_connection("lake", conn_type="duckdb")
    engine = sql_engine("lake")
    with engine.connect() as connection:
        query = sa.text(f"SELECT * FROM read_csv('{tmp_path / 'list.csv'}')")
        assert connection.execute(query).all() == [("a", "b")]
    engine.dispose()
