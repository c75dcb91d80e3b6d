from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.engine.key_text import key_text
from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource

Fill = Callable[..., sa.Table]
Read = Callable[..., list[ImageRow]]
ImageList = Callable[..., None]

#: To the microsecond on all databases.
DATETIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
LISTED = ImageTable("permit_images", conn_id="lake", key="image_id", image="image_url")


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of 20 rows."""
    monkeypatch.setattr("airflow_provider_permitocr.sql.source.image_source._ROWS", 20)


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 60, 61])
def test_every_row_comes_once_and_in_order_at_page_boundaries(
    database: sa.Engine, image_list: ImageList, read: Read, count: int
) -> None:
    image_list(
        {"image_id": f"key-{number:04}", "image_url": f"u{number}"} for number in reversed(range(count))
    )
    rows = read(database, LISTED)
    assert [row.image_key for row in rows] == [f"key-{number:04}" for number in range(count)]
    assert [row.image for row in rows] == [f"u{number}" for number in range(count)]


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("before", [18, 19, 20, 39])
def test_both_sides_of_one_key_come_across_a_page_boundary(
    database: sa.Engine, image_list: ImageList, read: Read, before: int
) -> None:
    alone = [{"image_id": f"a{number:03}", "side": "FRONT"} for number in range(before)]
    both = [{"image_id": "b", "side": side} for side in ("FRONT", "BACK")]
    image_list([*alone, *both, {"image_id": "c", "side": "BACK"}])
    described = ImageTable(
        "permit_images", conn_id="lake", key="image_id", image="image_url", card_side="side"
    )
    rows = read(database, described)
    assert [(row.image_key, row.card_side) for row in rows[before:]] == [
        ("b", CardSide.BACK),
        ("b", CardSide.FRONT),
        ("c", CardSide.BACK),
    ]


@pytest.mark.usefixtures("small_pages")
def test_key_padded_by_its_type_comes_with_both_sides_across_a_page_boundary(
    database: sa.Engine, fill: Fill, read: Read
) -> None:
    columns = [sa.Column("id", sa.CHAR(8)), sa.Column("url", sa.Text), sa.Column("side", sa.CHAR(6))]
    alone = [{"id": f"a{number:02}", "url": "u", "side": "FRONT"} for number in range(19)]
    both = [{"id": "b", "url": "u", "side": side} for side in ("FRONT", "BACK")]
    fill(database, "images", columns, [*alone, *both])
    described = ImageTable("images", conn_id="lake", key="id", image="url", card_side="side")
    rows = read(database, described)
    assert [row.image_key.strip() for row in rows] == [*(f"a{number:02}" for number in range(19)), "b", "b"]


@pytest.mark.parametrize(
    ("key_type", "keys"),
    [
        (sa.Text(), ["a", "B", "Ä", "中文", "'quoted' %s :name", ""]),
        (sa.Integer(), [-1, 0, 9, 10, 2_000_000_000]),
        (sa.BigInteger(), [0, 2**62]),
        (sa.Uuid(), [uuid.UUID(int=number) for number in (1, 2, 2**127)]),
        (sa.Numeric(20, 0), [1, 2, 10]),
        (sa.Date(), [date(2026, 1, 31), date(2026, 2, 1)]),
        (DATETIME, [datetime(2026, 1, 31, 8), datetime(2026, 1, 31, 8, 0, 0, 1)]),
        (sa.Double(), [0.1, 1.0, 1e300]),
        (sa.REAL(), [0.1, 0.5]),
        (sa.Enum("a", "b", name="letter"), ["a", "b"]),
    ],
    ids=["text", "integer", "bigint", "uuid", "numeric", "date", "timestamp", "double", "real", "enum"],
)
@pytest.mark.parametrize("through_query", [False, True], ids=["table", "query"])
@pytest.mark.filterwarnings("ignore:Dialect sqlite.*does .not. support Decimal")
def test_keys_of_any_type_page_on_and_read_as_text(
    database: sa.Engine,
    fill: Fill,
    monkeypatch: pytest.MonkeyPatch,
    key_type: sa.types.TypeEngine[Any],
    keys: list[Any],
    through_query: bool,
) -> None:
    monkeypatch.setattr("airflow_provider_permitocr.sql.source.image_source._ROWS", 1)
    columns = [sa.Column("id", key_type), sa.Column("url", sa.Text)]
    fill(database, "images", columns, ({"id": key, "url": str(key)} for key in keys))
    described: ImageTable | ImageQuery = (
        ImageQuery("SELECT id, url FROM images", conn_id="lake", key="id", image="url")
        if through_query
        else ImageTable("images", conn_id="lake", key="id", image="url")
    )
    source = SqlImageSource(database, described)
    assert source.check() == len(keys)
    rows = [row for page in source.pages() for row in source.images(page)]
    assert {_plain(row.image_key) for row in rows} == {_plain(str(key)) for key in keys}
    # Each image belongs to its key; SQLite is given the keys as it keeps them.
    assert [_plain(str(row.image)) for row in rows] == [_plain(row.image_key) for row in rows]


@pytest.mark.parametrize(
    ("key_type", "key", "name"),
    [
        (sa.Text(), "1", "text"),
        (sa.Integer(), 7, "integer"),
        (sa.BigInteger(), 2**62, "integer"),
        (sa.Double(), 0.5, "float"),
        (sa.LargeBinary(), b"a", "bytes"),
    ],
    ids=["text", "integer", "bigint", "double", "bytes"],
)
@pytest.mark.parametrize("through_query", [False, True], ids=["table", "query"])
def test_one_key_tells_the_type_of_all(
    database: sa.Engine,
    fill: Fill,
    key_type: sa.types.TypeEngine[Any],
    key: Any,
    name: str,
    through_query: bool,
) -> None:
    columns = [sa.Column("id", key_type), sa.Column("url", sa.Text)]
    table = fill(database, "images", columns, [])
    names: dict[str, Any] = {"conn_id": "lake", "key": "id", "image": "url"}
    described = (
        ImageQuery("SELECT id, url FROM images", **names) if through_query else ImageTable("images", **names)
    )
    assert SqlImageSource(database, described).key_type() is None
    with database.begin() as connection:
        connection.execute(sa.insert(table), [{"id": None, "url": "u"}, {"id": key, "url": "u"}])
    assert SqlImageSource(database, described).key_type() == name


@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
@pytest.mark.parametrize(
    ("kind", "written", "name"),
    [
        ("smallint", "1", "integer"),
        ("numeric(20,0)", "1", "number"),
        ("uuid", str(uuid.UUID(int=1)), "uuid"),
        ("date", "2026-01-31", "date"),
        ("timestamptz", "2026-01-31", "timestamp"),
        ("boolean", "true", "boolean"),
    ],
)
def test_type_of_the_keys_is_the_same_with_either_driver(
    database: sa.Engine, kind: str, written: str, name: str
) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE images AS SELECT CAST('{written}' AS {kind}) AS id, 'u' AS url"
        )
    described = ImageTable("images", conn_id="lake", key="id", image="url")
    assert SqlImageSource(database, described).key_type() == name


@pytest.mark.parametrize(
    ("key_type", "keys"),
    [
        (sa.Text(), ["a", "A", "Ä ", "中文", "'"]),
        (sa.Integer(), [1, 2, 30, 4, 5]),
        (sa.LargeBinary(), [b"a", b"b", b"\xff", b"c", b"d"]),
    ],
    ids=["text", "integer", "bytes"],
)
def test_images_kept_from_pages_are_looked_at_again_as_they_are_then(
    database: sa.Engine,
    fill: Fill,
    monkeypatch: pytest.MonkeyPatch,
    key_type: sa.types.TypeEngine[Any],
    keys: list[Any],
) -> None:
    monkeypatch.setattr("airflow_provider_permitocr.sql.source.image_source._ROWS", 2)
    columns = [sa.Column("id", key_type), sa.Column("url", sa.Text), sa.Column("side", sa.Text)]
    rows = [{"id": key, "url": "before", "side": side} for key in keys for side in ("FRONT", "BACK")]
    table = fill(database, "images", columns, rows)
    described = ImageTable("images", conn_id="lake", key="id", image="url", card_side="side")
    source = SqlImageSource(database, described)
    listed = [each for page in source.pages() for each in page]
    kept = [each for each in reversed(listed) if each.card_side == "BACK"]
    with database.begin() as connection:
        connection.execute(sa.update(table).values(url="now"))
        connection.execute(sa.delete(table).where(table.c.id == keys[-1]))
    found = list(source.images(kept))
    left = [each.row_key for each in kept if each.image_key != key_text(keys[-1])]
    assert [row.row_key for row in found] == left
    assert len(left) == len(keys) - 1
    assert {row.image for row in found} == {"now"}


def _plain(key: str) -> str:
    # SQLite keeps numerics as it likes, and a UUID without its dashes; DuckDB reads a REAL as what it holds.
    key = key.replace("0.10000000149011612", "0.1")
    return key.replace("-", "").removesuffix(".000000").removesuffix(".0")


def test_keys_that_are_bytes_read_as_hexadecimal_digits(database: sa.Engine, fill: Fill, read: Read) -> None:
    columns = [sa.Column("id", sa.LargeBinary), sa.Column("url", sa.Text)]
    fill(database, "images", columns, [{"id": b"\x00\xfe", "url": "first"}, {"id": b"\x01", "url": "second"}])
    rows = read(database, ImageTable("images", conn_id="lake", key="id", image="url"))
    assert [(row.image_key, row.image) for row in rows] == [("00fe", "first"), ("01", "second")]


def test_image_that_is_null_comes_as_missing(database: sa.Engine, image_list: ImageList, read: Read) -> None:
    image_list([{"image_id": "a"}])
    assert [row.image for row in read(database, LISTED)] == [None]


@pytest.mark.parametrize("default", ["FRONT", "BACK"])
def test_side_may_be_missing_lowercase_or_padded(
    database: sa.Engine, image_list: ImageList, read: Read, default: str
) -> None:
    sides = [None, "back", "  Front ", "BACK"]
    image_list({"image_id": str(at), "side": side} for at, side in enumerate(sides))
    described = ImageTable(
        "permit_images",
        conn_id="lake",
        key="image_id",
        image="image_url",
        card_side="side",
        default_side=default,
    )
    assert [row.card_side for row in read(database, described)] == [default, "BACK", "FRONT", "BACK"]


def test_side_without_a_column_is_the_default(database: sa.Engine, image_list: ImageList, read: Read) -> None:
    image_list([{"image_id": "a"}, {"image_id": "b"}])
    described = ImageTable(
        "permit_images", conn_id="l", key="image_id", image="image_url", default_side="BACK"
    )
    assert [row.card_side for row in read(database, described)] == [CardSide.BACK] * 2


def test_view_is_as_good_as_a_table(database: sa.Engine, image_list: ImageList, read: Read) -> None:
    image_list([{"image_id": "a"}, {"image_id": "b"}])
    with database.begin() as connection:
        connection.execute(sa.text("CREATE VIEW chosen AS SELECT * FROM permit_images WHERE image_id = 'b'"))
    described = ImageTable("chosen", conn_id="lake", key="image_id", image="image_url")
    assert [row.image_key for row in read(database, described)] == ["b"]


def test_table_in_a_schema_is_found_there(postgres_engine: sa.Engine, fill: Fill, read: Read) -> None:
    with postgres_engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA lake"))
    for schema in ("public", "lake"):
        columns = [sa.Column("id", sa.Text), sa.Column("url", sa.Text)]
        fill(postgres_engine, "images", columns, [{"id": f"in {schema}", "url": "u"}], schema=schema)
    described = ImageTable("lake.images", conn_id="lake", key="id", image="url")
    assert [row.image_key for row in read(postgres_engine, described)] == ["in lake"]
