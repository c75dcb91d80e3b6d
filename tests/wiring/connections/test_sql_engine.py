from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_permitocr import (
    ImageTable,
    Ledger,
    MainlandPermitOcrOperator,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.columns import Column, ColumnKind, Record, result_columns
from airflow_provider_permitocr.sql.database.failures import DatabaseError, describe, is_transient
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from airflow_provider_permitocr.wiring.connections.sql_engine import sql_engine
from labs.ground.servers.postgres import EmbeddedPostgres

SetConnection = Callable[..., None]
_RESULTS = ResultTable("permits", conn_id="lake", documents_view="documents")

_HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("CREATE TABLE held (a int)")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def duckdb_file(tmp_path: Path, set_connection: SetConnection) -> Path:
    """A DuckDB file that is not there yet, as Airflow's own provider connects to it."""
    file = tmp_path / "lake.duckdb"
    set_connection("lake", conn_type="duckdb", host=str(file))
    return file


def test_duckdb_takes_results_through_airflows_own_hook(duckdb_file: Path) -> None:
    from airflow_provider_permitocr.engine.delivery.frame import to_frame

    engine = sql_engine("lake")
    carried = result_columns([Column("pivot", ColumnKind.TEXT, "A word that DuckDB reserves")])
    target = SqlResultTarget(engine, _RESULTS)
    target.prepare(carried)
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    record: Record = {"image_key": "a", "card_side": "FRONT", "status": "recognized", "pivot": "x"}
    target.write(to_frame([record | {"processed_at": noon}], carried))
    with engine.connect() as connection:
        assert connection.execute(sa.text('SELECT "pivot" FROM documents')).scalar_one() == "x"
    engine.dispose()
    assert duckdb_file.exists()


def test_values_are_kept_out_of_the_errors_of_duckdb(duckdb_file: Path) -> None:
    engine = sql_engine("lake")
    with engine.connect() as connection, pytest.raises(sa.exc.SQLAlchemyError) as caught:
        connection.execute(sa.text("SELECT :number FROM nowhere"), {"number": "08320271"})
    engine.dispose()
    assert "08320271" not in str(caught.value)


@pytest.mark.slow
def test_duckdb_file_that_another_process_holds_is_said_to_be_held(duckdb_file: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(duckdb_file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        engine = sql_engine("lake")
        with pytest.raises(DatabaseError, match=r"'permits' failed: .*Could not set lock on file"):
            SqlResultTarget(engine, _RESULTS).prepare()
        engine.dispose()
    finally:
        holder.communicate()


def test_connection_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigurationError, match="there is no connection 'nowhere'"):
        sql_engine("nowhere")


@pytest.mark.parametrize(
    ("conn_type", "message"),
    [
        ("aws", "'lake' is of type 'aws', which is not an SQL database"),
        ("no_such_thing", "is not installed .*pip install apache-airflow-providers-no-such-thing"),
        ("redshift", "'lake'.* of type 'redshift', which is not supported; PostgreSQL.*Parquet ResultFile"),
    ],
)
def test_a_connection_that_leads_to_no_database_of_ours_is_refused(
    set_connection: SetConnection, conn_type: str, message: str
) -> None:
    set_connection("lake", conn_type=conn_type, host="warehouse.example.com")
    with pytest.raises(ConfigurationError, match=message):
        sql_engine("lake")


@pytest.mark.parametrize(
    ("module", "fields", "package"),
    [
        ("psycopg2", {"conn_type": "postgres", "extra": {"sqlalchemy_scheme": "postgresql+psycopg2"}}, None),
        ("pymysql", {"conn_type": "mysql", "extra": {"client": "pymysql"}}, "pymysql"),
        ("MySQLdb", {"conn_type": "mysql"}, "mysqlclient"),
        ("duckdb_engine", {"conn_type": "duckdb"}, "duckdb-engine"),
    ],
)
def test_a_missing_driver_is_named_with_what_to_install(
    set_connection: SetConnection,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    fields: dict[str, Any],
    package: str | None,
) -> None:
    for loaded in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    set_connection("lake", host="127.0.0.1", **fields)
    with pytest.raises(
        ConfigurationError, match=rf"driver of .* not installed.*{package or 'psycopg2-binary'}"
    ):
        sql_engine("lake")


def test_a_missing_provider_is_named_with_what_to_install(
    set_connection: SetConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "airflow.providers.mysql.hooks.mysql", raising=False)
    monkeypatch.setitem(sys.modules, "airflow.providers.mysql.hooks", None)
    set_connection("lake", conn_type="mysql", host="127.0.0.1")
    with pytest.raises(ConfigurationError, match="pip install apache-airflow-providers-mysql"):
        sql_engine("lake")


def test_connections_opened_at_once_are_each_their_own(warehouse: sa.Engine) -> None:
    engine = sql_engine("warehouse")
    at_once = Barrier(4)

    def number(_: int) -> Any:
        with engine.connect() as connection:
            at_once.wait(timeout=30)
            return connection.scalar(sa.text("SELECT pg_backend_pid()"))

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(number, range(4)))) == 4
    engine.dispose()


def test_a_password_that_was_changed_in_mid_run_may_be_changed_back(
    postgres: EmbeddedPostgres, postgres_database: str, set_connection: SetConnection
) -> None:
    set_connection("lake", **postgres.airflow_connection(postgres_database) | {"login": "clerk"})
    with postgres_role(postgres, "clerk") as change_password:
        change_password(postgres.password)
        engine = sql_engine("lake")
        with engine.connect() as held:
            change_password("another")
            with pytest.raises(sa.exc.OperationalError), engine.connect():
                pass
            assert held.scalar(sa.text("SELECT 1")) == 1
        engine.dispose()


@pytest.mark.parametrize("fault", [AirflowException, OSError, ValueError])
def test_a_hook_that_fails_in_mid_run_is_waited_for(
    warehouse: sa.Engine, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    """It may ask other services for a token: those may be down while a database fails over."""
    connect, is_failing = PostgresHook.get_conn, False

    def get_conn(hook: PostgresHook) -> Any:
        if is_failing:
            raise fault("no token for secret-user")
        return connect(hook)

    monkeypatch.setattr(PostgresHook, "get_conn", get_conn)
    engine = sql_engine("warehouse")
    with engine.connect() as held:
        is_failing = True
        with pytest.raises(sa.exc.SQLAlchemyError) as raised, engine.connect():
            pass
        assert is_transient(raised.value)
        assert describe(raised.value) == f"its hook failed with {fault.__name__}"
        assert "secret" not in str(raised.value)
        is_failing = False
        with engine.connect() as another:
            assert another.scalar(sa.text("SELECT 1")) == held.scalar(sa.text("SELECT 1"))
    engine.dispose()


def _change_password(connection: psycopg.Connection, name: str, password: str) -> None:
    connection.execute(f"ALTER ROLE {name} PASSWORD '{password}'")


@contextmanager
def postgres_role(server: EmbeddedPostgres, name: str) -> Iterator[Callable[[str], None]]:
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN")
        try:
            yield partial(_change_password, connection, name)
        finally:
            connection.execute(f"DROP ROLE {name}")


def test_a_wrong_connection_fails_the_task_for_good_before_any_call(
    warehouse: sa.Engine,
    postgres: EmbeddedPostgres,
    set_connection: SetConnection,
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
) -> None:
    connect_emulator(emulator)
    with warehouse.begin() as connection:
        connection.execute(sa.text("CREATE TABLE images (id text, image text)"))
    set_connection("lake", **postgres.airflow_connection("nowhere"))
    for wrong in ("source", "target", "ledger"):
        conn_ids = dict.fromkeys(("source", "target", "ledger"), "warehouse") | {wrong: "lake"}
        operator = MainlandPermitOcrOperator(
            task_id="recognize",
            source=ImageTable("images", conn_id=conn_ids["source"], key="id", image="image"),
            target=ResultTable("permits", conn_id=conn_ids["target"]),
            ledger=Ledger("permit_ocr", conn_id=conn_ids["ledger"]),
            list="permits",
        )
        with pytest.raises(
            AirflowFailException, match=r"'lake' cannot be opened: .*correct the connection's"
        ):
            operator.execute({"run_id": "run-1"})
    assert emulator.stats()["calls"] == 0
