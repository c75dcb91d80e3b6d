"""The ledger that tests share is as new for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.tables.schema import SHAPE, ledger_tables
from tests.sql.ledger.ground import EACH_LEDGER, execute, prepared, rows_of
from tests.support.kept_ledger import KeptLedgers

TABLES = ledger_tables("permit_ocr")
CHANGES = {
    "a table": "CREATE TABLE permits (number integer)",
    "a view": "CREATE VIEW permits AS SELECT call_id FROM permit_ocr_calls",
    "a column": "ALTER TABLE permit_ocr_calls ADD COLUMN further integer",
    "a check": "ALTER TABLE permit_ocr_calls ADD CONSTRAINT nobody CHECK (billed IS NULL)",
    "an index": "CREATE INDEX further ON permit_ocr_calls (account)",
    "a table less": "DROP TABLE permit_ocr_answers",
}


@pytest.fixture(params=["postgres", "mariadb"])
def restore(
    request: pytest.FixtureRequest, session_ledgers: KeptLedgers
) -> Iterator[Callable[[], sa.Engine]]:
    """Do what is done before each test, and return an engine on the ledger's database."""
    engine: sa.Engine = request.getfixturevalue(f"{request.param}_engine")
    name = engine.url.database
    if request.param == "postgres":
        dsn = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(dsn, autocommit=True) as session:

            def begin_again() -> sa.Engine:
                engine.dispose()
                session_ledgers.restore_postgres(
                    engine,
                    session,
                    lambda: session.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public"),
                )
                return engine

            yield begin_again
        return
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:

        def empty() -> None:
            for statement in (f"DROP DATABASE {name}", f"CREATE DATABASE {name} CHARACTER SET utf8mb4"):
                connection.exec_driver_sql(statement)

        def restore_mariadb() -> sa.Engine:
            session_ledgers.restore_mysql(engine, connection, empty)
            return engine

        yield restore_mariadb


def definitions(engine: sa.Engine) -> dict[str, Any]:
    inspector = sa.inspect(engine)
    return {
        name: (
            [each["name"] for each in inspector.get_columns(name)],
            sorted(str(each["name"]) for each in inspector.get_indexes(name)),
            sorted(str(each["name"]) for each in inspector.get_check_constraints(name)),
        )
        for name in [*inspector.get_table_names(), *inspector.get_view_names()]
    }


@pytest.mark.slow
@EACH_LEDGER
def test_a_shared_ledger_begins_like_one_that_is_new(database: sa.Engine) -> None:
    tables = prepared(database)
    (state,) = rows_of(database, tables.state)
    assert (state.shape, state.version, state.timezone, state.examined) == (SHAPE, 0, "UTC", "[]")
    assert all(rows_of(database, table) == [] for table in tables if table is not tables.state)


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_nothing_that_a_test_changes_reaches_the_next(restore: Callable[[], sa.Engine], change: str) -> None:
    engine = restore()
    before = definitions(engine)
    prepared(engine)
    execute(engine, CHANGES[change])
    assert definitions(engine) != before

    restore()

    assert definitions(engine) == before
    assert [rows_of(engine, table) for table in TABLES] == [[]] * len(list(TABLES))


def statements_of_a_run(engine: sa.Engine) -> list[str]:
    """Prepare the ledger as a run does, through an engine whose URL does not say where it leads to."""
    dialect = engine.dialect
    words, options = dialect.create_connect_args(engine.url)
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    run = sa.create_engine(
        f"{dialect.name}+{dialect.driver}://",
        creator=lambda: dialect.connect(*words, **options),
        poolclass=sa.pool.NullPool,
    )
    database_of(run).set_up(run)
    sa.event.listen(run, "before_cursor_execute", note)
    prepared(run)
    return said


@EACH_LEDGER
def test_a_run_takes_the_ledger_as_it_is(database: sa.Engine) -> None:
    # Where it is, its state, that row, and what it holds of versions.
    assert len(statements_of_a_run(database)) <= 12


@pytest.mark.slow
@EACH_LEDGER
@pytest.mark.parametrize(
    ("statement", "is_looked_at"),
    [
        ("CREATE TABLE permits (name varchar(9) DEFAULT 'CREATE')", False),
        ("SELECT 1 FROM permit_ocr_state WHERE 'DROP' IS NULL", False),
        ("DROP INDEX permit_ocr_calls_by_time", True),
        ("DROP SCHEMA IF EXISTS nowhere", True),
        ("SELECT 1; ALTER ROLE nobody", True),
    ],
)
def test_a_ledger_is_looked_at_again_once_a_statement_may_have_changed_it(
    database: sa.Engine, statement: str, is_looked_at: bool
) -> None:
    with suppress(sa.exc.SQLAlchemyError), database.begin() as connection:
        connection.exec_driver_sql(statement)
    assert (len(statements_of_a_run(database)) > 12) is is_looked_at
