"""One value that a driver cannot read concerns its own row alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
from airflow_provider_permitocr.options.lists.image_list import Carry, ImageQuery, ImageTable
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from tests.support.databases import named_database
from tests.support.row_calls import unfit

VALUES = {
    "psycopg": ["infinity", "-infinity", "10000-01-01", "0044-03-15 BC"],
    "psycopg2": ["infinity", "-infinity", "10000-01-01", "0044-03-15 BC"],
    "mariadb": ["0000-00-00", "2026-00-15", "2026-02-31"],
    "mysqlclient": ["0000-00-00", "2026-00-15", "2026-02-31"],
    "duckdb": ["infinity", "-infinity", "10000-01-01", "0044-03-15 (BC)"],
}
SECRET = b"\xffH81734838"
#: Each kind of column, and each value in one of them.
CASES = [
    (database, value, kind)
    for database, values in VALUES.items()
    for value, kind in [
        *((values[0], each) for each in ("DATE", "TIMESTAMP", "MOMENT")),
        *((each, "TIMESTAMP") for each in values[1:]),
    ]
]
each_value_and_kind = pytest.mark.parametrize(("database", "value", "kind"), CASES, indirect=["database"])
each_database = pytest.mark.parametrize(
    ("database", "value"), [(name, values[0]) for name, values in VALUES.items()], indirect=["database"]
)


@pytest.fixture
def database(request: pytest.FixtureRequest, new_engine: Callable[..., sa.Engine]) -> sa.Engine:
    """An empty database; also MariaDB through mysqlclient."""
    if request.param == "mysqlclient":
        request.getfixturevalue("mariadb_engine")
        return new_engine(request.getfixturevalue("mariadb_url").set(drivername="mysql+mysqldb"))
    return named_database(request)


def _type(engine: sa.Engine, kind: str) -> str:
    if engine.dialect.name == "mysql":
        return {"TIMESTAMP": "DATETIME(6)", "MOMENT": "DATETIME"}.get(kind, kind)
    return kind.replace("MOMENT", "TIMESTAMPTZ")


def _fill(engine: sa.Engine, columns: str, *rows: str) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "mysql":
            connection.exec_driver_sql("SET sql_mode = 'ALLOW_INVALID_DATES'")
        connection.exec_driver_sql(f"CREATE TABLE images ({columns})")
        for row in rows:
            connection.exec_driver_sql(f"INSERT INTO images VALUES ({row})")
    engine.dispose()


def _listed(**changes: Any) -> ImageTable:
    names: dict[str, Any] = {"table": "images", "conn_id": "lake", "key": "id", "image": "url"}
    return ImageTable(**(names | changes))


def _rows(engine: sa.Engine, described: ImageTable | ImageQuery) -> list[ImageRow]:
    source = SqlImageSource(engine, described)
    listed = source.check()
    rows = [row for page in source.pages() for row in source.images(page)]
    assert len(rows) == listed
    return rows


@each_value_and_kind
def test_change_time_that_no_driver_reads_counts_as_unknown(
    database: sa.Engine, value: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    _fill(
        database,
        f"id varchar(9), url varchar(9), changed_at {_type(database, kind)}",
        f"'a', '/a', '{value}'",
        "'b', '/b', '2026-01-31'",
        "'c', '/c', NULL",
    )
    caplog.set_level(logging.WARNING)
    changed_at = [row.updated_at for row in _rows(database, _listed(updated_at="changed_at"))]
    assert changed_at == [None, datetime(2026, 1, 31, tzinfo=UTC), None]
    assert "1 of 3 rows" in caplog.text
    assert "'changed_at'" in caplog.text
    assert value not in caplog.text


@pytest.mark.slow
@each_value_and_kind
def test_row_whose_key_no_driver_reads_is_left_out_and_reported(
    database: sa.Engine, value: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    _fill(
        database,
        f"id {_type(database, kind)}, url varchar(9)",
        f"'{value}', '/a'",
        "'2026-01-31', '/b'",
        "'2026-01-30', '/c'",
    )
    caplog.set_level(logging.WARNING)
    assert [row.image for row in _rows(database, _listed())] == ["/c", "/b"]
    assert "1 of 3 rows" in caplog.text
    assert "key column 'id'" in caplog.text
    assert value not in caplog.text


@each_database
def test_keys_that_are_null_are_refused_beside_one_that_no_driver_reads(
    database: sa.Engine, value: str
) -> None:
    _fill(database, "id DATE, url varchar(9)", f"'{value}', '/a'", "NULL, '/b'")
    with pytest.raises(SourceError, match="1 of 2 rows have NULL in the key column 'id'"):
        SqlImageSource(database, _listed()).check()


@each_value_and_kind
def test_column_to_copy_is_null_where_no_driver_reads_it(
    database: sa.Engine, value: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    _fill(
        database,
        f"id varchar(9), url varchar(9), valid_until {_type(database, kind)}",
        f"'a', '/a', '{value}'",
        "'b', '/b', '2026-01-31'",
    )
    caplog.set_level(logging.WARNING)
    carried = Carry("valid_until", name="until", kind="date")
    assert [row.carried["until"] for row in _rows(database, _listed(carry_columns=[carried]))] == [
        None,
        date(2026, 1, 31),
    ]
    assert "cannot read 1 values of the copied column 'valid_until'" in caplog.text


@each_database
@pytest.mark.parametrize("order_by", ["changed_at", "-changed_at"])
def test_list_sorted_by_a_value_that_no_driver_reads_is_read_whole(
    database: sa.Engine, value: str, order_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_permitocr.sql.source.image_source._ROWS", 1)
    _fill(
        database,
        f"id varchar(9), url varchar(9), changed_at {_type(database, 'TIMESTAMP')}",
        f"'a', '/a', '{value}'",
        f"'b', '/b', '{value}'",
        "'c', '/c', '2026-01-31'",
        "'d', '/d', '2026-01-30'",
        "'e', '/e', NULL",
    )
    keys = [row.image_key for row in _rows(database, _listed(order_by=order_by))]
    assert keys == (["d", "c"] if order_by == "changed_at" else ["c", "d"]) + ["a", "b", "e"]


@each_database
def test_both_sides_of_a_document_are_read_beside_a_value_that_no_driver_reads(
    database: sa.Engine, value: str
) -> None:
    _fill(
        database,
        f"id varchar(9), url varchar(9), back varchar(9), changed_at {_type(database, 'MOMENT')}",
        f"'a', '/a', '/A', '{value}'",
        "'b', '/b', NULL, '2026-01-31'",
    )
    described = _listed(back_image="back", updated_at="changed_at", order_by="changed_at")
    assert [(row.image, row.updated_at is None) for row in _rows(database, described)] == [
        ("/b", False),
        ("/A", True),
        ("/a", True),
    ]


@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
def test_other_values_that_a_driver_stops_at_concern_their_row_alone(
    database: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    _fill(
        database,
        "id text, url text, hours interval, days date[]",
        *(f"'{key}', '/{key}', '1 hour', '{{2026-01-31}}'" for key in "abcd"),
        "'e', '/e', '1000000000 days', '{2026-01-31}'",
        "'f', '/f', '1 hour', '{infinity}'",
    )
    rows = _rows(database, _listed(carry_columns=["hours", "days"]))
    assert [row.image for row in rows] == ["/a", "/b", "/c", "/d", "/e", "/f"]
    assert [row.carried["hours"] is None for row in rows] == [False] * 4 + [True, False]
    assert [row.carried["days"] is None for row in rows] == [False] * 5 + [True]
    assert "cannot read 1 values of the copied column 'hours'" in caplog.text


def _fill_bytes(engine: sa.Engine, *rows: tuple[Any, ...]) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE images (id TEXT, url TEXT, changed_at TEXT, branch TEXT)")
        for row in rows:
            marks = ["CAST(? AS TEXT)" if isinstance(each, bytes) else "?" for each in row]
            connection.exec_driver_sql(f"INSERT INTO images VALUES ({', '.join(marks)})", row)


DESCRIBED = {"updated_at": "changed_at", "carry_columns": ["branch"]}


@pytest.mark.parametrize("through_query", [False, True], ids=["table", "query"])
@pytest.mark.parametrize("place", range(4), ids=["key", "image", "updated_at", "carried"])
def test_text_of_sqlite_that_is_not_utf8_concerns_its_row_alone_and_is_never_quoted(
    sqlite_engine: sa.Engine, place: int, through_query: bool, caplog: pytest.LogCaptureFixture
) -> None:
    broken: list[Any] = ["b", "/b", "2026-01-31", "north"]
    broken[place] = SECRET
    _fill_bytes(sqlite_engine, ("a", "/a", "2026-01-31", "south"), tuple(broken), ("c", "/c", None, None))
    caplog.set_level(logging.DEBUG)
    names: dict[str, Any] = {"conn_id": "lake", "key": "id", "image": "url", **DESCRIBED}
    described = ImageQuery("SELECT * FROM images", **names) if through_query else _listed(**DESCRIBED)
    rows = {row.image_key: row for row in _rows(sqlite_engine, described)}
    assert list(rows) == (["a", "c"] if place == 0 else ["a", "b", "c"])
    if place == 1:
        found = unfit(PermitRequestBuilder(max_base64_bytes=4_000_000), rows["b"])
        assert "image column 'url'" in found.message
        assert (found.status, found.code) == (Status.REJECTED, "ImageValueUnreadable")
    if place == 2:
        assert rows["b"].updated_at is None
    if place == 3:
        assert rows["b"].carried == {"branch": None}
    assert "H81734838" not in caplog.text


def test_list_of_sqlite_sorted_by_text_that_is_not_utf8_is_read_whole(
    sqlite_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_permitocr.sql.source.image_source._ROWS", 1)
    _fill_bytes(
        sqlite_engine, ("a", "/a", None, SECRET), ("b", "/b", None, "north"), ("c", "/c", None, "east")
    )
    keys = [row.image_key for row in _rows(sqlite_engine, _listed(order_by="branch"))]
    assert keys == ["c", "b", "a"]


def test_value_of_another_kind_than_its_column_still_stops_the_run(sqlite_engine: sa.Engine) -> None:
    _fill_bytes(sqlite_engine, ("a", "/a", "2026-01-31", "south"))
    source = SqlImageSource(sqlite_engine, _listed(carry_columns=[Carry("branch", kind="integer")]))
    with pytest.raises(SourceError, match=r"the column 'branch', which is copied, holds a value that is no"):
        [row for page in source.pages() for row in source.images(page)]


@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
def test_key_of_a_type_that_nobody_foresaw_is_refused_by_its_purpose(database: sa.Engine) -> None:
    _fill(database, "id interval, url text", "'1000000000 days', '/a'")
    with pytest.raises(SourceError, match="cannot read a value of the key, updated_at or order_by column"):
        list(SqlImageSource(database, _listed()).pages())
