from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.errors import PermitOcrError, TargetError
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.columns import COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget

FrameOf = Callable[..., pd.DataFrame]
NewEngine = Callable[..., sa.Engine]
_not_sqlite = pytest.mark.parametrize("database", ["psycopg", "mariadb", "duckdb"], indirect=True)


def _target(engine: sa.Engine, table: str = "permits", **options: Any) -> SqlResultTarget:
    return SqlResultTarget(engine, ResultTable(table, conn_id="warehouse", **options))


def _execute(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _told(engine: sa.Engine, **options: Any) -> str:
    """What preparing says, which checking has to say, too."""
    with pytest.raises(TargetError) as checked:
        _target(engine, **options).check()
    with pytest.raises(TargetError) as prepared:
        _target(engine, **options).prepare()
    assert str(checked.value) == str(prepared.value)
    return str(checked.value)


def _make_table(engine: sa.Engine, **types: str) -> None:
    """Make a result table with some columns of other types, and with those alone beside what it needs."""
    key = "varchar(99) COLLATE utf8mb4_nopad_bin" if engine.dialect.name == "mysql" else "varchar(99)"
    columns = {"image_key": f"{key} NOT NULL", "card_side": "varchar(9) NOT NULL", "status": "text"} | types
    described = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    _execute(engine, f"CREATE TABLE permits ({described}, PRIMARY KEY (image_key, card_side))")


def test_further_unique_key_is_refused_on_mariadb(mariadb_engine: sa.Engine) -> None:
    _target(mariadb_engine).prepare()
    _execute(mariadb_engine, "CREATE UNIQUE INDEX once ON permits (request_id(50))")
    assert "another unique key on (request_id)" in _told(mariadb_engine)


@pytest.mark.slow
@pytest.mark.parametrize("database", ["psycopg"], indirect=True)
@pytest.mark.parametrize(
    "change",
    [
        "CREATE RULE copied AS ON INSERT TO permits DO ALSO SELECT 1",
        "CREATE RULE kept AS ON UPDATE TO permits DO INSTEAD NOTHING",
    ],
    ids=["of inserts", "of updates"],
)
def test_table_of_postgresql_with_a_rule_is_refused(database: sa.Engine, change: str) -> None:
    _target(database).prepare()
    _execute(database, change)
    told = _told(database)
    assert "the result table 'permits' accepts no rows that replace those with the same key" in told
    assert "ON CONFLICT" in told


@pytest.mark.parametrize("database", ["psycopg"], indirect=True)
@pytest.mark.parametrize("key", ["PRIMARY KEY", "UNIQUE"])
def test_deferrable_key_of_postgresql_is_refused(database: sa.Engine, key: str) -> None:
    _target(database).prepare()
    _execute(
        database,
        "ALTER TABLE permits DROP CONSTRAINT permits_pkey,"
        f" ADD {key} (image_key, card_side) DEFERRABLE INITIALLY IMMEDIATE",
    )
    assert "no primary key or unique constraint on (image_key, card_side) that is not" in _told(database)


@pytest.mark.parametrize("database", ["psycopg"], indirect=True)
def test_name_that_postgresql_would_cut_off_is_refused(database: sa.Engine) -> None:
    longest = "签" * 21
    carried = [Column(f"{longest}发", ColumnKind.TEXT, "")]
    with pytest.raises(TargetError, match="has 66 bytes, and PostgreSQL truncates names after 63"):
        _target(database).look([*COLUMNS, *carried])
    with pytest.raises(TargetError, match="has 66 bytes"):
        _target(database, f"{longest}发").check()
    _target(database, longest).check()


@pytest.mark.parametrize("database", ["psycopg", "sqlite"], indirect=True)
def test_unique_index_over_an_expression_is_no_key_and_no_fault(
    database: sa.Engine, frame_of: FrameOf
) -> None:
    _target(database).prepare()
    _execute(database, "CREATE UNIQUE INDEX own ON permits (lower(image_key), card_side)")
    target = _target(database)
    target.check()
    target.prepare()
    target.write(frame_of("key"))


@pytest.mark.slow
@_not_sqlite
@pytest.mark.parametrize(
    ("column", "kind", "wanted"),
    [
        ("number", "bigint", "TEXT"),
        ("birthday", "varchar(20)", "DATE"),
        ("birthday", "timestamp NULL", "DATE"),
        ("tries", "varchar(9)", "BIGINT"),
        ("warn_photocopy", "varchar(9)", "BOOL"),
        ("processed_at", "date", "(TIMESTAMP|DATETIME)"),
        ("image_bytes", "double precision", "BIGINT"),
    ],
)
def test_column_of_another_type_is_refused_with_both(
    database: sa.Engine, column: str, kind: str, wanted: str
) -> None:
    if (database.dialect.name, kind) == ("duckdb", "double precision"):
        kind = "double"
    _make_table(database, **{column: kind})
    told = _told(database)
    assert "'permits' exists already and cannot hold the result: " in told
    assert pd.Series([told]).str.contains(rf"{column} is \S.* instead of {wanted}").all()


@pytest.mark.parametrize(("kind", "number"), [("integer", "INTEGER"), ("numeric", "NUMERIC"), ("int", "INT")])
def test_number_column_that_would_take_the_zeros_off_is_refused_on_sqlite(
    sqlite_engine: sa.Engine, kind: str, number: str
) -> None:
    _make_table(sqlite_engine, number=kind)
    assert f"number is {number}" in _told(sqlite_engine)


def test_strict_table_of_sqlite_will_do(sqlite_engine: sa.Engine, frame_of: FrameOf) -> None:
    numbers = (ColumnKind.INTEGER, ColumnKind.BOOLEAN)
    columns = ", ".join(
        f"{column.name} {'INTEGER' if column.kind in numbers else 'TEXT'}" for column in COLUMNS
    )
    _execute(sqlite_engine, f"CREATE TABLE permits ({columns}, PRIMARY KEY (image_key, card_side)) STRICT")
    target = _target(sqlite_engine)
    target.prepare()
    target.write(frame_of("a", warn_photocopy=True, birthday=date(1990, 1, 2), number="08320271"))
    with sqlite_engine.connect() as connection:
        row = connection.execute(sa.text("SELECT warn_photocopy, birthday, number FROM permits")).one()
    assert tuple(row) == (1, "1990-01-02", "08320271")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "kind"),
    [("name", "varchar(400)"), ("tries", "integer"), ("tries", "smallint"), ("status", "varchar(20)")],
)
def test_column_of_the_same_family_will_do(
    database: sa.Engine, frame_of: FrameOf, column: str, kind: str
) -> None:
    _make_table(database, **{column: kind})
    target = _target(database)
    target.prepare()
    assert target.write(frame_of("a")) == {}


@pytest.mark.parametrize("database", ["psycopg"], indirect=True)
@pytest.mark.parametrize("column", ["image_key", "card_side", "status"])
def test_padded_text_is_refused_for_what_is_compared(database: sa.Engine, column: str) -> None:
    _make_table(database, **{column: "char(30)"})
    assert f"{column} is CHAR(30), which pads text with blanks, and should be " in _told(database)


def test_text_that_cannot_hold_chinese_is_refused_on_mariadb(mariadb_engine: sa.Engine) -> None:
    _make_table(mariadb_engine, name="varchar(90) CHARACTER SET latin1")
    assert (
        "name is in latin1, which lacks Chinese characters, and should be TEXT CHARACTER SET utf8mb4"
        in _told(mariadb_engine)
    )


def test_all_misfits_are_named_at_once(postgres_engine: sa.Engine) -> None:
    _make_table(postgres_engine, number="int", birthday="text")
    told = _told(postgres_engine)
    assert "birthday is TEXT instead of DATE; number is INTEGER instead of TEXT" in told


def test_column_of_the_users_own_that_needs_a_value_is_refused(database: sa.Engine) -> None:
    _make_table(database, reviewer="varchar(20) NOT NULL", stage="varchar(20) DEFAULT 'new' NOT NULL")
    told = _told(database)
    assert "requires a value for reviewer, which is never written; add a default or allow NULL" in told


def test_column_that_takes_no_null_is_refused_as_some_rows_have_none_there(database: sa.Engine) -> None:
    _make_table(database, error_message="varchar(9999) NOT NULL")
    assert "error_message does not allow NULL, which some rows have" in _told(database)


@pytest.mark.parametrize("database", ["psycopg", "mariadb"], indirect=True)
def test_column_that_the_database_counts_up_will_do(database: sa.Engine, frame_of: FrameOf) -> None:
    serial = "BIGINT AUTO_INCREMENT UNIQUE" if database.dialect.name == "mysql" else "BIGSERIAL NOT NULL"
    _make_table(database, number_of_row=serial)
    target = _target(database)
    target.prepare()
    target.write(frame_of("a"))


def test_view_in_the_tables_place_is_said_to_be_one(database: sa.Engine) -> None:
    _execute(database, "CREATE VIEW permits AS SELECT 1 AS image_key")
    assert "'permits' is a view and cannot be written to; name another table" in _told(database)


@pytest.mark.parametrize("granted", ["SELECT", "SELECT, INSERT", "INSERT, UPDATE"])
def test_postgresql_role_without_a_right_is_refused(
    postgres_engine: sa.Engine, new_engine: NewEngine, granted: str
) -> None:
    _target(postgres_engine).prepare()
    _execute(postgres_engine, "DROP ROLE IF EXISTS clerk", "CREATE ROLE clerk")
    _execute(postgres_engine, "GRANT USAGE ON SCHEMA public TO clerk")
    _execute(postgres_engine, f"GRANT {granted} ON permits TO clerk")
    clerk = new_engine(postgres_engine.url)

    @sa.event.listens_for(clerk, "connect")
    def become_thclerk(connection: Any, record: object) -> None:
        connection.execute("SET ROLE clerk")
        connection.commit()

    missing = {"SELECT": "insert into", "SELECT, INSERT": "update", "INSERT, UPDATE": "read"}[granted]
    told = _told(clerk)
    _execute(postgres_engine, "DROP OWNED BY clerk", "DROP ROLE clerk")
    assert f"may not {missing} the result table 'permits': InsufficientPrivilege: permission denied" in told


@pytest.mark.parametrize(("granted", "missing"), [("SELECT", "insert into"), ("SELECT, INSERT", "update")])
def test_mariadb_user_without_a_right_is_refused(
    mariadb_engine: sa.Engine, new_engine: NewEngine, granted: str, missing: str
) -> None:
    _target(mariadb_engine).prepare()
    user = f"clerk_{mariadb_engine.url.database}"[-30:]
    _execute(
        mariadb_engine,
        f"DROP USER IF EXISTS '{user}'",
        f"CREATE USER '{user}' IDENTIFIED BY 'clerk'",
        f"GRANT {granted} ON permits TO '{user}'",
    )
    clerk = new_engine(mariadb_engine.url.set(username=user, password="clerk"))
    told = _told(clerk)
    _execute(mariadb_engine, f"DROP USER '{user}'")
    assert f"may not {missing} the result table 'permits'" in told


def test_checking_an_empty_database_leaves_it_empty(database: sa.Engine) -> None:
    assert not _target(database, documents_view="documents").check()
    assert sa.inspect(database).get_table_names() == []


@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_table_of_the_other_mode_is_refused(database: sa.Engine, mode: str) -> None:
    _target(database, mode=mode).prepare()
    other = {"upsert": "append", "append": "upsert"}[mode]
    assert f"so use mode '{mode}'" in _told(database, mode=other)


def test_full_disk_of_sqlite_is_said_to_be_so_and_nothing_is_half_written(
    sqlite_engine: sa.Engine, frame_of: FrameOf
) -> None:
    target = _target(sqlite_engine)
    target.prepare()
    target.write(frame_of("a"))

    @sa.event.listens_for(sqlite_engine, "checkout")
    def fill_up(connection: sqlite3.Connection, record: object, proxy: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    keys = [f"{number:04}" for number in range(500)]
    with pytest.raises(PermitOcrError, match=r"writing 500 rows .*'permits' failed: .*full"):
        target.write(frame_of(*keys, profile="x" * 500))
    with sqlite_engine.connect() as connection:
        assert connection.execute(sa.text("SELECT image_key FROM permits")).scalars().all() == ["a"]
