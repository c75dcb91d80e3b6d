from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.delivery.ports import Held
from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.sql.database.failures import DatabaseError, DatabaseUnreachableError
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from tests.support.found_columns import columns

FrameOf = Callable[..., pd.DataFrame]
on_postgresql = pytest.mark.parametrize("database", ["psycopg"], indirect=True)


def _target(engine: sa.Engine, table: str = "permits") -> SqlResultTarget:
    return SqlResultTarget(engine, ResultTable(table, conn_id="warehouse"))


def _refusal(engine: sa.Engine, table: str = "permits") -> str:
    with pytest.raises(TargetError) as caught:
        _target(engine, table).prepare()
    return str(caught.value)


def _execute(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@on_postgresql
def test_table_is_made_with_real_types_and_comments(database: sa.Engine) -> None:
    _target(database).prepare()
    columns = {each["name"]: each for each in sa.inspect(database).get_columns("permits")}
    assert list(columns) == [column.name for column in COLUMNS]
    assert {
        name: str(columns[name]["type"]) for name in ("birthday", "warn_recapture", "tries", "number")
    } == {
        "birthday": "DATE",
        "warn_recapture": "BOOLEAN",
        "tries": "BIGINT",
        "number": "TEXT",
    }
    for name in ("processed_at", "image_updated_at"):
        kind = columns[name]["type"]
        assert isinstance(kind, sa.TIMESTAMP)
        assert kind.timezone
    assert {name: column["comment"] for name, column in columns.items()} == {
        column.name: column.comment for column in COLUMNS
    }
    assert [name for name, column in columns.items() if not column["nullable"]] == [
        "image_key",
        "card_side",
        "status",
    ]


@pytest.mark.slow
def test_key_is_image_and_side(database: sa.Engine) -> None:
    _target(database).prepare()
    with database.connect() as connection:
        assert database_of(connection).unique_keys(connection, "permits") == {
            frozenset(("image_key", "card_side"))
        }


def test_preparing_again_keeps_the_rows(database: sa.Engine, frame_of: FrameOf) -> None:
    for _ in range(2):
        target = _target(database)
        target.prepare()
        target.write(frame_of("a"))
    with database.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM permits")).scalar_one() == 1


def test_table_is_empty_until_it_has_a_row(database: sa.Engine, frame_of: FrameOf) -> None:
    target = _target(database)
    target.prepare()
    assert (target.is_empty(), target.held()) == (True, Held(0))
    target.write(frame_of("a"))
    assert (target.is_empty(), target.held().rows) == (False, 1)


def test_highest_version_of_the_rows_is_the_tables(database: sa.Engine, frame_of: FrameOf) -> None:
    target = _target(database)
    target.prepare()
    target.write(frame_of("a", version=2**40))
    target.write(frame_of("b", version=7))
    target.write(frame_of("c"))
    assert target.held() == Held(3, 2**40)


@pytest.mark.slow
def test_tasks_that_prepare_at_the_same_moment_all_succeed(database: sa.Engine) -> None:
    together = threading.Barrier(6)

    def prepare(_: int) -> None:
        target = _target(database)
        together.wait()
        target.prepare()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(prepare, range(6)))
    assert sa.inspect(database).has_table("permits")


def test_sqlite_file_is_made_where_it_is_missing(
    tmp_path: Path, new_engine: Callable[..., sa.Engine], frame_of: FrameOf
) -> None:
    path = tmp_path / "new.db"
    target = _target(new_engine(f"sqlite:///{path}"))
    target.prepare()
    target.write(frame_of("a"))
    reader = new_engine(f"sqlite:///{path}")
    with reader.connect() as connection:
        assert connection.execute(sa.text("SELECT name FROM permits")).scalar_one() == "李优图"


@on_postgresql
def test_table_may_stand_in_another_schema(database: sa.Engine, frame_of: FrameOf) -> None:
    _execute(database, "CREATE SCHEMA mart", "CREATE TABLE permits (unrelated int)")
    target = _target(database, "mart.permits")
    target.prepare()
    target.write(frame_of("a"))
    with database.connect() as connection:
        assert connection.execute(sa.text("SELECT image_key FROM mart.permits")).scalars().all() == ["a"]


@on_postgresql
def test_schema_that_is_missing_is_asked_for(database: sa.Engine) -> None:
    told = _refusal(database, "nowhere.permits")
    assert "'nowhere.permits' could not be created" in told
    assert "create its schema" in told


@pytest.mark.slow
def test_schema_that_sqlite_does_not_know_is_named(sqlite_engine: sa.Engine) -> None:
    with pytest.raises((TargetError, DatabaseError), match=r"'nowhere.permits'.*nowhere"):
        _target(sqlite_engine, "nowhere.permits").prepare()


def test_table_of_somebody_else_is_refused_and_left_alone(database: sa.Engine) -> None:
    _execute(database, "CREATE TABLE permits (image_key text, status text)")
    told = _refusal(database)
    assert "exists already and cannot hold the result: it lacks" in told
    assert "card_side" in told
    with database.connect() as connection:
        assert set(columns(connection, "permits") or ()) == {"image_key", "status"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "index",
    [
        None,
        "CREATE INDEX by_key ON copied (image_key, card_side)",
        "CREATE UNIQUE INDEX by_key ON copied (image_key)",
    ],
    ids=["none", "not unique", "another key"],
)
def test_table_without_a_usable_unique_key_is_refused(database: sa.Engine, index: str | None) -> None:
    _target(database, "original").prepare()
    _execute(database, "CREATE TABLE copied AS SELECT * FROM original", *([index] if index else []))
    assert "no primary key or unique constraint on (image_key, card_side)" in _refusal(database, "copied")


@pytest.mark.parametrize("database", ["psycopg", "sqlite"], indirect=True)
def test_table_whose_unique_key_leaves_rows_out_is_refused(database: sa.Engine) -> None:
    _target(database, "original").prepare()
    partial = "CREATE UNIQUE INDEX by_key ON copied (image_key, card_side) WHERE status = 'recognized'"
    _execute(database, "CREATE TABLE copied AS SELECT * FROM original", partial)
    assert "no primary key or unique constraint on (image_key, card_side)" in _refusal(database, "copied")


@pytest.mark.slow
@pytest.mark.parametrize("key", ["image_key, card_side", "card_side, image_key"])
def test_unique_index_in_place_of_a_primary_key_will_do(
    database: sa.Engine, frame_of: FrameOf, key: str
) -> None:
    _target(database, "original").prepare()
    _execute(
        database,
        "CREATE TABLE copied AS SELECT * FROM original",
        f"CREATE UNIQUE INDEX by_key ON copied ({key})",
    )
    target = _target(database, "copied")
    target.prepare()
    for run in ("run-1", "run-2"):
        target.write(frame_of("a", run_id=run))
    with database.connect() as connection:
        assert connection.execute(sa.text("SELECT run_id FROM copied")).scalars().all() == ["run-2"]


def test_further_columns_of_the_user_are_left_alone(database: sa.Engine, frame_of: FrameOf) -> None:
    target = _target(database)
    target.prepare()
    target.write(frame_of("a"))
    _execute(
        database, "ALTER TABLE permits ADD COLUMN reviewed_by text", "UPDATE permits SET reviewed_by = 'me'"
    )
    target.prepare()
    target.write(frame_of("a", run_id="run-2"))
    with database.connect() as connection:
        assert connection.execute(sa.text("SELECT reviewed_by, run_id FROM permits")).all() == [
            ("me", "run-2")
        ]


def test_view_in_place_of_the_table_is_refused(database: sa.Engine) -> None:
    _target(database, "original").prepare()
    _execute(database, "CREATE VIEW permits AS SELECT * FROM original")
    assert "'permits'" in _refusal(database)


def test_user_without_the_right_to_create_is_told_so(
    postgres_engine: sa.Engine, new_engine: Callable[..., sa.Engine]
) -> None:
    _execute(postgres_engine, "CREATE SCHEMA closed")
    restricted = new_engine(postgres_engine.url)

    @sa.event.listens_for(restricted, "connect")
    def give_up_rights(connection: object, record: object) -> None:
        connection.execute("SET ROLE pg_read_all_data")  # type: ignore[attr-defined]
        connection.commit()  # type: ignore[attr-defined]

    told = _refusal(restricted, "closed.permits")
    assert "may not create tables in its schema" in told
    assert "grant the connection's user the right to create tables" in told


def test_checking_tells_whether_there_is_a_table_and_creates_none(database: sa.Engine) -> None:
    target = _target(database)
    assert not target.check()
    assert not sa.inspect(database).has_table("permits")
    target.prepare()
    assert target.check()


def test_checking_refuses_what_preparing_would(database: sa.Engine) -> None:
    _execute(database, "CREATE TABLE permits (image_key text, status text)")
    with pytest.raises(TargetError, match="exists already and cannot hold the result: it lacks"):
        _target(database).check()


@on_postgresql
@pytest.mark.parametrize("schema", ["nowhere", "No'where", 'no"where'])
def test_checking_a_table_in_a_missing_schema_asks_for_the_schema(database: sa.Engine, schema: str) -> None:
    with pytest.raises(TargetError, match=r"there is no schema .*; create its schema"):
        _target(database, f"{schema}.permits").check()


@pytest.mark.usefixtures("impatient")
def test_unreachable_database_is_said_to_be_so(new_engine: Callable[..., sa.Engine]) -> None:
    engine = new_engine("postgresql+psycopg://me:hidden@127.0.0.1:1/warehouse")
    with pytest.raises(
        DatabaseUnreachableError, match=r"looking at the result table 'permits' failed: .*refused"
    ) as caught:
        _target(engine).prepare()
    assert "hidden" not in str(caught.value)
