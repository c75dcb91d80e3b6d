"""A server, endpoint or file that accepts no changes: no right would help, and no other try."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.sql.ledger.tables.preparation import prepare_tables
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines
from labs.ground.servers.postgres import EmbeddedPostgres
from tests.support.drivers import needs_psycopg
from tests.support.mariadb import OwnMariaDb

ReadOnly = Callable[[], Any]

_TARGET, _LEDGER = ResultTable("permits", conn_id="lake"), Ledger("permit_ocr", conn_id="lake")


@pytest.fixture(
    params=[
        pytest.param("psycopg", marks=needs_psycopg),
        *("psycopg2", "pymysql", "mysqlclient", "sqlite", "duckdb"),
    ]
)
def read_only(
    request: pytest.FixtureRequest, set_connection: Callable[..., None], tmp_path: Path
) -> ReadOnly:
    """Make ``lake`` lead to an empty database; what is returned makes that read-only."""
    kind: str = request.param
    if kind.startswith("psycopg"):
        server: EmbeddedPostgres = request.getfixturevalue("postgres")
        fields = server.airflow_connection(request.getfixturevalue("postgres_database"))
        extra = {"sqlalchemy_scheme": f"postgresql+{kind}"}
        set_connection("lake", **fields, extra=extra)
        options = {"options": "-c default_transaction_read_only=on"}
        return lambda: _again(set_connection, fields | {"extra": extra | options})
    if kind in ("sqlite", "duckdb"):
        fields = {"conn_type": kind, "host": str(tmp_path / "lake")}
        set_connection("lake", **fields)
        extra = {"mode": "ro"} if kind == "sqlite" else {"read_only": "true"}
        return lambda: _again(set_connection, fields | {"extra": extra})
    if kind == "mysqlclient":
        pytest.importorskip("MySQLdb")
    own: OwnMariaDb = request.getfixturevalue("own_mariadb")
    own.run(
        "DROP DATABASE IF EXISTS lake",
        "CREATE DATABASE lake",
        "CREATE OR REPLACE USER writer@'127.0.0.1'",
        "GRANT ALL ON lake.* TO writer@'127.0.0.1'",
    )
    fields = own.airflow_connection(client=kind) | {"login": "writer", "password": None}
    set_connection("lake", **fields)
    return lambda: own.settings(read_only="1")


@contextmanager
def _again(set_connection: Callable[..., None], fields: dict[str, Any]) -> Iterator[None]:
    set_connection("lake", **fields)
    yield


@pytest.mark.parametrize("is_there", [False, True], ids=["new", "there"])
def test_a_result_table_where_nothing_may_change_is_refused_as_such(
    read_only: ReadOnly, is_there: bool
) -> None:
    with SqlEngines() as engines:
        # Without a file there is nothing to be read.
        with engines.of("lake").begin() as connection:
            connection.execute(sa.text("CREATE TABLE elsewhere (a integer)"))
        if is_there:
            SqlResultTarget(engines.of("lake"), _TARGET).prepare()
    with read_only(), SqlEngines() as engines:
        with pytest.raises(
            TargetError, match=r"'permits'.*: this server, or the connection to it, accepts no changes; \w"
        ) as said:
            SqlResultTarget(engines.of("lake"), _TARGET).prepare()
        assert "grant" not in str(said.value)


@pytest.mark.slow
@pytest.mark.parametrize("is_there", [False, True], ids=["new", "there"])
def test_a_ledger_where_nothing_may_change_is_refused_as_such(
    request: pytest.FixtureRequest, read_only: ReadOnly, is_there: bool
) -> None:
    if "duckdb" in request.node.name:
        pytest.skip("holds no ledger")
    with SqlEngines() as engines:
        with engines.of("lake").begin() as connection:
            connection.execute(sa.text("CREATE TABLE elsewhere (a integer)"))
        if is_there:
            prepare_tables(engines.of_ledger("lake"), _LEDGER, "UTC")
    with read_only(), SqlEngines() as engines:
        with pytest.raises(
            TargetError, match=r"ledger.*: this server, or the connection to it, accepts no changes; \w"
        ) as said:
            prepare_tables(engines.of_ledger("lake"), _LEDGER, "UTC")
        assert "Grant" not in str(said.value)
