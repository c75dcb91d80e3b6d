"""The order in which a list is gone through."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource

Fill = Callable[..., sa.Table]
Described = ImageTable | ImageQuery

NAMES: dict[str, Any] = {"conn_id": "lake", "key": "id", "image": "url", "card_side": "side"}
BY_TIME = ImageTable("images", **NAMES, order_by="at")
NEWEST_FIRST = ImageTable("images", **NAMES, order_by="-at")
NOON = datetime(2026, 1, 31, 12)
DATETIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
TICK = timedelta(microseconds=1)


def _columns(of: Any = DATETIME) -> list[sa.Column[Any]]:
    texts = [sa.Column(name, sa.Text) for name in ("id", "url", "side")]
    return [*texts, sa.Column("at", of, quote=True)]


def _read(engine: sa.Engine, described: Described, rows_a_page: int) -> list[RowKey]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_provider_permitocr.sql.source.image_source._ROWS", rows_a_page)
        return [row.row_key for page in SqlImageSource(engine, described).pages() for row in page]


@pytest.fixture
def emptied(database: sa.Engine, fill: Fill) -> Callable[[], sa.Table]:
    """The table `images`, with sides and a time to sort by; emptied again at each call."""
    table = fill(database, "images", _columns(), [])

    def empty() -> sa.Table:
        with database.begin() as connection:
            connection.execute(sa.delete(table))
        return table

    return empty


@pytest.mark.slow
@pytest.mark.parametrize("database", ["psycopg", "sqlite", "mariadb", "duckdb"], indirect=True)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    listed=st.dictionaries(
        st.tuples(
            st.sampled_from(["a", "A", "a ", "Ä", "中", "𠮷", "", "'", "b"]),
            st.sampled_from(["FRONT", "BACK"]),
        ),
        st.none() | st.builds(lambda ticks: NOON + ticks * TICK, st.integers(-1, 1)),
        max_size=14,
    ),
    described=st.sampled_from([BY_TIME, NEWEST_FIRST]),
    rows_a_page=st.integers(1, 4),
)
def test_every_row_comes_once_and_in_order_whatever_is_equal_or_missing(
    database: sa.Engine,
    emptied: Callable[[], sa.Table],
    listed: dict[tuple[str, str], datetime | None],
    described: ImageTable,
    rows_a_page: int,
) -> None:
    table = emptied()
    with database.begin() as connection:
        for (key, side), at in listed.items():
            connection.execute(sa.insert(table).values(id=key, url="u", side=side, at=at))
    read = _read(database, described, rows_a_page)
    assert sorted(read) == sorted(listed)
    times = [listed[key, side.value] for key, side in read]
    known = [time for time in times if time is not None]
    assert times == sorted(known, reverse=described is NEWEST_FIRST) + [None] * (len(times) - len(known))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (sa.String(9), ["B", "a", "a ", "A", "Ä", "中", "'x' %s :y"]),
        (sa.BigInteger(), [-1, 0, 2**62]),
        (sa.Numeric(9, 2), [Decimal("-0.50"), Decimal("0.10"), Decimal(7)]),
        (sa.Double(), [-0.1, 0.1, 1e300]),
        (sa.Date(), [date(1899, 12, 31), date(2026, 2, 1)]),
        (sa.DateTime(timezone=True), [NOON, NOON + timedelta(days=1)]),
        (sa.Boolean(), [False, True]),
        (sa.Uuid(), [uuid.UUID(int=number) for number in (1, 2, 2**127)]),
        (sa.Enum("b", "a", "c", name="letter"), ["b", "a", "c"]),
        (sa.Time(), [NOON.time(), datetime(2026, 1, 1, 0, 0, 1).time()]),
        (sa.LargeBinary(), [b"\x00", b"\xfe", b"a"]),
    ],
    ids=lambda each: getattr(each, "__visit_name__", ""),
)
@pytest.mark.parametrize("sign", ["", "-"], ids=["rising", "falling"])
@pytest.mark.parametrize("through_query", [False, True], ids=["table", "query"])
@pytest.mark.filterwarnings("ignore:Dialect sqlite.*does .not. support Decimal")
def test_a_list_is_sorted_by_columns_of_any_type(
    database: sa.Engine, fill: Fill, kind: Any, values: list[Any], sign: str, through_query: bool
) -> None:
    rows = [
        {"id": f"{key}{at}", "url": "u", "at": value}
        for at, value in enumerate([*values, None])
        for key in "ab"
    ]
    fill(database, "images", _columns(kind), rows)
    names = NAMES | {"order_by": f"{sign}at"}
    described: Described = (
        ImageQuery("SELECT * FROM images", **names) if through_query else ImageTable("images", **names)
    )
    read = [key for key, _ in _read(database, described, 1)]
    assert sorted(read) == sorted(row["id"] for row in rows)
    places = [int(key[1:]) for key in read]
    assert read[-2:] == [f"a{len(values)}", f"b{len(values)}"]
    assert all(places[at] == places[at + 1] for at in range(0, len(places), 2))


def test_newest_images_come_first_and_keys_tell_among_equals(database: sa.Engine, fill: Fill) -> None:
    days = {"a": 1, "b": 3, "c": 3, "d": 2}
    rows = ({"id": key, "url": "u", "at": datetime(2026, 1, day)} for key, day in days.items())
    fill(database, "images", _columns(), [*rows, {"id": "0", "url": "u", "at": None}])
    assert [key for key, _ in _read(database, NEWEST_FIRST, 2)] == ["b", "c", "d", "a", "0"]
    assert [key for key, _ in _read(database, BY_TIME, 2)] == ["a", "d", "b", "c", "0"]


def test_column_to_sort_by_that_is_missing_is_named(database: sa.Engine, fill: Fill) -> None:
    fill(database, "images", _columns(), [])
    described = ImageTable("images", **NAMES, order_by="-att")
    with pytest.raises(SourceError, match=r"no column 'att' \(order_by\).*did you mean 'at'"):
        SqlImageSource(database, described).check()


@pytest.mark.parametrize("column", ["id", "at"])
def test_mysql_float_is_refused_as_its_rows_could_not_be_told_apart(
    mariadb_engine: sa.Engine, column: str
) -> None:
    with mariadb_engine.begin() as connection:
        kinds = {"id": "varchar(9)", "at": "double"} | {column: "float"}
        columns = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
        connection.exec_driver_sql(f"CREATE TABLE images ({columns}, url text, side text)")
    with pytest.raises(SourceError, match=rf"'{column}' is of type FLOAT"):
        SqlImageSource(mariadb_engine, BY_TIME).check()


def test_mysql_bit_is_refused_as_its_rows_could_not_be_found_again(mariadb_engine: sa.Engine) -> None:
    with mariadb_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE images (id bit(8), at datetime, url text, side text)")
    with pytest.raises(SourceError, match=r"'id' is of type BIT.*select it \+ 0"):
        SqlImageSource(mariadb_engine, BY_TIME).check()


def test_mysql_time_of_more_than_a_day_finds_its_row(mariadb_engine: sa.Engine) -> None:
    with mariadb_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE images (id time, url text)")
        connection.exec_driver_sql("INSERT INTO images VALUES ('12:00:00', 'a'), ('100:00:00', 'b')")
    source = SqlImageSource(mariadb_engine, ImageTable("images", conn_id="lake", key="id", image="url"))
    assert source.check() == 2
    assert [row.image for page in source.pages() for row in source.images(page)] == ["a", "b"]


@pytest.mark.parametrize("made", ["PRIMARY KEY", ""], ids=["unique", "not declared unique"])
@pytest.mark.parametrize("database", ["mariadb", "sqlite", "duckdb", "psycopg"], indirect=True)
def test_keys_that_differ_by_case_or_blanks_alone_are_all_read(database: sa.Engine, made: str) -> None:
    collation = {"mysql": "COLLATE utf8mb4_bin", "mariadb": "COLLATE utf8mb4_bin"} if made else {}
    keys = ["A", "a", "Ä"] if made else ["A", "A ", "a", "a ", "Ä"]
    with database.begin() as connection:
        kind = f"varchar(9) {collation.get(database.dialect.name, '')} {made}"
        connection.exec_driver_sql(f"CREATE TABLE images (id {kind}, url varchar(9))")
        for key in keys:
            values = {"key": key, "url": f"u{key}"}
            connection.execute(sa.text("INSERT INTO images VALUES (:key, :url)"), values)
    described = ImageTable("images", conn_id="lake", key="id", image="url")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_provider_permitocr.sql.source.image_source._ROWS", 1)
        source = SqlImageSource(database, described)
        assert source.check() == len(keys)
        read = {row.image_key: row.image for page in source.pages() for row in source.images(page)}
    assert read == {key: f"u{key}" for key in keys}


def test_sqlite_reads_all_keys_of_a_column_that_ignores_case(sqlite_engine: sa.Engine) -> None:
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE images (id TEXT COLLATE NOCASE, url TEXT, side TEXT, at TEXT)"
        )
        connection.exec_driver_sql("INSERT INTO images VALUES ('a', 'u', NULL, 'x'), ('A', 'u', NULL, 'X')")
    assert sorted(key for key, _ in _read(sqlite_engine, BY_TIME, 1)) == ["A", "a"]
