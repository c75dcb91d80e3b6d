"""One list as it is read within other windows: those of earlier runs, beside a run's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.engine.models import ImageRow, ListedImage, RowKey
from airflow_provider_permitocr.engine.run.window import Window
from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.options.lists.shard import Shard
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from tests.sql.conftest import LEDGER, LIST_ID

Fill = Callable[..., sa.Table]
ImageList = Callable[..., None]

FRONT, BACK = CardSide.FRONT, CardSide.BACK
LISTED = ImageTable(
    "permit_images",
    conn_id="lake",
    key="image_id",
    image="image_url",
    card_side="side",
    updated_at="uploaded_at",
)
TICK = timedelta(milliseconds=1)
SHANGHAI = timezone(timedelta(hours=8))
#: To the millisecond at least on all databases.
PLAIN_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def at(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


def days(since: int | None = None, until: int | None = None, shard: str | None = None) -> Window:
    return Window(at(since) if since else None, at(until) if until else None, shard)


def own_source(
    engine: sa.Engine, window: Window, described: ImageTable = LISTED, **options: Any
) -> SqlImageSource:
    """Return the list as a run reads it that has this window."""
    bounded = replace(described, since=window.since, until=window.until)
    shard = Shard.parse(window.shard) if window.shard else None
    return SqlImageSource(engine, bounded, shard=shard, window=window, **options)


def read(source: SqlImageSource) -> list[str]:
    """Count the list, then read it with its images; return its keys."""
    listed = source.check()
    pages = list(source.pages())
    rows: list[ImageRow] = [row for page in pages for row in source.images(page)]
    assert [row.row_key for row in rows] == [each.row_key for page in pages for each in page]
    assert len(rows) == listed
    return [row.image_key for row in rows]


@pytest.fixture
def week(image_list: ImageList) -> None:
    """An image at noon of each of eight days, and one of unknown time."""
    noons = {f"day {number}": at(number) + timedelta(hours=12) for number in range(1, 9)}
    rows = {"unknown": None, **noons}
    image_list(
        {"image_id": name, "image_url": f"https://x/{name}", "uploaded_at": moment}
        for name, moment in rows.items()
    )


@pytest.mark.slow
@pytest.mark.usefixtures("week")
@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([days(2, 4)], [2, 3]),
        ([days(6, 7), days(2, 3)], [2, 6]),
        ([days(2, 5), days(4, 7), days(4, 5)], [2, 3, 4, 5, 6]),
        ([days(since=7), days(until=3)], [1, 2, 7, 8]),
        ([days(3, 3)], []),
        ([days(2, 3), days()], [1, 2, 3, 4, 5, 6, 7, 8, None]),
        ([], [1, 2, 3, 4, 5, 6, 7, 8, None]),
    ],
    ids=["one", "two", "overlapping", "open", "empty", "one of them without bounds", "none"],
)
def test_rows_of_several_windows_are_read_once_each_and_in_order(
    database: sa.Engine, windows: Sequence[Window], expected: Sequence[int | None]
) -> None:
    source = own_source(database, days(8, 9)).within(windows)
    assert read(source) == ["unknown" if number is None else f"day {number}" for number in expected]


@pytest.mark.usefixtures("week")
def test_the_order_of_the_list_is_kept_over_all_windows(database: sa.Engine) -> None:
    source = own_source(database, days(8, 9), replace(LISTED, order_by="-uploaded_at"))
    assert source.is_ordered
    assert read(source.within([days(1, 3), days(5, 7)])) == ["day 6", "day 5", "day 2", "day 1"]
    assert read(source.within([]))[-2:] == ["day 1", "unknown"]


@pytest.mark.slow
@pytest.mark.usefixtures("week")
@pytest.mark.parametrize(
    ("own", "window", "expected"),
    [
        (days(3, 5), days(2, 6), [2, 5]),
        (days(since=5), days(until=7), [1, 2, 3, 4]),
        (days(until=5), days(3, 7), [5, 6]),
        (days(2, 7), days(3, 5), []),
        (days(3, 8), days(), [1, 2, 8, None]),
        (days(since=3), days(), [1, 2, None]),
        (days(), days(2, 4), []),
    ],
    ids=str,
)
def test_rows_that_are_read_elsewhere_are_left_out(
    database: sa.Engine, own: Window, window: Window, expected: Sequence[int | None]
) -> None:
    source = own_source(database, own)
    rest = read(source.within([window], besides=source))
    assert rest == ["unknown" if number is None else f"day {number}" for number in expected]
    assert not set(rest) & set(read(source))


@pytest.mark.parametrize("aware", [True, False], ids=["with zone", "without zone"])
def test_two_windows_meet_without_a_gap_and_without_a_row_twice(
    database: sa.Engine, fill: Fill, aware: bool
) -> None:
    moments = [at(2) + ticks * TICK for ticks in range(-2, 3)]
    kind = sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    columns = [
        sa.Column("image_id", sa.Integer),
        sa.Column("image_url", sa.Text),
        sa.Column("uploaded_at", kind if aware else PLAIN_TIME),
    ]
    rows = (
        {"image_id": number, "image_url": "u", "uploaded_at": each if aware else each.replace(tzinfo=None)}
        for number, each in enumerate(moments)
    )
    fill(database, "permit_images", columns, rows)
    described = replace(LISTED, card_side=None)
    shown_elsewhere = Window(at(2).astimezone(SHANGHAI), at(3).astimezone(SHANGHAI))
    own = own_source(database, shown_elsewhere, described)
    assert read(own) == ["2", "3", "4"]
    assert read(own.within([days(1, 2)], besides=own)) == ["0", "1"]
    assert read(own.within([days(1, 3)], besides=own)) == ["0", "1"]
    assert read(own.within([shown_elsewhere])) == ["2", "3", "4"]


@pytest.mark.usefixtures("week")
def test_a_list_without_change_times_is_read_whole_and_has_no_windows(database: sa.Engine) -> None:
    source = SqlImageSource(database, replace(LISTED, updated_at=None))
    with pytest.raises(SourceError, match="the ImageTable has no updated_at any more"):
        read(source.within([days(2, 3)]))
    assert len(read(source.within([Window()], settled_too=True))) == 9


@pytest.mark.slow
@pytest.mark.usefixtures("week")
@pytest.mark.parametrize("through_query", [False, True], ids=["table", "query"])
def test_rows_of_another_shard_are_not_left_out(database: sa.Engine, through_query: bool) -> None:
    """Its run reads them in that shard alone, so here they are the only ones of this window."""
    described: ImageTable | ImageQuery = replace(LISTED, since=at(2), until=at(5))
    if through_query:
        sql = "SELECT * FROM permit_images WHERE image_id <> 'unknown'"
        described = ImageQuery(sql, conn_id="lake", key="image_id", image="image_url")
    own = SqlImageSource(database, described, shard=Shard(1, 3), window=days(2, 5, "1/3"))
    assert set(read(own.within([days(1, 9)], besides=own))) == {f"day {number}" for number in range(1, 9)}
    for left in ("1/4", "2/3"):
        rest = own.within([days(1, 9, left)], besides=own)
        assert read(rest) == read(rest.within([days(1, 9, left)]))


@pytest.mark.usefixtures("week")
def test_a_window_is_read_by_its_shard(database: sa.Engine) -> None:
    own = own_source(database, days(2, 5, "1/3"))
    parts = [own.within([days(1, 9, f"{number}/3")]) for number in (1, 2, 3)]
    keys = [read(part) for part in parts]
    assert sorted(key for part in keys for key in part) == [f"day {number}" for number in range(1, 9)]
    assert all(part.holds(key) for part, some in zip(parts, keys, strict=True) for key in some)
    assert not any(parts[0].holds(key) for key in keys[1])
    assert parts[1].window == days(1, 9, "2/3")
    # Without a window it is all of the shard that is read here.
    everything = own.within([])
    assert read(everything) == [
        key for key in [*map("day {}".format, range(1, 9)), "unknown"] if own.holds(key)
    ]
    assert everything.window == Window(shard="1/3")
    # The same shard is left out where it has been read.
    rest = own.within([days(1, 9, "1/3")], besides=own)
    assert set(read(rest)) == set(keys[0]) - {"day 2", "day 3", "day 4"}


@pytest.mark.usefixtures("week")
@pytest.mark.parametrize("besides", [False, True])
def test_rows_that_were_found_are_read_as_well_in_the_lists_order(database: sa.Engine, besides: bool) -> None:
    source = own_source(database, days(3, 5), replace(LISTED, order_by="-uploaded_at"))
    wanted: list[RowKey] = [(key, FRONT) for key in ("day 1", "unknown", "day 4", "day 7", "no such")]
    found = source.find(wanted)
    together = source.within([days(3, 5), days(5, 6)], besides=source if besides else None, found=found)
    own = ["day 4"] if besides else ["day 4", "day 3"]
    assert read(together) == ["day 7", "day 5", *own, "day 1", "unknown"]


def test_both_sides_of_a_row_are_read_by_the_rows_window(database: sa.Engine, fill: Fill) -> None:
    columns = [
        *(sa.Column(name, sa.String(20)) for name in ("id", "front", "back")),
        sa.Column("changed", sa.Date),
    ]
    rows = [
        {
            "id": f"{number}",
            "front": "f",
            "back": "b" if number % 2 else None,
            "changed": date(2026, 1, number),
        }
        for number in range(1, 6)
    ]
    fill(database, "documents", columns, [*rows, {"id": "9", "front": None, "back": "b", "changed": None}])
    described = ImageTable(
        "documents", conn_id="lake", key="id", image="front", back_image="back", updated_at="changed"
    )
    own = own_source(database, days(3, 4), described)
    assert read(own.within([days(1, 3), days(4, 5)])) == ["1", "1", "2", "4"]
    assert read(own.within([days()], besides=own)) == ["1", "1", "2", "4", "5", "5", "9"]
    found = own.find([("5", BACK), ("9", BACK), ("9", FRONT), ("2", BACK)])
    assert [each.row_key for each in found] == [("5", BACK), ("9", BACK)]
    assert read(own.within([days(3, 4)], found=found)) == ["3", "3", "5", "5", "9"]
    listed: list[ListedImage] = list(own.within([]).images(found))  # type: ignore[arg-type]
    assert [each.row_key for each in listed] == [("5", BACK), ("9", BACK)]


@pytest.mark.parametrize("database", ["psycopg", "psycopg2", "sqlite", "mariadb"], indirect=True)
@pytest.mark.usefixtures("week")
def test_settled_rows_are_read_where_asked_for(database: sa.Engine, known: Callable[..., None]) -> None:
    known(*({"image_key": f"day {number}", "attempted_at": at(9)} for number in (2, 3)))
    source = own_source(database, days(2, 4), settled_in=lambda: (LEDGER, LIST_ID))
    left = source.within([days(1, 5)])
    assert (left.check(), left.settled()) == (4, 2)
    assert [each.image_key for page in left.pages() for each in page] == ["day 1", "day 4"]
    everything = source.within([days(1, 5)], settled_too=True)
    assert everything.settled() == 0
    assert read(everything) == ["day 1", "day 2", "day 3", "day 4"]


@pytest.mark.usefixtures("week")
def test_a_query_is_the_same_in_any_window(database: sa.Engine) -> None:
    sql = "SELECT * FROM permit_images WHERE image_id LIKE 'day%'"
    query = ImageQuery(sql, conn_id="lake", key="image_id", image="image_url", updated_at="uploaded_at")
    own = SqlImageSource(database, query, window=Window())
    assert len(read(own.within([days(2, 3)], besides=own))) == 8
    assert len(read(own.within([], found=own.find([("day 1", FRONT)])))) == 8
