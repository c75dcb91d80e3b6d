"""Images are looked up in their list by the text of their key, as the ledger has it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.engine.run.window import Window
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.options.lists.shard import Shard
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource

Fill = Callable[..., sa.Table]
ImageList = Callable[..., None]

FRONT, BACK = CardSide.FRONT, CardSide.BACK
NAMES: dict[str, Any] = {"conn_id": "lake", "key": "id", "image": "url"}
LISTED = ImageTable("permit_images", conn_id="lake", key="image_id", image="image_url", card_side="side")
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
through_both = pytest.mark.parametrize("through_query", [False, True], ids=["table", "query"])


def described(*, through_query: bool) -> ImageTable | ImageQuery:
    return (
        ImageQuery("SELECT id, url FROM images", **NAMES) if through_query else ImageTable("images", **NAMES)
    )


@pytest.mark.slow
@through_both
@pytest.mark.parametrize(
    ("key_type", "keys"),
    [
        (sa.Integer(), [7, -1, 0]),
        (sa.BigInteger(), [2**62, 1, 10]),
        (sa.Text(), ["a", "A", "Ä ", "中𠮷", "'", "01", "", "\\", "%"]),
        (sa.CHAR(8), ["a", "A", "中"]),
        (sa.String(20), ["a", "a ", "b"]),
        (sa.Uuid(), [uuid.UUID(int=number, version=4) for number in (1, 10**30)]),
        (sa.LargeBinary(), [b"a", b"\x00\xff", b"\xff"]),
        (sa.Date(), [date(2026, 1, 31), date(1958, 8, 12)]),
        (MOMENT, [datetime(2026, 1, 31), datetime(2026, 1, 31, 8, 0, 0, 1)]),
        (sa.Numeric(8, 2), [Decimal("0.10"), Decimal("1.00"), Decimal("-7.25")]),
        (sa.Double(), [0.1, 1e300, 1.0]),
        (sa.REAL(), [0.1, 0.5]),
        (sa.Boolean(), [True, False]),
        (sa.Enum("a", "b", "c", name="letter"), ["c", "a", "b"]),
    ],
    ids=lambda each: type(each).__name__.lower() if isinstance(each, sa.types.TypeEngine) else "",
)
@pytest.mark.filterwarnings("ignore:Dialect sqlite.*does .not. support Decimal")
def test_images_are_found_by_the_text_of_a_key_of_any_type(
    database: sa.Engine, fill: Fill, key_type: sa.types.TypeEngine[Any], keys: list[Any], through_query: bool
) -> None:
    columns = [sa.Column("id", key_type), sa.Column("url", sa.Text)]
    fill(database, "images", columns, ({"id": key, "url": f"u{at}"} for at, key in enumerate(keys)))
    source = SqlImageSource(database, described(through_query=through_query))
    listed = [each for page in source.pages() for each in page]
    assert len(listed) == len(keys)
    for each in listed:
        (found,) = source.find([each.row_key])
        assert (found, found.source_key) == (each, each.source_key)
    asked = [each.row_key for each in listed[1:]]
    assert {each.row_key for each in source.find(asked)} == set(asked)
    # What was found is fetched by it.
    (row,) = source.images(source.find([listed[0].row_key]))
    assert row.row_key == listed[0].row_key


@through_both
@pytest.mark.parametrize(
    ("key_type", "key", "absent"),
    [
        (sa.Integer(), 7, ["8", "-7", "07", "seven", "", "7.0", "99999999"]),
        (sa.Text(), "a", ["b", "A", "a ", "", "'a'", "1"]),
        (sa.Uuid(), uuid.UUID(int=1), [str(uuid.UUID(int=2)), "1", ""]),
        (sa.LargeBinary(), b"a", ["62", "a", "6", ""]),
        (sa.Date(), date(2026, 1, 31), ["2026-01-30", "2026-02-30", "today", ""]),
        (sa.Double(), 0.5, ["0.25", "half", ""]),
    ],
    ids=["integer", "text", "uuid", "bytes", "date", "double"],
)
def test_keys_that_are_not_in_the_list_are_left_out(
    database: sa.Engine,
    fill: Fill,
    key_type: sa.types.TypeEngine[Any],
    key: Any,
    absent: list[str],
    through_query: bool,
) -> None:
    columns = [sa.Column("id", key_type), sa.Column("url", sa.Text)]
    fill(database, "images", columns, [{"id": key, "url": "u"}])
    source = SqlImageSource(database, described(through_query=through_query))
    ((there,),) = source.pages()
    for each in absent:
        assert source.find([(each, FRONT)]) == []
    both = source.find([*((each, FRONT) for each in absent), there.row_key, (there.image_key, BACK)])
    assert both == [there]


def test_nothing_is_found_in_an_empty_list_and_of_nothing(database: sa.Engine, image_list: ImageList) -> None:
    image_list([])
    assert SqlImageSource(database, LISTED).find([("a", FRONT)]) == []
    assert SqlImageSource(database, LISTED).find([]) == []


def test_one_side_is_found_of_two(database: sa.Engine, image_list: ImageList) -> None:
    image_list({"image_id": key, "side": side} for key in "ab" for side in ("FRONT", "BACK"))
    found = SqlImageSource(database, LISTED).find([("a", BACK), ("b", FRONT), ("c", BACK)])
    assert {each.row_key for each in found} == {("a", BACK), ("b", FRONT)}


def test_more_images_than_a_statement_takes_are_found(database: sa.Engine, image_list: ImageList) -> None:
    image_list({"image_id": f"{number:04}"} for number in range(1_203))
    asked: list[RowKey] = [(f"{number:04}", FRONT) for number in range(1, 1_300)]
    found = SqlImageSource(database, LISTED).find(asked)
    assert sorted(each.row_key for each in found) == asked[:1_202]


@pytest.mark.parametrize("database", ["sqlite", "mariadb", "duckdb"], indirect=True)
def test_a_text_is_found_that_the_ledger_has_without_its_nul(
    database: sa.Engine, image_list: ImageList
) -> None:
    image_list({"image_id": key} for key in ("a\x00b", "b", "c"))
    found = SqlImageSource(database, LISTED).find([("a\ufffdb", FRONT), ("b", FRONT)])
    assert sorted(each.image_key for each in found) == ["a\ufffdb", "b"]


def test_images_are_found_outside_of_the_window_with_their_change_time(
    database: sa.Engine, image_list: ImageList
) -> None:
    moments = {name: datetime(2026, 1, day) for day, name in enumerate("abc", 1)}
    image_list([{"image_id": name, "uploaded_at": moment} for name, moment in moments.items()])
    window = Window(datetime(2026, 1, 2), datetime(2026, 1, 3))
    bounded = replace(LISTED, updated_at="uploaded_at", since=window.since, until=window.until)
    source = SqlImageSource(database, bounded, window=window)
    found = source.find([("a", FRONT), ("b", FRONT), ("c", FRONT)])
    assert {each.image_key: each.updated_at and each.updated_at.day for each in found} == {
        **{"a": 1, "b": 2},
        "c": 3,
    }


def test_images_are_found_in_both_columns_of_a_document(database: sa.Engine, fill: Fill) -> None:
    columns = [sa.Column(name, sa.String(20)) for name in ("id", "front", "back")]
    rows = [{"id": "a", "front": "a1", "back": "a2"}, {"id": "b", "front": None, "back": "b2"}]
    fill(database, "documents", columns, rows)
    names = NAMES | {"image": "front", "back_image": "back"}
    for source in (ImageTable("documents", **names), ImageQuery("SELECT * FROM documents", **names)):
        documents = SqlImageSource(database, source)
        found = documents.find([("a", FRONT), ("b", FRONT), ("b", BACK), ("a", BACK)])
        assert {each.row_key for each in found} == {("a", FRONT), ("a", BACK), ("b", BACK)}
        assert {row.image for row in documents.images(found)} == {"a1", "a2", "b2"}


def test_only_of_a_table_is_what_is_not_found_no_longer_listed(database: sa.Engine) -> None:
    assert SqlImageSource(database, LISTED).finds_all
    assert not SqlImageSource(database, described(through_query=True)).finds_all


def test_a_source_holds_the_images_of_its_shard(database: sa.Engine) -> None:
    keys = [f"key {number}" for number in range(30)]
    assert all(SqlImageSource(database, LISTED).holds(key) for key in keys)
    shards = [SqlImageSource(database, LISTED, shard=Shard(number, 3)) for number in (1, 2, 3)]
    assert all(sum(shard.holds(key) for shard in shards) == 1 for key in keys)


def test_a_value_that_looks_like_sql_stays_a_value(database: sa.Engine, image_list: ImageList) -> None:
    image_list([{"image_id": "a"}])
    assert SqlImageSource(database, LISTED).find([("' OR '1'='1", FRONT), ("%", FRONT)]) == []
