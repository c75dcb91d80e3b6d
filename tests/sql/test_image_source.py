from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.models import ImageRow
from airflow_provider_permitocr.sql.image_source import SqlImageSource
from airflow_provider_permitocr.sql.tables import ImageQuery, ImageTable

Fill = Callable[..., sa.Table]
Read = Callable[..., list[ImageRow]]
ImageList = Callable[..., None]

LISTED = ImageTable("permit_images", conn_id="lake", key="image_id", image="image_url")


@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 519, 520, 521])
def test_every_row_comes_once_and_in_order_at_page_boundaries(
    database: sa.Engine, image_list: ImageList, read: Read, count: int
) -> None:
    image_list(
        {"image_id": f"key-{number:04}", "image_url": f"u{number}"} for number in reversed(range(count))
    )
    rows = read(database, LISTED)
    assert [row.image_key for row in rows] == [f"key-{number:04}" for number in range(count)]
    assert [row.image for row in rows] == [f"u{number}" for number in range(count)]


@pytest.mark.parametrize("before", [18, 19, 20, 519])
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
    ],
    ids=["text", "integer", "bigint", "uuid", "numeric", "date"],
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
    monkeypatch.setattr("airflow_provider_permitocr.sql.image_source._ROWS_WITH_BYTES", 1)
    monkeypatch.setattr("airflow_provider_permitocr.sql.image_source._ROWS_WITH_REFERENCES", 1)
    columns = [sa.Column("id", key_type), sa.Column("url", sa.Text)]
    fill(database, "images", columns, ({"id": key, "url": str(key)} for key in keys))
    described: ImageTable | ImageQuery = (
        ImageQuery("SELECT id, url FROM images", conn_id="lake", key="id", image="url")
        if through_query
        else ImageTable("images", conn_id="lake", key="id", image="url")
    )
    source = SqlImageSource(database, described)
    assert source.check() == len(keys)
    rows = [row for page in source.pages() for row in page]
    read_as = {_plain(row.image_key) for row in rows}
    assert len(rows) == len(keys)
    assert read_as == {_plain(str(key)) for key in keys}


def _plain(key: str) -> str:
    # SQLite keeps numerics as it likes, and a UUID without its dashes.
    return key.replace("-", "").removesuffix(".0")


def test_images_may_be_bytes_and_come_in_small_pages(database: sa.Engine, fill: Fill) -> None:
    columns = [sa.Column("id", sa.Integer), sa.Column("image", sa.LargeBinary)]
    fill(
        database,
        "images",
        columns,
        ({"id": number, "image": bytes([number, 0, 255])} for number in range(45)),
    )
    source = SqlImageSource(database, ImageTable("images", conn_id="lake", key="id", image="image"))
    pages = [list(page) for page in source.pages()]
    assert [row.image for page in pages for row in page] == [bytes([number, 0, 255]) for number in range(45)]
    assert max(map(len, pages)) <= 20


def test_pages_stay_small_until_something_shows_that_images_are_no_bytes(
    database: sa.Engine, fill: Fill
) -> None:
    columns = [sa.Column("id", sa.Integer), sa.Column("image", sa.LargeBinary)]
    images = [None] * 25 + [b"image"] * 50
    fill(database, "images", columns, ({"id": at, "image": image} for at, image in enumerate(images)))
    source = SqlImageSource(database, ImageTable("images", conn_id="lake", key="id", image="image"))
    pages = [list(page) for page in source.pages()]
    assert [row.image for page in pages for row in page] == images
    assert max(map(len, pages)) <= 20


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
