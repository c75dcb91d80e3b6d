"""Changes of tables, views and indexes that others have open, or that other tasks make at the same moment."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.columns import COLUMNS, Column, ColumnKind, result_columns
from airflow_provider_permitocr.sql.database import patience
from airflow_provider_permitocr.sql.database.changes import Change, carry_out
from airflow_provider_permitocr.sql.database.failures import DatabaseUnreachableError
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.dialects import concurrent_index, mysql, postgresql, sqlite
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from tests.sql.ledger.ground import EACH_LEDGER, execute, prepared
from tests.support.found_columns import columns

NewEngine = Callable[..., sa.Engine]
BRANCH = Column("branch", ColumnKind.TEXT, "Carried along")
SOON = 60
LOCKING = pytest.mark.parametrize("database", ["psycopg", "psycopg2", "mariadb"], indirect=True)
CHANGING = re.compile(r"\s*(CREATE|ALTER|DROP|COMMENT|SET|BEGIN IMMEDIATE|LOCK)\b", re.IGNORECASE)
BY_VERSION = "permit_ocr_images_by_version"
#: Sessions that wait for a lock on a table.
WAITING = {
    "postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'permits'::regclass",
    "mysql": "SELECT count(*) FROM information_schema.processlist"
    " WHERE state = 'Waiting for table metadata lock' AND db = database()",
}


@pytest.fixture(autouse=True)
def one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for locks for a second, and give up after two or three tries, so that tests are fast."""
    monkeypatch.setattr(patience, "_BRIEFLY_SECONDS", 1)
    for module in (postgresql, mysql, sqlite, concurrent_index):
        monkeypatch.setattr(module, "LOCK_SECONDS", 1)


@pytest.fixture
def other(database: sa.Engine, new_engine: NewEngine) -> sa.Engine:
    """Another program's engine on the same database."""
    return new_engine(database.url)


@pytest.fixture
def statements(database: sa.Engine) -> list[str]:
    """What the engine is told to execute."""
    told: list[str] = []

    @sa.event.listens_for(database, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        told.append(statement)

    return told


@pytest.fixture
def analyst(other: sa.Engine) -> Iterator[Callable[..., sa.Connection]]:
    """Leave a SELECT open in a transaction."""
    with other.connect().execution_options(isolation_level="REPEATABLE READ") as connection:

        def read(*tables: str) -> sa.Connection:
            for table in tables:
                connection.exec_driver_sql(f"SELECT count(*) FROM {table}").all()
            return connection

        yield read


def target(engine: sa.Engine, seconds: float = 0, **options: Any) -> SqlResultTarget:
    described = ResultTable("permits", conn_id="lake", **options)
    return SqlResultTarget(engine, described, patience=Patience(seconds))


def names(engine: sa.Engine, table: str = "permits") -> list[str]:
    with engine.connect() as connection:
        return list(columns(connection, table) or ())


def wait_until_somebody_waits(engine: sa.Engine) -> None:
    until = time.monotonic() + SOON
    while True:
        with engine.connect() as connection:
            if connection.exec_driver_sql(WAITING[engine.dialect.name]).scalar_one():
                return
        assert time.monotonic() < until, "nobody waits for a lock"
        time.sleep(0.02)


def count(engine: sa.Engine, table: str) -> int:
    """Read as another user does, who waits for a lock for 20 s."""
    patient = "SET LOCAL lock_timeout = '20s'"
    if engine.dialect.name != "postgresql":
        patient = "SET SESSION lock_wait_timeout = 20"
    with engine.connect() as connection:
        connection.exec_driver_sql(patient)
        found: int = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
        return found


@pytest.mark.slow
@LOCKING
def test_readers_pass_while_a_column_waits_for_an_open_transaction(
    database: sa.Engine, other: sa.Engine, analyst: Callable[..., sa.Connection]
) -> None:
    target(database).prepare()
    transaction = analyst("permits")
    with ThreadPoolExecutor(1) as pool:
        upgrade = pool.submit(target(database, SOON).prepare, result_columns([BRANCH]))
        try:
            for _ in range(2):
                wait_until_somebody_waits(other)
                assert count(other, "permits") == 0
                assert not upgrade.done()
        finally:
            transaction.rollback()
        upgrade.result(SOON)
    assert names(database)[-1] == "branch"


@pytest.mark.slow
@LOCKING
def test_column_that_waits_in_vain_says_who_is_in_the_way_and_is_added_later(
    database: sa.Engine, analyst: Callable[..., sa.Connection]
) -> None:
    target(database).prepare()
    transaction = analyst("permits")
    with pytest.raises(DatabaseUnreachableError) as raised:
        target(database).prepare(result_columns([BRANCH]))
    said = str(raised.value)
    assert "adding columns to the result table 'permits' failed: another session holds a lock on it" in said
    query = re.search(r"find it with (SELECT .*) and end it", said)
    assert query
    with database.connect() as connection:
        assert connection.exec_driver_sql(query[1]).all()
    transaction.rollback()
    target(database).prepare(result_columns([BRANCH]))
    assert names(database)[-1] == "branch"


@pytest.mark.slow
@LOCKING
def test_view_that_is_being_read_is_left_to_the_next_run_and_rows_are_taken(
    database: sa.Engine,
    other: sa.Engine,
    analyst: Callable[..., sa.Connection],
    caplog: pytest.LogCaptureFixture,
) -> None:
    shown: dict[str, Any] = {"documents_view": "documents"}
    target(database, **shown).prepare()
    target(database).prepare(result_columns([BRANCH]))
    transaction = analyst("documents")
    target(database, **shown).prepare(result_columns([BRANCH]))
    assert "The view 'documents' could not be updated" in caplog.text
    assert "Rows are delivered; the next run tries again" in caplog.text
    assert count(other, "documents") == 0
    transaction.rollback()
    target(database, **shown).prepare(result_columns([BRANCH]))
    assert names(database, "documents")[-1] == "branch"


@pytest.mark.slow
@EACH_LEDGER
def test_nothing_is_executed_where_nothing_is_to_change(database: sa.Engine, statements: list[str]) -> None:
    for _ in range(2):
        statements.clear()
        prepared(database)
        target(database, documents_view="documents").prepare(result_columns([BRANCH]))
    assert [each for each in statements if CHANGING.match(each)] == []


@EACH_LEDGER
def test_settings_of_the_session_are_afterwards_as_they_were(database: sa.Engine) -> None:
    asked = {
        "postgresql": "SHOW lock_timeout",
        "mysql": "SELECT @@SESSION.lock_wait_timeout",
        "sqlite": "PRAGMA busy_timeout",
    }[database.dialect.name]

    def setting() -> Any:
        with database.connect() as connection:
            return connection.exec_driver_sql(asked).scalar_one()

    def fail() -> None:
        with database_of(database).changing(database) as connection:
            assert connection.exec_driver_sql(asked).scalar_one() != before
            connection.exec_driver_sql("CREATE TABLE permits (image_key")

    before = setting()
    with pytest.raises(SQLAlchemyError):
        fail()
    assert setting() == before


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_lock_is_given_up_where_the_connection_commits_each_statement_by_itself(
    postgres_engine: sa.Engine, new_engine: NewEngine, driver: str
) -> None:
    target(postgres_engine).prepare()
    by_itself = new_engine(
        postgres_engine.url.set(drivername=f"postgresql+{driver}"), isolation_level="AUTOCOMMIT"
    )
    with postgres_engine.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM permits")
        with pytest.raises(DatabaseUnreachableError, match="another session holds a lock"):
            target(by_itself).prepare(result_columns([BRANCH]))
    with by_itself.connect() as connection:
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar_one() == "0"


@pytest.mark.slow
def test_readers_of_sqlite_are_waited_for_shortly(sqlite_engine: sa.Engine, new_engine: NewEngine) -> None:
    target(sqlite_engine).prepare()
    with new_engine(sqlite_engine.url).connect() as reader:
        reader.exec_driver_sql("BEGIN")
        reader.exec_driver_sql("SELECT count(*) FROM permits").all()
        with pytest.raises(DatabaseUnreachableError, match="look for other programs that use the file"):
            target(sqlite_engine).prepare(result_columns([BRANCH]))
    target(sqlite_engine).prepare(result_columns([BRANCH]))
    assert names(sqlite_engine)[-1] == "branch"


class _Race:
    """Changes that another task makes as soon as they have been looked at."""

    def __init__(self, engine: sa.Engine, tables: int) -> None:
        metadata = sa.MetaData()
        self.engine = engine
        self.tables = [
            sa.Table(f"t{number}", metadata, sa.Column("a", sa.Integer)) for number in range(tables)
        ]
        self.looks = 0
        self.ahead = 1

    def wanted(self, connection: sa.Connection) -> list[Change]:
        self.looks += 1
        there = set(sa.inspect(connection).get_table_names())
        missing = [table for table in self.tables if table.name not in there]
        connection.rollback()
        for table in missing[: self.ahead]:
            table.create(self.engine)

        def creation(table: sa.Table) -> Change:
            return lambda connection: table.create(connection, checkfirst=False)

        return [creation(table) for table in missing]


@pytest.mark.parametrize("database", ["psycopg", "mariadb", "sqlite", "duckdb"], indirect=True)
def test_changes_go_on_as_long_as_others_leave_less_to_do(database: sa.Engine) -> None:
    race = _Race(database, tables=6)
    carry_out(database, race.wanted, "creating tables", Patience(SOON, sleep=lambda _: None))
    assert len(sa.inspect(database).get_table_names()) == 6


@pytest.mark.parametrize("database", ["psycopg", "mariadb", "sqlite", "duckdb"], indirect=True)
def test_what_is_in_the_way_and_never_seen_is_told_after_three_tries(database: sa.Engine) -> None:
    race = _Race(database, tables=1)
    race.tables[0].create(database)
    tried: list[int] = []

    def wanted(_connection: sa.Connection) -> list[Change]:
        tried.append(1)
        return [lambda connection: race.tables[0].create(connection, checkfirst=False)]

    with pytest.raises(SQLAlchemyError, match="already exists"):
        carry_out(database, wanted, "creating tables", Patience(SOON, sleep=lambda _: None))
    assert len(tried) == 3


def _drop_index(engine: sa.Engine) -> None:
    execute(
        engine,
        f"DROP INDEX {BY_VERSION}" + (" ON permit_ocr_images" if engine.dialect.name == "mysql" else ""),
    )


def _is_valid(engine: sa.Engine) -> bool | None:
    statement = f"SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('{BY_VERSION}')"
    with engine.connect() as connection:
        return connection.exec_driver_sql(statement).scalar_one_or_none()


@pytest.mark.slow
@pytest.mark.parametrize("database", ["psycopg"], indirect=True)
def test_an_index_is_made_behind_an_open_transaction(
    database: sa.Engine, analyst: Callable[..., sa.Connection]
) -> None:
    prepared(database)
    _drop_index(database)
    analyst("permit_ocr_images")
    prepared(database)
    assert _is_valid(database)


@pytest.mark.slow
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_an_index_that_must_wait_is_left_to_the_next_run_with_a_warning(
    database: sa.Engine, analyst: Callable[..., sa.Connection], caplog: pytest.LogCaptureFixture
) -> None:
    prepared(database)
    _drop_index(database)
    transaction = analyst("permit_ocr_images")
    prepared(database)
    assert "The ledger 'permit_ocr' lacks indexes, which makes runs slower" in caplog.text
    assert f"CREATE INDEX {BY_VERSION} ON permit_ocr_images (list_id, version);" in caplog.text
    assert count(database, "permit_ocr_images") == 0
    transaction.rollback()
    prepared(database)
    assert BY_VERSION in {each["name"] for each in sa.inspect(database).get_indexes("permit_ocr_images")}


@pytest.mark.slow
@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
def test_an_index_of_a_large_table_is_given_up_behind_an_open_transaction_and_made_by_the_next_run(
    database: sa.Engine,
    analyst: Callable[..., sa.Connection],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(concurrent_index, "_LARGE_BYTES", -1)
    prepared(database)
    _drop_index(database)
    transaction = analyst("permit_ocr_lists")
    prepared(database)
    assert "lacks indexes" in caplog.text
    assert _is_valid(database) is False
    transaction.rollback()
    prepared(database)
    assert _is_valid(database)


@pytest.mark.slow
@pytest.mark.parametrize("database", ["psycopg"], indirect=True)
def test_writers_are_not_held_up_by_an_index_of_a_large_table(
    database: sa.Engine,
    other: sa.Engine,
    analyst: Callable[..., sa.Connection],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(concurrent_index, "_LARGE_BYTES", -1)
    monkeypatch.setattr(concurrent_index, "LOCK_SECONDS", SOON)
    prepared(database)
    _drop_index(database)
    transaction = analyst("permit_ocr_lists")
    with ThreadPoolExecutor(1) as pool:
        build = pool.submit(prepared, database)
        until = time.monotonic() + SOON
        while _is_valid(other) is None and not build.done():
            assert time.monotonic() < until
        with other.begin() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
            connection.exec_driver_sql("UPDATE permit_ocr_images SET tries = 1")
        # Another task leaves alone what is being made.
        prepared(other)
        transaction.rollback()
        build.result(SOON)
    assert _is_valid(database)


@pytest.mark.slow
def test_six_tasks_that_bring_one_table_up_to_date_all_succeed(mariadb_engine: sa.Engine) -> None:
    target(mariadb_engine).prepare()
    together = threading.Barrier(6)
    further = [Column(f"further_{number}", ColumnKind.TEXT, "Carried along") for number in range(6)]

    def prepare(_number: int) -> None:
        together.wait()
        target(mariadb_engine).prepare(result_columns(further))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(prepare, range(6)))
    assert names(mariadb_engine) == [column.name for column in (*COLUMNS, *further)]


@pytest.mark.slow
def test_a_lock_that_is_lost_for_good_is_raised_when_patience_ends(sqlite_engine: sa.Engine) -> None:
    def wanted(_connection: sa.Connection) -> list[Change]:
        return [lambda connection: connection.exec_driver_sql("CREATE TABLE t (a)")]

    with sqlite_engine.connect() as holder:
        holder.exec_driver_sql("BEGIN EXCLUSIVE")
        with pytest.raises(OperationalError, match="locked"):
            carry_out(sqlite_engine, wanted, "creating a table", Patience(0))
