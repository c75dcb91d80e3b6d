from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.engine.models import ListedImage
from airflow_provider_permitocr.options.lists.image_list import ImageTable
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource

Fill = Callable[..., sa.Table]
ImageList = Callable[..., None]

BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
CATALOGS = re.compile("pg_catalog|duckdb_")
LISTED = ImageTable("images", conn_id="lake", key="id", image="image")
BOTH_SIDES = ImageTable(
    "permit_images",
    conn_id="l",
    key="image_id",
    image="image_url",
    card_side="side",
    updated_at="uploaded_at",
)


@pytest.fixture
def images(database: sa.Engine, fill: Fill) -> Callable[..., list[ListedImage]]:
    """Make a list of these images, with numbers as keys, and read its one page."""

    def make(kept: list[Any], kind: Any) -> list[ListedImage]:
        columns = [sa.Column("id", sa.Integer), sa.Column("image", kind)]
        fill(database, "images", columns, ({"id": at, "image": image} for at, image in enumerate(kept)))
        (page,) = SqlImageSource(database, LISTED).pages()
        return list(page)

    return make


@pytest.fixture
def fetched_at_once(database: sa.Engine) -> Iterator[list[int]]:
    """How many rows each statement that fetches images has asked for."""
    asked: list[int] = []

    @contextmanager
    def listening() -> Iterator[None]:
        def note(*args: Any) -> None:
            statement, parameters = args[2], args[3]
            if " IN (" in statement and not CATALOGS.search(statement):
                values = parameters.values() if isinstance(parameters, dict) else parameters
                asked.append(sum(str(value).isdigit() for value in values))

        sa.event.listen(database, "before_cursor_execute", note)
        yield
        sa.event.remove(database, "before_cursor_execute", note)

    with listening():
        yield asked


def test_references_are_fetched_by_hundreds(
    database: sa.Engine, images: Callable[..., list[ListedImage]], fetched_at_once: list[int]
) -> None:
    references = [f"https://images.example/{at}.jpg" for at in range(1203)]
    listed = images(references, sa.Text)
    assert [row.image for row in SqlImageSource(database, LISTED).images(listed)] == references
    assert [row.image for row in SqlImageSource(database, LISTED).images(listed[5:8])] == references[5:8]
    assert max(fetched_at_once) == 500
    assert len(fetched_at_once) == 4 + 2


@pytest.mark.parametrize("inline", ["bytes", "data: URI"])
def test_images_themselves_are_fetched_few_at_a_time(
    database: sa.Engine, images: Callable[..., list[ListedImage]], fetched_at_once: list[int], inline: str
) -> None:
    kept: list[Any] = [bytes([at, 0, 255]) for at in range(45)]
    if inline == "data: URI":
        kept = [f"DATA:image/png;base64,{at}" for at in range(45)]
    listed = images(kept, sa.LargeBinary if inline == "bytes" else sa.Text)
    assert [row.image for row in SqlImageSource(database, LISTED).images(listed)] == kept
    assert max(fetched_at_once) == 8


def test_large_images_are_fetched_at_most_16_megabytes_at_once(
    database: sa.Engine, images: Callable[..., list[ListedImage]], fetched_at_once: list[int]
) -> None:
    listed = images([bytes(7 << 20)] * 6, BYTES)
    found = [row.image for row in SqlImageSource(database, LISTED).images(listed)]
    assert [len(image) for image in found if isinstance(image, bytes)] == [7 << 20] * 6
    assert fetched_at_once == [2, 2, 2]


def test_rows_stay_few_until_something_shows_that_images_are_no_bytes(
    database: sa.Engine, images: Callable[..., list[ListedImage]], fetched_at_once: list[int]
) -> None:
    kept = [None] * 25 + [b"image"] * 50
    listed = images(kept, sa.LargeBinary)
    assert [row.image for row in SqlImageSource(database, LISTED).images(listed)] == kept
    assert max(fetched_at_once) == 8


def test_images_come_in_the_order_asked_for_and_without_rows_that_are_gone(
    database: sa.Engine, image_list: ImageList
) -> None:
    image_list({"image_id": key, "image_url": f"u-{key}"} for key in "abcd")
    described = ImageTable("permit_images", conn_id="l", key="image_id", image="image_url")
    source = SqlImageSource(database, described)
    ((a, b, _, d),) = source.pages()
    with database.begin() as connection:
        connection.execute(sa.text("DELETE FROM permit_images WHERE image_id = 'b'"))
    assert [row.image for row in source.images([d, b, a])] == ["u-d", "u-a"]
    assert list(source.images([])) == []


def test_only_the_sides_asked_for_are_fetched(database: sa.Engine, image_list: ImageList) -> None:
    image_list(
        {"image_id": key, "side": side, "image_url": f"{key} {side}"}
        for key in "ab"
        for side in ("FRONT", "back")
    )
    source = SqlImageSource(database, BOTH_SIDES)
    (page,) = source.pages()
    a_back, a_front, b_back, b_front = page
    assert [row.image for row in source.images([a_front, b_back])] == ["a FRONT", "b back"]
    assert [row.image for row in source.images([a_back, a_front])] == ["a back", "a FRONT"]
    assert [row.card_side for row in source.images([b_front])] == ["FRONT"]


def test_change_time_is_that_of_the_image_fetched(database: sa.Engine, image_list: ImageList) -> None:
    listed_at, changed_at = datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    image_list([{"image_id": "a", "side": "FRONT", "image_url": "u", "uploaded_at": listed_at}])
    source = SqlImageSource(database, BOTH_SIDES)
    (page,) = source.pages()
    table = sa.table("permit_images", sa.column("uploaded_at", sa.DateTime(timezone=True)))
    with database.begin() as connection:
        connection.execute(sa.update(table).values(uploaded_at=changed_at))
    assert [row.updated_at for row in source.images(page)] == [changed_at]
