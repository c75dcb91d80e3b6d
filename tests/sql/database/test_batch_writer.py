"""What becomes of a batch when rows are refused, locks are held and servers restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.sql.database.batch_writer import write_batch
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.targets.result_schema import result_table
from labs.ground.servers.postgres import EmbeddedPostgres, temporary_postgres

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
TEXT_COLUMNS = [column.name for column in COLUMNS if "text" in column.kind.value]
Row = dict[str, Any]


def row_of(image_key: str, **values: Any) -> Row:
    empty = dict.fromkeys(column.name for column in COLUMNS)
    known = {"image_key": image_key, "card_side": "FRONT", "status": "recognized", "processed_at": NOON}
    return empty | known | values


def numbered(*numbers: int, **values: Any) -> list[Row]:
    return [row_of(f"{number:03}", **values) for number in numbers]


@pytest.fixture
def table(database: sa.Engine) -> sa.Table:
    """An empty result table."""
    made = result_table("permits")
    made.create(database, checkfirst=False)
    return made


@pytest.fixture
def waits() -> list[float]:
    return []


def keys_in(engine: sa.Engine, table: sa.Table) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(table.c.image_key).order_by(table.c.image_key)).scalars())


def test_row_without_a_status_is_refused_alone(
    database: sa.Engine, table: sa.Table, waits: list[float]
) -> None:
    rows = numbered(*range(20))
    rows[13]["status"] = rows[17]["status"] = None
    refused = write_batch(database, table, rows, patience=Patience(sleep=waits.append))
    assert sorted(refused) == [13, 17]
    assert keys_in(database, table) == [f"{number:03}" for number in range(20) if number not in (13, 17)]
    assert waits == []


def test_rows_refused_by_a_check_leave_the_earlier_rows_of_their_keys(
    database: sa.Engine, table: sa.Table
) -> None:
    write_batch(database, table, numbered(1, 2, 3))
    checked = sa.Table("permits", sa.MetaData(), *(c._copy() for c in table.columns))
    checked.append_constraint(sa.CheckConstraint("number <> '08320271'"))
    table.drop(database, checkfirst=False)
    checked.create(database, checkfirst=False)
    write_batch(database, table, numbered(1, 2, 3))
    rows = numbered(1, 2, 3, run_id="again")
    rows[1]["number"] = "08320271"
    refused = write_batch(database, table, rows)
    assert list(refused) == [1]
    assert "08320271" not in refused[1]
    with database.connect() as connection:
        found = connection.execute(sa.select(table.c.run_id).order_by(table.c.image_key)).scalars()
        assert list(found) == ["again", None, "again"]


@pytest.mark.slow
def test_rows_are_tried_no_more_once_so_many_are_refused(database: sa.Engine, table: sa.Table) -> None:
    checked = sa.Table("permits", sa.MetaData(), *(c._copy() for c in table.columns))
    checked.append_constraint(sa.CheckConstraint("number <> '08320271'"))
    table.drop(database, checkfirst=False)
    checked.create(database, checkfirst=False)
    statements: list[str] = []
    sa.event.listen(database, "before_cursor_execute", lambda *told: statements.append(told[2]))
    rows = [row_of(f"{place:03}", number="08320271" if place >= 100 else "x") for place in range(500)]
    refused = write_batch(database, table, rows, most_refused=20)
    assert sorted(place for place, reason in refused.items() if reason) == list(range(100, 120))
    assert keys_in(database, table) == [f"{place:03}" for place in range(100)]
    assert len(statements) < 120  # two each where rows are deleted and inserted


def test_key_twice_in_a_batch_is_written_with_its_last_row(database: sa.Engine, table: sa.Table) -> None:
    rows = [row_of("a", run_id="1"), row_of("b"), row_of("a", run_id="2")]
    assert write_batch(database, table, rows) == {}
    with database.connect() as connection:
        found = connection.execute(sa.select(table.c.run_id).order_by(table.c.image_key)).scalars()
        assert list(found) == ["2", None]


@pytest.mark.slow
@pytest.mark.parametrize("character", ["\x00", "\ud800"], ids=["NUL", "lone surrogate"])
def test_text_that_a_database_refuses_costs_its_row_alone(
    database: sa.Engine, table: sa.Table, character: str
) -> None:
    secrets = [f"secret of {name}" for name in TEXT_COLUMNS]
    rows = [
        row_of(f"{place:03}", **{name: secret + character})
        for place, (name, secret) in enumerate(zip(TEXT_COLUMNS, secrets, strict=True))
    ]
    refused = write_batch(database, table, [*rows, row_of("clean")])
    told = " ".join(refused.values())
    assert not [secret for secret in secrets if secret in told]
    assert len(keys_in(database, table)) == len(rows) + 1 - len(refused)
    assert "clean" in keys_in(database, table)


@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
@pytest.mark.parametrize(
    "obstacle",
    [
        "ALTER TABLE permits ALTER COLUMN name TYPE varchar(2)",
        "CREATE UNIQUE INDEX ON permits (name)",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF NEW.name = '李优图' THEN RAISE EXCEPTION 'not % again', NEW.name; END IF;"
        " RETURN NEW; END $$;"
        " CREATE TRIGGER refuse BEFORE INSERT ON permits FOR EACH ROW EXECUTE FUNCTION refuse()",
    ],
    ids=["too long", "doubled", "trigger"],
)
def test_poison_row_on_postgresql_costs_itself_alone(
    database: sa.Engine, table: sa.Table, obstacle: str
) -> None:
    with database.begin() as connection:
        connection.execute(sa.text(obstacle))
    write_batch(database, table, [row_of("earlier", name="李优图" if "UNIQUE" in obstacle else None)])
    rows = [*numbered(1, 2, 3), row_of("poison", name="李优图"), *numbered(4, 5)]
    refused = write_batch(database, table, rows)
    assert list(refused) == [3]
    assert "李优图" not in refused[3]
    assert keys_in(database, table) == ["001", "002", "003", "004", "005", "earlier"]


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.parametrize(
    ("values", "obstacle"),
    [
        ({"name": "李优图" * 100}, "ALTER TABLE permits MODIFY name VARCHAR(255)"),
        ({"name": "李优图"}, "ALTER TABLE permits MODIFY name VARCHAR(255) CHARACTER SET latin1"),
        (
            {"number": "secret"},
            "CREATE TRIGGER refuse BEFORE INSERT ON permits FOR EACH ROW"
            " IF NEW.number = 'secret' AND NEW.image_key = 'poison' THEN"
            " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not secret again'; END IF",
        ),
    ],
    ids=["too long", "encoding", "trigger"],
)
def test_poison_row_on_mariadb_costs_itself_alone(
    database: sa.Engine, table: sa.Table, values: Row, obstacle: str
) -> None:
    with database.begin() as connection:
        connection.execute(sa.text(obstacle))
    if "number" in values:
        write_batch(database, table, [row_of("earlier", **values)])
    rows = [*numbered(1, 2, 3), row_of("poison", **values), *numbered(4, 5)]
    refused = write_batch(database, table, rows)
    assert list(refused) == [3]
    assert not [value for value in values.values() if value in refused[3]]
    assert "poison" not in keys_in(database, table)


def test_statement_that_no_row_is_to_blame_for_fails_as_such(
    database: sa.Engine, table: sa.Table, waits: list[float]
) -> None:
    table.drop(database, checkfirst=False)
    with pytest.raises(sa.exc.SQLAlchemyError):
        write_batch(database, table, numbered(*range(10)), patience=Patience(sleep=waits.append))
    assert waits == []


def test_locked_sqlite_file_is_waited_for(tmp_path: Path, new_engine: Callable[..., sa.Engine]) -> None:
    path = tmp_path / "busy.db"
    engine = new_engine(f"sqlite:///{path}", connect_args={"timeout": 0})
    table = result_table("permits")
    table.create(engine)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    waits = []

    def let_go_at_the_third(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            other.rollback()

    assert write_batch(engine, table, numbered(1, 2), patience=Patience(sleep=let_go_at_the_third)) == {}
    assert len(waits) == 3
    assert waits == sorted(waits)
    assert keys_in(engine, table) == ["001", "002"]
    other.close()


def test_full_sqlite_file_is_not_a_rows_fault_and_leaves_nothing_half_written(
    sqlite_engine: sa.Engine, waits: list[float]
) -> None:
    table = result_table("permits")
    table.create(sqlite_engine)

    @sa.event.listens_for(sqlite_engine, "connect")
    def limit(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA max_page_count = 20")

    sqlite_engine.dispose()
    with pytest.raises(sa.exc.OperationalError, match="full"):
        write_batch(
            sqlite_engine,
            table,
            numbered(*range(50), profile="x" * 10_000),
            patience=Patience(sleep=waits.append),
        )
    assert waits == []
    assert keys_in(sqlite_engine, table) == []


@pytest.fixture
def own_postgres() -> Iterator[EmbeddedPostgres]:
    with temporary_postgres() as server:
        server.create_database("own")
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_server_that_restarts_between_and_during_writes_loses_nothing(
    own_postgres: EmbeddedPostgres, new_engine: Callable[..., sa.Engine], driver: str
) -> None:
    engine = new_engine(own_postgres.dsn("own", driver))

    @sa.event.listens_for(engine, "do_connect")
    def follow(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        parameters["port"] = own_postgres.port

    table = result_table("permits")
    table.create(engine)
    waits: list[float] = []

    @sa.event.listens_for(engine, "before_cursor_execute")
    def stop_once(*_: Any) -> None:
        if not waits:
            own_postgres.stop()

    def start(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            own_postgres.start()

    assert write_batch(engine, table, numbered(*range(50)), patience=Patience(sleep=start)) == {}
    assert len(waits) == 2
    assert len(keys_in(engine, table)) == 50


@pytest.mark.slow
def test_server_that_stays_away_is_waited_for_as_long_as_asked_for(
    own_postgres: EmbeddedPostgres, new_engine: Callable[..., sa.Engine], waits: list[float]
) -> None:
    engine = new_engine(own_postgres.dsn("own", "psycopg"))
    own_postgres.stop()
    with pytest.raises(sa.exc.OperationalError):
        write_batch(
            engine,
            result_table("permits"),
            numbered(1),
            patience=Patience(clock=lambda: sum(waits), sleep=waits.append),
        )
    assert sum(waits) == pytest.approx(120)


@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
def test_lock_that_is_let_go_of_is_waited_for(database: sa.Engine, table: sa.Table) -> None:
    write_batch(database, table, numbered(1))

    @sa.event.listens_for(database, "connect")
    def hurry(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        connection.commit()

    database.dispose()
    with database.connect() as other:
        other.execute(sa.text("SELECT * FROM permits FOR UPDATE"))
        assert (
            write_batch(database, table, numbered(1, 2), patience=Patience(sleep=lambda _: other.rollback()))
            == {}
        )
    assert keys_in(database, table) == ["001", "002"]
