"""Values that a database would change: refused before the first call, or read back as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.columns import COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.sql.ledger.tables.preparation import check_tables, prepare_tables
from airflow_provider_permitocr.sql.targets.result_schema import result_table
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from labs.ground.servers.postgres import EmbeddedPostgres
from tests.support.databases import EVERY_DRIVER, named_database

FrameOf = Callable[..., pd.DataFrame]
NewEngine = Callable[..., sa.Engine]

BEYOND = "𠮷野家"
ALIKE = ("a", "A", "ä", "a ")

#: A stand-in for the extension, which not every server has: a type of that name which is kept as text.
_CITEXT = (
    "CREATE TYPE citext",
    "CREATE FUNCTION citext_in(cstring) RETURNS citext AS 'textin' LANGUAGE internal IMMUTABLE STRICT",
    "CREATE FUNCTION citext_out(citext) RETURNS cstring AS 'textout' LANGUAGE internal IMMUTABLE STRICT",
    "CREATE TYPE citext (INPUT = citext_in, OUTPUT = citext_out, LIKE = text, COLLATABLE = true)",
    "CREATE CAST (citext AS text) WITHOUT FUNCTION AS IMPLICIT",
)

on_postgresql = pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
on_mysql = pytest.mark.parametrize("database", ["mariadb"], indirect=True)
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
on_duckdb = pytest.mark.parametrize("database", ["duckdb"], indirect=True)


@pytest.fixture(params=EVERY_DRIVER)
def database(request: pytest.FixtureRequest) -> sa.Engine:
    """An empty database; the test runs on PostgreSQL through both drivers, SQLite, MariaDB and DuckDB."""
    return named_database(request)


def _target(engine: sa.Engine) -> SqlResultTarget:
    return SqlResultTarget(engine, ResultTable("permits", conn_id="warehouse"))


def _execute(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _make(engine: sa.Engine, **types: str) -> None:
    """Make a result table as it would be made, but for columns of these types."""
    table = result_table("permits", COLUMNS)
    described = ", ".join(
        f"{column.name} {types.get(column.name) or column.type.compile(engine.dialect)}"
        + (" NOT NULL" if column.primary_key else "")
        for column in table.columns
    )
    _execute(engine, f"CREATE TABLE permits ({described}, PRIMARY KEY (image_key, card_side))")


def _refusal(engine: sa.Engine) -> str:
    with pytest.raises(TargetError) as raised:
        _target(engine).check()
    return str(raised.value)


def _read(engine: sa.Engine, *columns: str) -> list[tuple[Any, ...]]:
    names = ", ".join(columns)
    with engine.connect() as connection:
        rows = connection.execute(sa.text(f"SELECT {names} FROM permits ORDER BY version"))
        return [tuple(row) for row in rows]


def _written(engine: sa.Engine, frame_of: FrameOf, **fields: Any) -> tuple[Any, ...]:
    target = _target(engine)
    target.prepare()
    assert target.write(frame_of("a", **fields)) == {}
    (row,) = _read(engine, *fields)
    return row


def _keys_kept(engine: sa.Engine, frame_of: FrameOf) -> tuple[list[str], dict[int, str]]:
    """Write a row for each key of a batch; return those that have their own, and what was refused."""
    target = _target(engine)
    target.prepare()
    frame = pd.concat(
        [frame_of(key, name=f"of {key!r}", version=place) for place, key in enumerate(ALIKE)],
        ignore_index=True,
    )
    refused = target.write(frame)
    kept = _read(engine, "image_key", "name")
    assert all(name == f"of {key!r}" for key, name in kept)
    return [key for key, _ in kept], dict(refused)


def test_longest_values_of_every_column_come_back_from_a_table_of_ours(
    database: sa.Engine, frame_of: FrameOf
) -> None:
    fields = {
        column.name: "𠮷" * column.longest if column.name != "profile" else "x" * column.longest
        for column in COLUMNS
        if column.longest and column.kind in (ColumnKind.TEXT, ColumnKind.LONG_TEXT)
    }
    assert _written(database, frame_of, **fields) == tuple(fields.values())


def test_keys_that_look_alike_have_a_row_each_in_a_table_of_ours(
    database: sa.Engine, frame_of: FrameOf
) -> None:
    assert _keys_kept(database, frame_of) == (list(ALIKE), {})


@pytest.mark.parametrize("database", ["psycopg", "psycopg2", "mariadb"], indirect=True)
@pytest.mark.parametrize(
    ("column", "kind", "shown"),
    [
        ("name", "varchar(20)", "name holds 20 characters instead of 40"),
        ("number", "varchar(8)", "number holds 8 characters instead of 20"),
        ("profile", "varchar(9999)", "profile holds 9,999 characters instead of 1,048,576"),
        ("status", "varchar(9)", "status holds 9 characters instead of 10"),
        ("error_message", "varchar(200)", "error_message holds 200 characters instead of 500"),
    ],
)
def test_columns_too_short_for_what_the_api_answers_are_refused(
    database: sa.Engine, column: str, kind: str, shown: str
) -> None:
    _make(database, **{column: kind})
    assert shown in _refusal(database)


@pytest.mark.parametrize("database", ["sqlite", "duckdb"], indirect=True)
def test_lengths_that_no_database_enforces_do_no_harm(database: sa.Engine, frame_of: FrameOf) -> None:
    _make(database, name="varchar(2)")
    assert _written(database, frame_of, name=BEYOND) == (BEYOND,)


@on_mysql
def test_text_of_64_kilobytes_is_refused_for_portraits(database: sa.Engine) -> None:
    _make(database, profile="TEXT CHARACTER SET utf8mb4")
    assert "profile holds 16,383 characters instead of 1,048,576" in _refusal(database)


def test_columns_long_enough_keep_what_is_written(database: sa.Engine, frame_of: FrameOf) -> None:
    kind = "varchar(255)" + (" CHARACTER SET utf8mb4" if database.dialect.name == "mysql" else "")
    _make(database, **dict.fromkeys(("name", "english_name", "issue_authority", "number", "type"), kind))
    values = {"name": BEYOND * 13, "number": "08320271", "type": "台湾居民来往大陆通行证"}
    assert _written(database, frame_of, **values) == tuple(values.values())


@pytest.mark.parametrize("database", ["psycopg", "psycopg2", "mariadb"], indirect=True)
@pytest.mark.parametrize("excess", ["x" * 90, " " * 90], ids=["letters", "blanks"])
def test_key_too_long_for_its_column_is_that_tables_refused_row_and_never_cut(
    database: sa.Engine, frame_of: FrameOf, excess: str
) -> None:
    exact = " COLLATE utf8mb4_nopad_bin" if database.dialect.name == "mysql" else ""
    _make(database, image_key=f"varchar(90){exact}")
    target = _target(database)
    target.prepare()
    (reason,) = target.write(frame_of("k" + excess, "k", version=1)).values()
    assert reason == "the table cannot hold it: image_key has more than 90 characters"
    assert _read(database, "image_key") == [("k",)]


@on_mysql
def test_key_longer_than_mysql_indexes_is_refused_without_being_quoted(
    database: sa.Engine, frame_of: FrameOf
) -> None:
    target = _target(database)
    target.prepare()
    (reason,) = target.write(frame_of("k" * 600, "short", version=1)).values()
    assert reason == "the table cannot hold it: image_key has more than 512 characters"
    assert _read(database, "image_key") == [("short",)]


@on_mysql
@pytest.mark.parametrize("characters", ["latin1", "utf8mb3", "gbk"])
@pytest.mark.parametrize("column", ["name", "image_key", "error_message"])
def test_encodings_that_lack_characters_are_refused_on_mysql(
    database: sa.Engine, characters: str, column: str
) -> None:
    _make(database, **{column: f"varchar(500) CHARACTER SET {characters} COLLATE {characters}_bin"})
    assert f"{column} is in {characters}, which lacks Chinese characters" in _refusal(database)


@pytest.mark.slow
@on_mysql
def test_ledger_whose_texts_lack_characters_is_refused_on_mysql(database: sa.Engine) -> None:
    prepare_tables(database, Ledger("permit_ocr", conn_id="lake"), "UTC")
    _execute(
        database,
        "ALTER TABLE permit_ocr_images MODIFY error_message LONGTEXT CHARACTER SET utf8mb3",
        "UPDATE permit_ocr_state SET examined = NULL",
    )
    with pytest.raises(TargetError, match="error_message is in utf8mb3, which lacks Chinese characters"):
        prepare_tables(database, Ledger("permit_ocr", conn_id="lake"), "UTC")


@pytest.fixture(params=["LATIN1", "SQL_ASCII", "EUC_TW"])
def encoded(
    request: pytest.FixtureRequest, postgres: EmbeddedPostgres, new_engine: NewEngine
) -> Iterator[tuple[str, sa.Engine]]:
    """An empty database of an encoding that is not UTF8."""
    name = f"in_{request.param.lower()}"
    server = new_engine(postgres.dsn("postgres", "psycopg2"), isolation_level="AUTOCOMMIT")
    _execute(
        server,
        f"DROP DATABASE IF EXISTS {name}",
        f"CREATE DATABASE {name} ENCODING '{request.param}' LOCALE_PROVIDER libc LOCALE 'C'"
        " TEMPLATE template0",
    )
    # As a hook's engine does: no driver reads all of these by itself.
    engine = new_engine(postgres.dsn(name, "psycopg"), connect_args={"client_encoding": "utf8"})
    yield request.param, engine
    engine.dispose()
    _execute(server, f"DROP DATABASE {name}")


def test_databases_in_another_encoding_are_refused_for_targets_and_ledgers(
    encoded: tuple[str, sa.Engine],
) -> None:
    encoding, engine = encoded
    told = f"its encoding {encoding} does not include all Chinese characters; name a connection"
    assert told in _refusal(engine)
    ledger = Ledger("permit_ocr", conn_id="lake")
    for refuses in (partial(check_tables, engine, ledger), partial(prepare_tables, engine, ledger, "UTC")):
        with pytest.raises(TargetError) as raised:
            refuses()
        assert told in str(raised.value)
    assert sa.inspect(engine).get_table_names() == []


@on_postgresql
def test_collations_that_take_two_keys_for_one_are_refused_on_postgresql(database: sa.Engine) -> None:
    # As CREATE COLLATION … (provider = icu, deterministic = false), which needs a server built with ICU.
    _execute(
        database,
        "CREATE COLLATION loose (provider = libc, locale = 'C')",
        "UPDATE pg_collation SET collisdeterministic = false WHERE collname = 'loose'",
    )
    _make(database, image_key="text COLLATE loose", name="text COLLATE loose")
    told = _refusal(database)
    assert "image_key is compared by loose, which treats different keys as equal" in told
    assert "name is" not in told


@on_postgresql
def test_domains_are_looked_through(database: sa.Engine, frame_of: FrameOf) -> None:
    _execute(database, "CREATE DOMAIN brief AS varchar(9)", "CREATE DOMAIN words AS text CHECK (VALUE <> '')")
    _execute(database, "CREATE DOMAIN second AS timestamptz(0)", "CREATE DOMAIN moment AS timestamptz")
    _make(database, name="brief", number="words", attempted_at="second")
    told = _refusal(database)
    assert "name holds 9 characters instead of 40" in told
    assert "WITH TIME ZONE, which keeps 0 digits of a second's fractions" in told
    _execute(database, "ALTER TABLE permits ALTER attempted_at TYPE moment")
    _execute(database, "ALTER TABLE permits ALTER name TYPE words")
    moment = datetime(2026, 1, 31, 12, 30, 15, 123456, tzinfo=UTC)
    fields = {"name": BEYOND, "number": "007", "attempted_at": moment}
    assert _written(database, frame_of, **fields) == tuple(fields.values())


@on_mysql
@pytest.mark.parametrize(
    "collation", ["utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_unicode_nopad_ci"]
)
def test_collations_that_take_two_keys_for_one_are_refused_on_mysql(
    database: sa.Engine, collation: str
) -> None:
    _make(database, image_key=f"varchar(99) COLLATE {collation}")
    assert f"image_key is compared by {collation}, which treats different keys as equal" in _refusal(database)


@on_mysql
def test_key_that_ends_in_a_blank_is_refused_by_a_table_that_leaves_blanks_out(
    database: sa.Engine, frame_of: FrameOf
) -> None:
    _make(database, image_key="varchar(99) COLLATE utf8mb4_bin")
    kept, refused = _keys_kept(database, frame_of)
    assert kept == ["a", "A", "ä"]
    assert refused == {
        3: "the table cannot hold it: image_key ends in a blank, which utf8mb4_bin ignores when it compares"
    }


@pytest.mark.slow
@on_mysql
def test_ledger_that_leaves_blanks_out_is_refused(database: sa.Engine) -> None:
    prepare_tables(database, Ledger("permit_ocr", conn_id="lake"), "UTC")
    _execute(
        database,
        "ALTER TABLE permit_ocr_images MODIFY image_key varchar(512) COLLATE utf8mb4_bin NOT NULL",
        "UPDATE permit_ocr_state SET examined = NULL",
    )
    with pytest.raises(TargetError, match="compared by utf8mb4_bin, which ignores trailing blanks, and"):
        prepare_tables(database, Ledger("permit_ocr", conn_id="lake"), "UTC")


@on_sqlite
@pytest.mark.parametrize("collation", ["NOCASE", "RTRIM"])
def test_collations_that_take_two_keys_for_one_are_refused_on_sqlite(
    database: sa.Engine, collation: str
) -> None:
    _make(database, image_key=f"text COLLATE {collation}")
    assert f"image_key is compared by {collation}, which treats different keys as equal" in _refusal(database)


@on_duckdb
@pytest.mark.parametrize("collation", ["NOCASE", "NOACCENT", "NOCASE.NOACCENT"])
def test_collations_that_take_two_keys_for_one_are_refused_on_duckdb(
    database: sa.Engine, collation: str
) -> None:
    _make(database, image_key=f"text COLLATE {collation}")
    told = _refusal(database).lower()
    assert f"image_key is compared by {collation.lower()}, which treats different keys as equal" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("database", "column", "kind", "shown"),
    [
        ("psycopg", "name", "name", "name is VARCHAR, which truncates text, and should be TEXT"),
        ("psycopg", "sex", '"char"', "sex is VARCHAR, which truncates text"),
        ("psycopg", "name", "char(64)", "name is CHAR(64), which pads text with blanks"),
        ("psycopg", "image_key", "citext", "image_key is compared by citext, which treats different keys"),
        ("psycopg", "name", "json", "name is JSON instead of TEXT"),
        ("psycopg", "name", "xml", "name is of an unknown type instead of TEXT"),
        ("psycopg", "name", "numeric", "name is NUMERIC instead of TEXT"),
        ("psycopg", "name", "real", "name is REAL instead of TEXT"),
        ("psycopg", "request_id", "uuid", "request_id is UUID instead of TEXT"),
        ("psycopg", "sex", "gender", "sex is gender instead of TEXT"),
        ("psycopg", "birthday_raw", "date", "birthday_raw is DATE instead of TEXT"),
        ("psycopg", "warn_photocopy", "bit(1)", "warn_photocopy is BIT(1) instead of BOOLEAN"),
        ("psycopg", "processed_at", "timestamptz(0)", "keeps 0 digits of a second's fractions"),
        ("psycopg", "image_updated_at", "timestamp(3)", "keeps 3 digits of a second's fractions"),
        ("psycopg", "tries", "bigint GENERATED ALWAYS AS IDENTITY", "tries is generated by the database"),
        ("psycopg", "number", "text GENERATED ALWAYS AS (name) STORED", "number is generated by"),
        ("mariadb", "number", "text AS (name) STORED", "number is generated by the database"),
        ("mariadb", "name", "char(64)", "name is CHAR(64), which strips trailing blanks, and should be"),
        ("mariadb", "name", "set('a', 'b')", "name is SET('a','b') instead of TEXT"),
        ("mariadb", "sex", "enum('男', '女')", "sex is ENUM("),
        ("mariadb", "name", "varbinary(255)", "name is VARBINARY(255) instead of TEXT"),
        ("mariadb", "warn_photocopy", "bit(1)", "warn_photocopy is BIT(1) instead of BOOL"),
        ("mariadb", "birthday_raw", "date", "birthday_raw is DATE instead of TEXT"),
        ("mariadb", "processed_at", "datetime", "processed_at is DATETIME, which keeps 0 digits"),
        ("mariadb", "image_updated_at", "datetime(3)", "and should be DATETIME(6)"),
        ("mariadb", "processed_at", "timestamp(6) NULL", "is TIMESTAMP(6) instead of DATETIME(6)"),
        ("sqlite", "number", "string", "number is NUMERIC instead of TEXT"),
        ("sqlite", "number", "text AS (name) STORED", "number is generated by the database"),
        ("sqlite", "number", "date", "number is DATE instead of TEXT"),
        ("duckdb", "number", "text GENERATED ALWAYS AS (name || 'x')", "number is generated by the database"),
        ("duckdb", "processed_at", "timestamp_s", "keeps 0 digits of a second's fractions"),
        ("duckdb", "processed_at", "timestamp_ms", "keeps 3 digits of a second's fractions"),
        ("duckdb", "name", "decimal(9, 2)", "name is NUMERIC(9, 2) instead of TEXT"),
        ("duckdb", "name", "json", "name is of an unknown type instead of TEXT"),
        ("duckdb", "sex", "enum('男', '女')", "sex is "),
    ],
    indirect=["database"],
)  # fmt: skip
def test_types_that_change_values_are_refused(
    database: sa.Engine, column: str, kind: str, shown: str
) -> None:
    if kind == "gender":
        _execute(database, "CREATE TYPE gender AS ENUM ('男', '女')")
    if kind == "citext":
        _execute(database, *_CITEXT)
    _make(database, **{column: kind})
    assert shown in _refusal(database)


@pytest.mark.parametrize(
    ("database", "kind"),
    [("psycopg", "real"), ("psycopg", "numeric(9, 2)"), ("mariadb", "float"), ("mariadb", "decimal(9, 2)"),
     ("duckdb", "float"), ("duckdb", "decimal(9, 2)")],
    indirect=["database"],
)  # fmt: skip
def test_numbers_that_would_round_what_is_copied_are_refused(database: sa.Engine, kind: str) -> None:
    _make(database)
    _execute(database, f"ALTER TABLE permits ADD COLUMN score {kind}")
    score = Column("score", ColumnKind.FLOAT, "Copied")
    with pytest.raises(TargetError, match=r"score is \S.* instead of DOUBLE"):
        _target(database).look([*COLUMNS, score])


def test_times_come_back_to_the_microsecond(database: sa.Engine, frame_of: FrameOf) -> None:
    frame = frame_of("a", version=1)
    target = _target(database)
    target.prepare()
    target.write(frame)
    table = result_table("permits")
    with database.connect() as connection:
        moment = connection.execute(sa.select(table.c.processed_at)).scalar_one()
    assert moment.microsecond == 123456
