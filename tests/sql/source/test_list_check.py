from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.options.lists.shard import Shard
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource

ONE_SIDE = ImageTable("images", conn_id="lake", key="id", image="url")
TWO_SIDES = ImageTable("images", conn_id="lake", key="id", image="url", card_side="side")
QUERY = ImageQuery("SELECT * FROM images", conn_id="lake", key="id", image="url")

on_postgresql = pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)


@pytest.fixture
def searches(database: sa.Engine) -> Iterator[list[str]]:
    """The statements that have looked for doubled keys."""
    seen: list[str] = []

    def note(*args: object) -> None:
        if "GROUP BY" in str(args[2]) and "pg_catalog" not in str(args[2]):
            seen.append(str(args[2]))

    sa.event.listen(database, "before_cursor_execute", note)
    yield seen
    sa.event.remove(database, "before_cursor_execute", note)


def _execute(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TABLE images (id varchar(9) PRIMARY KEY, url text, side text)",
        "CREATE TABLE images (id varchar(9) UNIQUE, url text, side text)",
        "CREATE TABLE images (id varchar(9), url text, side text); CREATE UNIQUE INDEX one ON images (id)",
    ],
    ids=["primary key", "unique", "unique index"],
)
@pytest.mark.parametrize("described", [ONE_SIDE, TWO_SIDES], ids=["one side", "two sides"])
def test_doubled_keys_are_not_searched_for_where_there_can_be_none(
    database: sa.Engine, searches: list[str], made: str, described: ImageTable
) -> None:
    _execute(database, *made.split(";"), "INSERT INTO images VALUES ('a', 'u', 'front'), ('b', 'u', NULL)")
    assert SqlImageSource(database, described).check() == 2
    assert searches == []


@pytest.mark.parametrize("database", ["psycopg", "psycopg2", "sqlite", "duckdb"], indirect=True)
@pytest.mark.parametrize(("second", "is_plain"), [("'BACK'", True), ("'front'", False), ("NULL", False)])
def test_unique_sides_tell_rows_apart_only_if_they_are_written_plainly(
    database: sa.Engine, searches: list[str], second: str, is_plain: bool
) -> None:
    _execute(
        database,
        "CREATE TABLE images (id text, url text, side text, UNIQUE (id, side))",
        f"INSERT INTO images VALUES ('a', 'u', 'FRONT'), ('a', 'u', {second})",
    )
    source = SqlImageSource(database, TWO_SIDES)
    if is_plain:
        assert source.check() == 2
        assert searches == []
    else:
        with pytest.raises(SourceError, match=r"1 key occurs more than once .* for example 'a'"):
            source.check()


@pytest.mark.parametrize(
    "made",
    ["CREATE UNIQUE INDEX others ON images (id, url)", "CREATE INDEX plain ON images (id)"],
    ids=["with another column", "not unique"],
)
def test_doubled_keys_are_refused_whatever_else_is_unique(database: sa.Engine, made: str) -> None:
    _refuses_doubled_keys(database, made)


@pytest.mark.parametrize("database", ["psycopg", "psycopg2", "sqlite"], indirect=True)
def test_doubled_keys_are_refused_whatever_is_unique_of_some_rows(database: sa.Engine) -> None:
    _refuses_doubled_keys(database, "CREATE UNIQUE INDEX backs ON images (id) WHERE side = 'BACK'")


@pytest.mark.parametrize("database", ["psycopg", "psycopg2", "sqlite", "duckdb"], indirect=True)
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
def test_doubled_keys_are_refused_whatever_expression_is_unique(database: sa.Engine) -> None:
    _refuses_doubled_keys(database, "CREATE UNIQUE INDEX changed ON images (lower(id || url))")


def _refuses_doubled_keys(database: sa.Engine, made: str) -> None:
    _execute(database, "CREATE TABLE images (id varchar(9), url varchar(9), side text)", made)
    _execute(database, "INSERT INTO images VALUES ('a', 'u', 'FRONT'), ('a', 'v', 'FRONT')")
    for described in (ONE_SIDE, TWO_SIDES, QUERY):
        with pytest.raises(SourceError, match=r"1 key occurs more than once .* for example 'a'"):
            SqlImageSource(database, described).check()


@on_postgresql
def test_unique_index_that_could_not_be_finished_tells_nothing(database: sa.Engine) -> None:
    _execute(database, "CREATE TABLE images (id text, url text)", "INSERT INTO images VALUES ('a'), ('a')")
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        with pytest.raises(sa.exc.IntegrityError):
            connection.exec_driver_sql("CREATE UNIQUE INDEX CONCURRENTLY half ON images (id)")
        known = sa.inspect(database).get_indexes("images")
    assert [index["name"] for index in known] == ["half"]
    with pytest.raises(SourceError, match=r"1 key occurs more than once"):
        SqlImageSource(database, ONE_SIDE).check()


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("(NULL, 'u', 'FRONT')", "have NULL"),
        ("('a', 'u', 'BACK')", "more than once"),
        ("('z', 'u', 'LEFT')", "something other than FRONT"),
    ],
)
def test_every_shard_refuses_what_is_wrong_in_any(
    database: sa.Engine, number: int, row: str, says: str
) -> None:
    _execute(database, "CREATE TABLE images (id text, url text, side text)")
    _execute(database, f"INSERT INTO images VALUES ('a', 'u', 'BACK'), {row}")
    with pytest.raises(SourceError, match=says):
        SqlImageSource(database, TWO_SIDES, shard=Shard(number, 3)).check()


@pytest.mark.parametrize("described", [ONE_SIDE, QUERY], ids=["table", "query"])
def test_rows_without_a_key_are_skipped_and_counted_where_the_list_says_so(
    database: sa.Engine, described: Any, caplog: pytest.LogCaptureFixture
) -> None:
    _execute(
        database,
        "CREATE TABLE images (id varchar(9), url text, side text)",
        "INSERT INTO images VALUES ('a', 'u', 'FRONT'), (NULL, 'u', 'FRONT'), (NULL, 'v', NULL)",
    )
    with pytest.raises(SourceError, match=r"2 of 3 rows have NULL .*null_keys='skip'"):
        SqlImageSource(database, described).check()
    source = SqlImageSource(database, replace(described, null_keys="skip"))
    assert source.check() == 1
    assert [each.image_key for page in source.pages() for each in page] == ["a"]
    assert "2 of 3 rows of the image list are left out: NULL in the key column 'id'" in caplog.text
