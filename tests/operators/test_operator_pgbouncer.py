"""Through PgBouncer in transaction mode, each transaction has another session, and so have strangers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr import Batch, Ledger, ResultTable, shards
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.options.lists.shard import Shard
from airflow_provider_permitocr.wiring.connections.sql_engine import sql_engine
from tests.support.drivers import PSYCOPG, PSYCOPG2
from tests.support.pgbouncer import PgBouncer

pytestmark = pytest.mark.slow

ImageList = Callable[..., list[Specimen]]
Execute = Callable[..., dict[str, Any]]

_IMAGES, _SHARDS = 40, 4
#: Of a session, as far as a stranger would notice.
_SETTINGS = (
    *("TimeZone", "DateStyle", "lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"),
    *("enable_material", "search_path", "client_encoding", "transaction_isolation", "application_name"),
)
#: What is another in every run.
_OTHERS = ("request_id", "processed_at", "attempted_at", "version", "run_id")
_schemes = pytest.mark.parametrize("scheme", [PSYCOPG, PSYCOPG2])


@pytest.fixture
def kept_ledgers() -> None:
    """Databases are empty: the ledger is made through PgBouncer as well."""


def _settings(bouncer: PgBouncer, database: str) -> set[tuple[str, ...]]:
    """Read the settings of all sessions that PgBouncer keeps, by holding as many at once."""
    found = set()
    strangers = [bouncer.connect(database) for _ in range(2)]
    for stranger in strangers:
        stranger.execute("BEGIN")
    for stranger in strangers:
        rows = [stranger.execute(f"SHOW {name}").fetchone() for name in _SETTINGS]
        found.add(tuple(str(row[0]) for row in rows if row))
        stranger.execute("ROLLBACK")
        assert stranger.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
        stranger.close()
    return found


def _rows(engine: sa.Engine, table: str) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        rows = connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY image_key")).mappings().all()
    return [{name: value for name, value in row.items() if name not in _OTHERS} for row in rows]


@_schemes
def test_shards_at_once_leave_no_call_open_and_no_trace_in_sessions(
    scheme: str,
    pgbouncer: PgBouncer,
    postgres_database: str,
    warehouse: sa.Engine,
    image_list: ImageList,
    execute: Execute,
    connected: RunningEmulator,
    set_connection: Callable[..., None],
) -> None:
    image_list(_IMAGES)
    execute(
        target=ResultTable("direct", conn_id="warehouse"), ledger=Ledger("direct_ocr", conn_id="warehouse")
    )
    set_connection("warehouse", **pgbouncer.airflow_connection(postgres_database, sqlalchemy_scheme=scheme))
    before = _settings(pgbouncer, postgres_database)

    def run(shard: Shard | str) -> dict[str, Any]:
        # Small batches: many transactions over few sessions.
        return execute(shard=shard, batch=Batch(rows=3, seconds=0.1))

    with ThreadPoolExecutor(_SHARDS) as pool:
        summaries = list(pool.map(run, shards(_SHARDS)))

    assert sum(each["calls"] for each in summaries) == _IMAGES
    assert len(before) == 1
    assert _settings(pgbouncer, postgres_database) == before
    with warehouse.connect() as connection:
        still_open = connection.execute(sa.text("SELECT count(*) FROM permit_ocr_calls WHERE code IS NULL"))
        assert still_open.scalar_one() == 0
    rows = _rows(warehouse, "permits")
    assert [row["status"] for row in rows] == ["recognized"] * _IMAGES
    assert rows == _rows(warehouse, "direct")


@_schemes
@pytest.mark.parametrize(
    ("fields", "extra", "message"),
    [
        ({}, {"options": "-c search_path=permits"}, "startup parameter.*ignore_startup_parameters"),
        ({"password": "wrong"}, {}, "authentication failed.*correct login and password"),
        ({"login": "clerk"}, {}, "authentication failed.*correct login and password"),
        ({"schema": "nowhere"}, {}, 'database "nowhere" does not exist.*correct the connection\'s schema'),
    ],
)
def test_what_pgbouncer_refuses_is_refused_naming_what_to_change(
    scheme: str,
    fields: dict[str, str],
    extra: dict[str, str],
    message: str,
    pgbouncer: PgBouncer,
    postgres_database: str,
    set_connection: Callable[..., None],
) -> None:
    connection = pgbouncer.airflow_connection(postgres_database, sqlalchemy_scheme=scheme, **extra)
    set_connection("lake", **connection | fields)
    engine = sql_engine("lake")
    with pytest.raises(ConfigurationError, match=message), engine.connect():
        pass


@_schemes
def test_a_statement_is_run_often_without_being_prepared(
    scheme: str, pgbouncer: PgBouncer, postgres_database: str, set_connection: Callable[..., None]
) -> None:
    set_connection("lake", **pgbouncer.airflow_connection(postgres_database, sqlalchemy_scheme=scheme))
    engine = sql_engine("lake")
    for _ in range(2):
        connections = [engine.connect() for _ in range(2)]
        for number in range(20):
            for connection in connections:
                assert connection.scalar(sa.text("SELECT CAST(:n AS int)"), {"n": number}) == number
                connection.commit()
        for connection in connections:
            connection.close()
    engine.dispose()
