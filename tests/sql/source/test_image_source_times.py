from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable

#: To the millisecond at least on all databases.
DATETIME = {
    aware: sa.DateTime(timezone=aware).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    for aware in (False, True)
}
Fill = Callable[..., sa.Table]
Read = Callable[..., list[ImageRow]]
ImageList = Callable[..., None]


def test_change_time_is_read_with_its_zone(database: sa.Engine, image_list: ImageList, read: Read) -> None:
    moment = datetime(2026, 1, 31, 23, 30, 15, 123456, tzinfo=UTC)
    image_list([{"image_id": "a", "uploaded_at": moment}, {"image_id": "b"}])
    described = ImageTable(
        "permit_images", conn_id="l", key="image_id", image="image_url", updated_at="uploaded_at"
    )
    assert [row.updated_at for row in read(database, described)] == [moment, None]


@pytest.mark.parametrize("through_query", [False, True], ids=["table", "query"])
@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31 08:00:00", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("2026-01-31T08:00:00+08:00", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T08:00:00Z", datetime(2026, 1, 31, 8, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("declared", ["DATETIME", "TEXT"])
def test_change_time_kept_as_text_is_read(
    sqlite_engine: sa.Engine, read: Read, written: str, read_as: datetime, declared: str, through_query: bool
) -> None:
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE images (id TEXT, url TEXT, at {declared})")
        connection.exec_driver_sql("INSERT INTO images VALUES ('a', 'u', ?)", (written,))
    names: dict[str, Any] = {"conn_id": "l", "key": "id", "image": "url", "updated_at": "at"}
    described = (
        ImageQuery("SELECT * FROM images", **names) if through_query else ImageTable("images", **names)
    )
    assert [row.updated_at for row in read(sqlite_engine, described)] == [read_as]


def test_change_time_without_zone_is_utc_wherever_the_session_is(
    postgres_engine: sa.Engine, fill: Fill, read: Read
) -> None:
    columns = [sa.Column("id", sa.Text), sa.Column("url", sa.Text), sa.Column("at", sa.DateTime)]
    fill(postgres_engine, "images", columns, [{"id": "a", "url": "u", "at": datetime(2026, 1, 31, 8)}])
    _set_time_zone(postgres_engine, "Asia/Shanghai")
    described = ImageTable("images", conn_id="l", key="id", image="url", updated_at="at")
    assert [row.updated_at for row in read(postgres_engine, described)] == [
        datetime(2026, 1, 31, 8, tzinfo=UTC)
    ]


def _set_time_zone(engine: sa.Engine, zone: str) -> None:
    engine.dispose()

    @sa.event.listens_for(engine, "connect")
    def set_zone(connection: Any, record: Any) -> None:
        connection.execute(f"SET TIME ZONE '{zone}'")
        connection.commit()


@pytest.mark.parametrize("aware", [True, False], ids=["with zone", "without zone"])
@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-01-31T00:00:00+00:00", "2026-02-01T00:00:00+00:00"),
        ("2026-01-31 00:00:00", "2026-02-01"),
        ("2026-01-31T08:00:00+08:00", "2026-02-01T08:00:00+08:00"),
        (datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2026, 1, 31), datetime(2026, 2, 1, 8, tzinfo=timezone(timedelta(hours=8)))),
    ],
    ids=str,
)
def test_since_is_included_and_until_is_not(
    database: sa.Engine,
    fill: Fill,
    read: Read,
    aware: bool,
    since: str | datetime,
    until: str | datetime,
) -> None:
    start = datetime(2026, 1, 31, tzinfo=UTC)
    day, tick = timedelta(days=1), timedelta(milliseconds=1)
    moments = {"before": start - tick, "first": start, "last": start + day - tick, "after": start + day}
    columns = [
        sa.Column("id", sa.Text),
        sa.Column("url", sa.Text),
        sa.Column("at", DATETIME[aware], quote=True),
    ]
    rows = (
        {"id": name, "url": "u", "at": moment if aware else moment.replace(tzinfo=None)}
        for name, moment in moments.items()
    )
    fill(database, "images", columns, [*rows, {"id": "unknown", "url": "u", "at": None}])
    described = ImageTable(
        "images", conn_id="l", key="id", image="url", updated_at="at", since=since, until=until
    )
    assert [row.image_key for row in read(database, described)] == ["first", "last"]


@pytest.mark.parametrize("separator", [" ", "T"])
@pytest.mark.parametrize("zone", ["", "Z", "+00:00"])
def test_bounds_hold_for_times_that_sqlite_keeps_as_text(
    sqlite_engine: sa.Engine, read: Read, separator: str, zone: str
) -> None:
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE images (id TEXT, url TEXT, at DATETIME)")
        for name, day, hour in (("before", 30, 23), ("first", 31, 0), ("last", 31, 23)):
            at = f"2026-01-{day}{separator}{hour:02}:00:00{zone}"
            connection.exec_driver_sql("INSERT INTO images VALUES (?, 'u', ?)", (name, at))
        connection.exec_driver_sql(
            f"INSERT INTO images VALUES ('after', 'u', '2026-02-01{separator}00:00:00{zone}')"
        )
    described = ImageTable(
        "images", conn_id="l", key="id", image="url", updated_at="at", since="2026-01-31", until="2026-02-01"
    )
    assert [row.image_key for row in read(sqlite_engine, described)] == ["first", "last"]


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-31T12:00:00+0800",
        "2026-01-31 12:00:00+08",
        "20260131T120000",
        "2026-01-31 12:00:00,123",
        "2026-01-31T12",
        "2026-01-31 12:00:00.5",
    ],
)
def test_bounds_hold_for_times_that_python_alone_reads(
    sqlite_engine: sa.Engine, read: Read, written: str
) -> None:
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE images (id TEXT, url TEXT, at TEXT)")
        connection.exec_driver_sql("INSERT INTO images VALUES ('a', 'u', ?)", (written,))
    names: dict[str, Any] = {"conn_id": "l", "key": "id", "image": "url", "updated_at": "at"}
    moment = datetime.fromisoformat(written)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    second = timedelta(seconds=1)
    for since, listed in ((moment - second, 1), (moment + second, 0)):
        assert len(read(sqlite_engine, ImageTable("images", since=since, **names))) == listed
        assert len(read(sqlite_engine, ImageTable("images", until=since, **names))) == 1 - listed


@pytest.mark.parametrize("written", [1769860800, 1769860800.5, "", "unknown", "2026/01/31"])
def test_change_time_that_is_none_is_reported_within_bounds_too(
    sqlite_engine: sa.Engine, read: Read, written: Any
) -> None:
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE images (id TEXT, url TEXT, at)")
        connection.exec_driver_sql("INSERT INTO images VALUES ('a', 'u', ?)", (written,))
    described = ImageTable(
        "images", conn_id="l", key="id", image="url", updated_at="at", since=datetime(2026, 1, 1, tzinfo=UTC)
    )
    with pytest.raises(SourceError, match="updated_at column must hold dates or times"):
        read(sqlite_engine, described)


@pytest.mark.parametrize("kind", ["varchar(40)", "bigint", "time"])
def test_bounds_of_mysql_are_refused_for_what_compares_as_no_time(
    mariadb_engine: sa.Engine, read: Read, kind: str
) -> None:
    with mariadb_engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE images (id varchar(9), url text, at {kind})")
    described = ImageTable(
        "images", conn_id="l", key="id", image="url", updated_at="at", until=datetime(2026, 2, 1, tzinfo=UTC)
    )
    with pytest.raises(SourceError, match=r"'at' is of type .* since and until compare only with DATE"):
        read(mariadb_engine, described)
