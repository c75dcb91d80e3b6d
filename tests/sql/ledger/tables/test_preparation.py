"""What a ledger finds before its first call: nothing, its own tables, or something else."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.sql.ledger.tables.preparation import check_tables, prepare_tables, read_state
from airflow_provider_permitocr.sql.ledger.tables.schema import SHAPE, ledger_tables
from labs.ground.servers.postgres import EmbeddedPostgres
from tests.sql.ledger.ground import EACH_LEDGER, EVERY_LEDGER, LEDGER, execute, prepared, rows_of
from tests.support.found_columns import columns

NewEngine = Callable[..., sa.Engine]
TABLES = ledger_tables("permit_ocr")


@pytest.fixture
def kept_ledgers() -> None:
    """Databases are empty."""


def refusal(engine: sa.Engine, described: Ledger = LEDGER) -> str:
    with pytest.raises(TargetError) as raised:
        prepared(engine, described)
    return str(raised.value)


def make(
    engine: sa.Engine, table: sa.Table, *, without: str = "", extra: sa.Column[Any] | None = None
) -> None:
    """Create a table of the ledger without a column, and with another."""
    kept = [each._copy() for each in table.columns if each.name != without]
    further = [] if extra is None else [extra._copy()]
    sa.Table(table.name, sa.MetaData(), *kept, *further).create(engine, checkfirst=False)


@pytest.mark.slow
@EVERY_LEDGER
def test_all_tables_and_the_row_that_is_locked_are_made_once(database: sa.Engine) -> None:
    tables = prepared(database)
    (state,) = rows_of(database, tables.state)
    prepared(database)
    assert rows_of(database, tables.state) == [state]
    assert re.fullmatch("[0-9a-f]{32}", state.ledger_id)
    assert (state.shape, state.version, state.timezone) == (SHAPE, 0, "UTC")
    assert all(rows_of(database, table) == [] for table in tables if table is not tables.state)
    assert {index.name for index in tables.images.indexes} <= {
        each["name"] for each in sa.inspect(database).get_indexes(tables.images.name)
    }


@EVERY_LEDGER
def test_tasks_that_start_together_make_one_ledger(database: sa.Engine) -> None:
    barrier = threading.Barrier(6)

    def prepare() -> str:
        barrier.wait()
        tables = prepared(database)
        with database.connect() as connection:
            return read_state(connection, LEDGER, tables).ledger_id

    with ThreadPoolExecutor(6) as pool:
        prepares = [pool.submit(prepare) for _ in range(6)]
        assert len({each.result() for each in prepares}) == 1


@pytest.mark.slow
@EACH_LEDGER
def test_looking_creates_nothing(database: sa.Engine) -> None:
    assert check_tables(database, LEDGER) is False
    assert sa.inspect(database).get_table_names() == []
    prepared(database)
    assert check_tables(database, LEDGER) is True


@EACH_LEDGER
@pytest.mark.parametrize(
    ("table", "column"), [("calls", "billed"), ("images", "attempt_status"), ("state", "version")]
)
def test_a_table_that_lacks_a_column_is_refused_and_left_alone(
    database: sa.Engine, table: str, column: str
) -> None:
    make(database, getattr(TABLES, table), without=column)
    said = refusal(database)
    assert f"'permit_ocr_{table}' exists already and cannot hold a ledger: it lacks {column}" in said
    assert 'give the ledger another name, ledger=Ledger("...", conn_id="...")' in said
    with database.connect() as connection:
        assert column not in (columns(connection, f"permit_ocr_{table}") or {})
    assert sa.inspect(database).get_table_names() == [f"permit_ocr_{table}"]


@pytest.mark.parametrize("database", ["psycopg", "mariadb"], indirect=True)
@pytest.mark.parametrize(
    "column",
    [sa.Column("billed", sa.Date), sa.Column("intended_at", sa.Integer), sa.Column("code", sa.Integer)],
)
def test_a_column_of_another_type_is_refused(database: sa.Engine, column: sa.Column[Any]) -> None:
    make(database, TABLES.calls, without=column.name, extra=column)
    assert f"{column.name} is {column.type.compile(database.dialect)}" in refusal(database)


@pytest.mark.parametrize("database", ["psycopg", "mariadb"], indirect=True)
def test_a_column_too_short_for_keys_is_refused(database: sa.Engine) -> None:
    exact = sa.String(64).with_variant(
        mysql.VARCHAR(64, charset="utf8mb4", collation="utf8mb4_nopad_bin"), "mysql", "mariadb"
    )
    execute(database, str(sa.schema.CreateTable(TABLES.images).compile(database)))
    kind = exact.compile(database.dialect)
    if database.dialect.name == "postgresql":
        execute(database, f"ALTER TABLE permit_ocr_images ALTER image_key TYPE {kind}")
    else:
        execute(database, f"ALTER TABLE permit_ocr_images MODIFY image_key {kind} NOT NULL")
    assert "image_key holds 64 characters instead of 512" in refusal(database)


@pytest.mark.slow
@EACH_LEDGER
def test_a_column_that_no_ledger_fills_is_refused(database: sa.Engine) -> None:
    make(database, TABLES.calls, extra=sa.Column("invoice", sa.Integer, nullable=False))
    assert "it requires a value for invoice, which is never written" in refusal(database)


@pytest.mark.slow
@EACH_LEDGER
def test_further_columns_that_may_be_empty_are_let_be(database: sa.Engine) -> None:
    make(database, TABLES.calls, extra=sa.Column("remark", sa.Integer))
    assert prepared(database)


@EACH_LEDGER
def test_a_table_without_its_key_is_refused(database: sa.Engine) -> None:
    keyless = [sa.Column(each.name, each.type) for each in TABLES.counters.columns]
    sa.Table("permit_ocr_counters", sa.MetaData(), *keyless).create(database, checkfirst=False)
    assert "it has no primary key or unique constraint on (account, period)" in refusal(database)


@EACH_LEDGER
def test_a_view_is_refused(database: sa.Engine) -> None:
    execute(database, "CREATE VIEW permit_ocr_calls AS SELECT 1 AS call_id")
    assert "'permit_ocr_calls' is a view" in refusal(database)


@EACH_LEDGER
def test_a_ledger_of_another_shape_is_refused_before_its_columns_are_judged(database: sa.Engine) -> None:
    tables = prepared(database)
    execute(
        database, f"UPDATE {tables.state.name} SET shape = {SHAPE + 1}", f"DROP TABLE {tables.calls.name}"
    )
    make(database, TABLES.calls, without="billed")
    said = refusal(database)
    assert f"created by another version of this package (shape {SHAPE + 1}, not {SHAPE})" in said
    # Not its own name, which would lead to the same refusal.
    assert f'ledger=Ledger("{LEDGER.name}_2", conn_id="{LEDGER.conn_id}")' in said
    assert said.endswith("and run airflow permitocr adopt DAG TASK")
    with pytest.raises(TargetError, match="created by another version"):
        check_tables(database, LEDGER)


@pytest.mark.slow
@EACH_LEDGER
def test_a_ledger_that_lost_its_state_goes_on_counting(database: sa.Engine) -> None:
    tables = prepared(database)
    execute(
        database,
        f"DELETE FROM {tables.state.name}",
        f"INSERT INTO {tables.deliveries.name} (list_id, target, delivery_id, version)"
        " VALUES (1, 'lake:permits', 1, 41)",
    )
    prepared(database)
    (state,) = rows_of(database, tables.state)
    assert state.version == 41


def test_an_emptied_ledger_is_said_to_be(sqlite_engine: sa.Engine) -> None:
    tables = prepared(sqlite_engine)
    execute(sqlite_engine, f"DELETE FROM {tables.state.name}")
    with sqlite_engine.connect() as connection, pytest.raises(TargetError, match="was emptied"):
        read_state(connection, LEDGER, tables)


@pytest.mark.parametrize("database", ["psycopg", "mariadb", "sqlite"], indirect=True)
def test_an_index_that_is_missing_is_made(database: sa.Engine) -> None:
    tables = prepared(database)
    on = " ON permit_ocr_images" if database.dialect.name in ("mysql", "mariadb") else ""
    execute(database, f"DROP INDEX permit_ocr_images_by_version{on}")
    prepared(database)
    assert "permit_ocr_images_by_version" in {
        each["name"] for each in sa.inspect(database).get_indexes(tables.images.name)
    }


@pytest.mark.slow
def test_times_without_a_zone_are_read_and_written_in_utc(postgres_engine: sa.Engine) -> None:
    make(
        postgres_engine,
        TABLES.deliveries,
        without="session_until",
        extra=sa.Column("session_until", sa.DateTime),
    )
    tables = prepared(postgres_engine)
    assert type(tables.deliveries.c.session_until.type).__name__ == "UtcTime"
    assert type(tables.runs.c.ended_at.type).__name__ != "UtcTime"


def test_a_database_without_what_a_ledger_needs_is_refused_with_the_line_to_paste() -> None:
    engine: Any = sa.create_mock_engine("sqlite://", lambda *_: None)
    engine.dialect.name = "duckdb"
    for refuses in (lambda: prepare_tables(engine, LEDGER, "UTC"), lambda: check_tables(engine, LEDGER)):
        with pytest.raises(TargetError) as raised:
            refuses()
        assert "a ledger cannot be kept in DuckDB" in str(raised.value)
        assert 'ledger=Ledger("permit_ocr", conn_id="...")' in str(raised.value)


def test_a_schema_that_is_missing_is_named(postgres_engine: sa.Engine) -> None:
    elsewhere = Ledger("nowhere.permit_ocr", conn_id="lake")
    assert "the ledger 'nowhere.permit_ocr' could not be created" in refusal(postgres_engine, elsewhere)
    with pytest.raises(TargetError, match="there is no schema 'nowhere'"):
        check_tables(postgres_engine, elsewhere)


@pytest.fixture
def reader(postgres_engine: sa.Engine, new_engine: NewEngine) -> Any:
    """An engine of a user who may read and write tables, and create none."""
    execute(
        postgres_engine,
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN PASSWORD 'reader'",
        "GRANT USAGE ON SCHEMA public TO reader",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE ON TABLES TO reader",
    )
    yield new_engine(postgres_engine.url.set(username="reader", password="reader"))
    execute(postgres_engine, "DROP OWNED BY reader", "DROP ROLE reader")


@pytest.mark.slow
def test_without_the_right_to_create_the_statements_for_a_dba_are_given_and_work(
    postgres_engine: sa.Engine, reader: sa.Engine
) -> None:
    said = refusal(reader)
    assert "the ledger 'permit_ocr' could not be created" in said
    with pytest.raises(TargetError, match="may not create tables"):
        check_tables(reader, LEDGER)
    script = said.partition("administrator:\n")[2]
    execute(postgres_engine, *filter(str.strip, script.split(";\n")))
    tables = prepared(reader)
    with reader.connect() as connection:
        assert read_state(connection, LEDGER, tables).version == 0


@pytest.mark.slow
def test_without_the_right_to_create_in_mariadb_the_statements_work_too(
    mariadb_engine: sa.Engine, new_engine: NewEngine
) -> None:
    schema = mariadb_engine.url.database
    execute(
        mariadb_engine,
        "CREATE OR REPLACE USER permitocr_reader@'%%' IDENTIFIED BY 'reader'",
        f"GRANT SELECT, INSERT, UPDATE ON {schema}.* TO permitocr_reader@'%%'",
    )
    try:
        reader = new_engine(mariadb_engine.url.set(username="permitocr_reader", password="reader"))
        script = refusal(reader).partition("administrator:\n")[2]
        execute(mariadb_engine, *filter(str.strip, script.split(";\n")))
        assert prepared(reader)
    finally:
        execute(mariadb_engine, "DROP USER permitocr_reader@'%%'")


@pytest.mark.slow
@pytest.mark.parametrize("right", ["INSERT", "UPDATE", "SELECT"])
def test_a_missing_right_is_named(postgres_engine: sa.Engine, reader: sa.Engine, right: str) -> None:
    prepared(postgres_engine)
    execute(postgres_engine, f"REVOKE {right} ON permit_ocr_answers FROM reader")
    said = refusal(reader)
    assert "may not " in said
    assert "the ledger's table 'permit_ocr_answers'" in said


@pytest.mark.slow
def test_the_ledger_is_kept_in_the_schema_that_its_name_says(postgres_engine: sa.Engine) -> None:
    execute(postgres_engine, "CREATE SCHEMA ops")
    prepared(postgres_engine, Ledger("ops.permit_ocr", conn_id="lake"))
    assert len(sa.inspect(postgres_engine).get_table_names("ops")) == 11
    assert sa.inspect(postgres_engine).get_table_names("public") == []


def test_statements_name_the_schema(postgres: EmbeddedPostgres, postgres_engine: sa.Engine) -> None:
    said = refusal(postgres_engine, Ledger("nowhere.permit_ocr", conn_id="lake"))
    assert "CREATE TABLE nowhere.permit_ocr_state (" in said
    assert (
        "CREATE INDEX permit_ocr_images_by_version ON nowhere.permit_ocr_images (list_id, version);" in said
    )
