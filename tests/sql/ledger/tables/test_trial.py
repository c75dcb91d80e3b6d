"""A ledger whose tables do not keep to transactions is refused, found out by trying."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.errors import TargetError
from labs.ground.servers.postgres import EmbeddedPostgres
from tests.sql.ledger.ground import EACH_LEDGER, execute, prepared, rows_of

NewEngine = Callable[..., sa.Engine]
NO_TRANSACTIONS = "connection 'lake' commits each statement separately: remove autocommit from its extra"


@pytest.fixture
def kept_ledgers() -> None:
    """Databases are empty."""


def refusal(engine: sa.Engine) -> str:
    with pytest.raises(TargetError) as raised:
        prepared(engine)
    return str(raised.value)


def assert_nothing_was_left(engine: sa.Engine) -> None:
    for table in prepared(engine):
        assert len(rows_of(engine, table)) == (table.name == "permit_ocr_state")


@pytest.mark.slow
@EACH_LEDGER
def test_autocommit_of_the_engine_is_refused_and_leaves_nothing(
    database: sa.Engine, new_engine: NewEngine
) -> None:
    assert NO_TRANSACTIONS in refusal(new_engine(database.url, isolation_level="AUTOCOMMIT"))
    assert_nothing_was_left(database)


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_autocommit_of_a_postgresql_driver_is_refused(
    postgres: EmbeddedPostgres, postgres_database: str, new_engine: NewEngine, driver: str
) -> None:
    engine = new_engine(postgres.dsn(postgres_database, driver))

    @sa.event.listens_for(engine, "connect")
    def commit_each_statement(connection: Any, _record: object) -> None:
        connection.autocommit = True

    assert NO_TRANSACTIONS in refusal(engine)


@pytest.mark.slow
def test_autocommit_of_psycopg_by_its_arguments_is_refused(
    postgres_engine: sa.Engine, new_engine: NewEngine
) -> None:
    assert NO_TRANSACTIONS in refusal(new_engine(postgres_engine.url, connect_args={"autocommit": True}))
    assert_nothing_was_left(postgres_engine)


@pytest.mark.slow
def test_autocommit_of_a_mysql_connection_is_refused(
    mariadb_engine: sa.Engine, new_engine: NewEngine
) -> None:
    assert NO_TRANSACTIONS in refusal(new_engine(mariadb_engine.url, connect_args={"autocommit": True}))
    assert_nothing_was_left(mariadb_engine)


def test_autocommit_of_sqlite_is_refused(sqlite_engine: sa.Engine, new_engine: NewEngine) -> None:
    assert NO_TRANSACTIONS in refusal(new_engine(sqlite_engine.url, connect_args={"isolation_level": None}))
    assert_nothing_was_left(sqlite_engine)


@pytest.mark.slow
@pytest.mark.parametrize("kept_by", ["MyISAM", "Aria"])
@pytest.mark.parametrize("table", ["state", "answers"])
def test_a_storage_engine_without_transactions_is_named(
    mariadb_engine: sa.Engine, kept_by: str, table: str
) -> None:
    prepared(mariadb_engine)
    execute(mariadb_engine, f"ALTER TABLE permit_ocr_{table} ENGINE={kept_by}")
    said = refusal(mariadb_engine)
    assert f"'permit_ocr_{table}' is kept by the storage engine {kept_by}, which has no transactions" in said
    execute(mariadb_engine, said.partition("run: ")[2])
    assert_nothing_was_left(mariadb_engine)


def test_a_row_that_stays_as_it_may_not_be_deleted_belongs_to_no_list(
    postgres_engine: sa.Engine, new_engine: NewEngine
) -> None:
    tables = prepared(postgres_engine)
    execute(
        postgres_engine,
        "DROP ROLE IF EXISTS writer",
        "CREATE ROLE writer LOGIN PASSWORD 'writer'",
        "GRANT USAGE ON SCHEMA public TO writer",
        "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO writer",
    )
    try:
        url = postgres_engine.url.set(username="writer", password="writer")
        assert NO_TRANSACTIONS in refusal(new_engine(url, isolation_level="AUTOCOMMIT"))
    finally:
        execute(postgres_engine, "DROP OWNED BY writer", "DROP ROLE writer")
    assert [row.id > 0 for row in rows_of(postgres_engine, tables.state)] == [False, True]
    prepared(postgres_engine)


@pytest.mark.parametrize("database", ["psycopg", "mariadb", "sqlite"], indirect=True)
def test_a_row_that_is_refused_for_what_it_holds_proves_nothing(database: sa.Engine) -> None:
    prepared(database)
    execute(
        database,
        "DROP TABLE permit_ocr_counters",
        "CREATE TABLE permit_ocr_counters (account varchar(128) NOT NULL, period varchar(250) NOT NULL,"
        " calls bigint NOT NULL CHECK (calls >= 0), PRIMARY KEY (account, period))"
        + (
            " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
            if database.dialect.name != "postgresql"
            else ""
        )
        * (database.dialect.name != "sqlite"),
    )
    assert prepared(database)
