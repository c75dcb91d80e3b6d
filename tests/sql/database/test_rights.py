"""What is said where a user may not write, where nobody may, and where the connection was lost meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.dialects.database import NO_CHANGES
from airflow_provider_permitocr.sql.ledger.tables.preparation import check_tables, prepare_tables
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from labs.ground.servers.postgres import EmbeddedPostgres

NewEngine = Callable[..., sa.Engine]
LEDGER = Ledger("permit_ocr", conn_id="warehouse")


def _target(engine: sa.Engine, table: str = "permits") -> SqlResultTarget:
    return SqlResultTarget(engine, ResultTable(table, conn_id="warehouse"), patience=Patience(sleep=_pass))


def _pass(seconds: float) -> None:
    """Let no time pass."""


def _told(check: Callable[[], object]) -> str:
    with pytest.raises(TargetError) as raised:
        check()
    return str(raised.value)


@pytest.fixture(params=["psycopg", "psycopg2"])
def reader_of_postgres(
    request: pytest.FixtureRequest,
    postgres: EmbeddedPostgres,
    postgres_database: str,
    new_engine: NewEngine,
) -> tuple[sa.Engine, sa.Engine]:
    """Engines on one database: as of its primary server, and as of a server that follows."""
    dsn = postgres.dsn(postgres_database, request.param)
    read_only = {"options": "-c default_transaction_read_only=on"}
    return new_engine(dsn), new_engine(dsn, connect_args=read_only)


@pytest.mark.slow
def test_a_server_of_postgresql_that_takes_no_changes_is_said_to_be_one(
    reader_of_postgres: tuple[sa.Engine, sa.Engine],
) -> None:
    primary, reader = reader_of_postgres
    for check in (_target(reader).check, lambda: check_tables(reader, LEDGER)):
        assert f"could not be created: {NO_CHANGES}" in _told(check)
    _target(primary).prepare()
    prepare_tables(primary, LEDGER, "UTC")
    for check in (_target(reader).check, lambda: check_tables(reader, LEDGER)):
        told = _told(check)
        assert f"{NO_CHANGES}; name the primary server" in told
        assert "grant" not in told


def test_a_session_of_mysql_that_takes_no_changes_is_said_to_be_one(
    mariadb_engine: sa.Engine, new_engine: NewEngine
) -> None:
    _target(mariadb_engine).prepare()
    reader = new_engine(mariadb_engine.url)

    @sa.event.listens_for(reader, "connect")
    def read_only(connection: Any, record: object) -> None:
        connection.cursor().execute("SET SESSION TRANSACTION READ ONLY")

    told = _told(_target(reader).check)
    assert NO_CHANGES in told
    assert "grant" not in told


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_file_that_takes_no_changes_is_said_to_be_one(
    tmp_path: Path, new_engine: NewEngine, kind: str
) -> None:
    path = tmp_path / "permits.db"
    writer = new_engine(f"{kind}:///{path}")
    _target(writer).prepare()
    writer.dispose()
    reader = (
        new_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
        if kind == "sqlite"
        else new_engine(f"duckdb:///{path}", connect_args={"read_only": True})
    )
    told = _told(_target(reader).check)
    assert NO_CHANGES in told
    assert "grant" not in told


@pytest.mark.parametrize("database", ["psycopg", "psycopg2", "mariadb"], indirect=True)
def test_a_connection_that_is_lost_while_rights_are_tried_is_no_missing_right(database: sa.Engine) -> None:
    _target(database).prepare()
    lost: list[str] = []

    @sa.event.listens_for(database, "before_cursor_execute")
    def lose(connection: Any, cursor: Any, statement: str, *_: object) -> None:
        if statement.startswith("INSERT") and not lost:
            lost.append(statement)
            connection.connection.dbapi_connection.close()

    assert _target(database).check()
    assert lost
