"""What a ledger finds before its first call: nothing, its own tables, or something else."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.core.calls import Grant
from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.sql.calls_table import CallsTable
from airflow_provider_permitocr.sql.errors import DatabaseError
from airflow_provider_permitocr.sql.inspection import columns
from airflow_provider_permitocr.sql.ledger_preparation import prepare_tables
from airflow_provider_permitocr.sql.ledger_schema import budget_table, calls_table
from demo.postgres import EmbeddedPostgres
from tests.sql.ledger_calls import Process, rows_of

NewEngine = Callable[..., sa.Engine]


def _execute(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _told(engine: sa.Engine) -> str:
    with pytest.raises(TargetError) as raised:
        Process(engine)
    return str(raised.value)


def _altered(engine: sa.Engine, table: sa.Table, column: sa.Column[object] | None, without: str) -> None:
    """Create a table of the ledger with one column of another kind, or without it."""
    columns = [each._copy() for each in table.columns if each.name != without]
    if column is not None:
        columns.append(column)
    sa.Table(table.name, sa.MetaData(), *columns).create(engine, checkfirst=False)


def test_tables_are_made_once(database: sa.Engine) -> None:
    Process(database).ask("a")
    Process(database).ask("b")
    assert [row.image_key for row in rows_of(database)] == ["a", "b"]


@pytest.mark.parametrize("database", ["psycopg", "psycopg2", "mariadb", "duckdb"], indirect=True)
def test_tasks_that_start_together_make_them_together(database: sa.Engine) -> None:
    barrier = threading.Barrier(6)

    def prepare(number: int) -> list[Grant]:
        barrier.wait()
        return Process(database).ask(f"{number}")

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(prepare, range(6))) == [[Grant.GRANTED]] * 6


@pytest.mark.parametrize("column", ["call_id", "billed", "intended_at", "session_id"])
def test_table_that_lacks_a_column_is_refused_and_left_alone(database: sa.Engine, column: str) -> None:
    _altered(database, calls_table("calls"), None, column)
    told = _told(database)
    assert f"the table 'calls' exists already and is no call ledger: it lacks {column}" in told
    assert "name another table in CallsTable" in told
    with database.connect() as connection:
        assert column not in (columns(connection, "calls") or {})


@pytest.mark.parametrize("database", ["psycopg", "psycopg2", "mariadb", "duckdb"], indirect=True)
@pytest.mark.parametrize(
    "column",
    [sa.Column("billed", sa.Date), sa.Column("intended_at", sa.Integer), sa.Column("code", sa.Integer)],
)
def test_column_of_another_type_is_refused(database: sa.Engine, column: sa.Column[object]) -> None:
    _altered(database, calls_table("calls"), column._copy(), column.name)
    assert f"{column.name} is {column.type.compile(database.dialect)}" in _told(database)


def test_column_that_no_call_has_is_refused(database: sa.Engine) -> None:
    _altered(database, calls_table("calls"), sa.Column("invoice", sa.Integer, nullable=False), "")
    assert "it takes no row without invoice, which no call has" in _told(database)


def test_further_columns_that_may_be_empty_will_do(database: sa.Engine) -> None:
    _altered(database, calls_table("calls"), sa.Column("remark", sa.Integer), "")
    assert Process(database).ask("a") == [Grant.GRANTED]


def test_table_without_its_key_is_refused(database: sa.Engine) -> None:
    keyless = [sa.Column(each.name, each.type) for each in budget_table("calls").columns]
    sa.Table("calls_budget", sa.MetaData(), *keyless).create(database, checkfirst=False)
    assert "'calls_budget' exists already and is no call ledger: it has no primary key" in _told(database)


def test_view_is_refused(database: sa.Engine) -> None:
    _execute(database, "CREATE VIEW calls AS SELECT 1 AS call_id")
    assert "'calls' is a view" in _told(database)


def test_times_without_a_zone_will_do(postgres_engine: sa.Engine) -> None:
    _altered(
        postgres_engine,
        calls_table("calls"),
        sa.Column("intended_at", sa.DateTime, nullable=False),
        "intended_at",
    )
    first = Process(postgres_engine)
    _execute(
        postgres_engine,
        "ALTER DATABASE CURRENT_DB SET timezone TO 'Asia/Shanghai'".replace(
            "CURRENT_DB", str(postgres_engine.url.database)
        ),
    )
    postgres_engine.dispose()
    try:
        first.ask("a")
        second = Process(postgres_engine)
        second.clock.pass_seconds(149)
        assert second.ask("a") == [Grant.CALLED_ELSEWHERE]
        second.clock.pass_seconds(2)
        assert second.ask("a") == [Grant.GRANTED]
    finally:
        _execute(postgres_engine, f"ALTER DATABASE {postgres_engine.url.database} RESET timezone")


def test_index_that_was_not_made_before_a_worker_died_is_made(mariadb_engine: sa.Engine) -> None:
    Process(mariadb_engine)
    _execute(mariadb_engine, "DROP INDEX calls_by_image ON calls")
    Process(mariadb_engine)
    assert [each["name"] for each in sa.inspect(mariadb_engine).get_indexes("calls")] == ["calls_by_image"]


@pytest.mark.parametrize(
    ("granted", "told"),
    [
        ("SELECT, INSERT", "may not update the call ledger's table 'calls'"),
        ("SELECT, UPDATE", "may not insert into the call ledger's table 'calls'"),
        ("INSERT, UPDATE", "may not "),
    ],
)
def test_missing_right_is_named(
    postgres: EmbeddedPostgres,
    postgres_engine: sa.Engine,
    new_engine: NewEngine,
    granted: str,
    told: str,
) -> None:
    Process(postgres_engine)
    url = postgres_engine.url.set(username="writer", password="writer")
    _execute(
        postgres_engine,
        "DROP ROLE IF EXISTS writer",
        "CREATE ROLE writer LOGIN PASSWORD 'writer'",
        "GRANT USAGE ON SCHEMA public TO writer",
        "GRANT SELECT, INSERT, UPDATE ON calls_budget TO writer",
        f"GRANT {granted} ON calls TO writer",
    )
    try:
        assert told in _told(new_engine(url))
        _execute(postgres_engine, "GRANT SELECT, INSERT, UPDATE ON calls TO writer")
        assert Process(new_engine(url)).ask("a") == [Grant.GRANTED]
    finally:
        _execute(postgres_engine, "DROP OWNED BY writer", "DROP ROLE writer")


def test_right_to_create_that_is_missing_is_named(postgres_engine: sa.Engine, new_engine: NewEngine) -> None:
    _execute(postgres_engine, "DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN PASSWORD 'reader'")
    try:
        told = _told(new_engine(postgres_engine.url.set(username="reader", password="reader")))
    finally:
        _execute(postgres_engine, "DROP ROLE reader")
    assert "the call ledger 'calls' could not be created" in told
    assert "grant the connection's user the right to create tables" in told


def test_tables_as_the_docs_create_them_will_do(postgres_engine: sa.Engine) -> None:
    page = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")
    (statements,) = re.findall(r"^```sql\n(CREATE TABLE.*?)^```", page, re.M | re.S)
    _execute(postgres_engine, statements.replace("permit_calls", "calls"))
    process = Process(postgres_engine)
    assert process.ask("a") == [Grant.GRANTED]
    assert len(sa.inspect(postgres_engine).get_indexes("calls")) == 1


def test_schema_that_is_missing_is_named(postgres_engine: sa.Engine) -> None:
    with pytest.raises(TargetError, match=r"the call ledger 'nowhere\.calls' could not be created"):
        Process(postgres_engine, table="nowhere.calls")


@pytest.mark.parametrize("dialect", ["snowflake", "redshift", "bigquery"])
def test_warehouse_that_keeps_no_keys_unique_is_refused(dialect: str) -> None:
    engine = sa.create_mock_engine("sqlite://", lambda *_: None)
    engine.dialect.name = dialect
    with pytest.raises(TargetError, match=f"a call ledger cannot be kept in {dialect}: it keeps no keys"):
        prepare_tables(engine, CallsTable("calls", conn_id="lake"))  # type: ignore[arg-type]


def test_ledger_that_disappears_in_mid_run_says_what_is_not_written(database: sa.Engine) -> None:
    process = Process(database)
    first = process.intent("key-of-a-person")
    process.ledger.exchange([first], [])
    _execute(database, "DROP TABLE calls")
    with pytest.raises(DatabaseError) as raised:
        process.ledger.exchange([process.intent("another-key")], [process.result(first.call_id)])
    told = str(raised.value)
    assert "writing into the call ledger 'calls' failed: " in told
    assert "1 calls were not made" in told
    assert "the outcome of 1 calls is not written there, so that they stay open (code IS NULL)" in told
    assert "key-of-a-person" not in told
    assert "another-key" not in told
