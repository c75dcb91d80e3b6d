"""Local times of a list: an option says their zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.engine.run.window import Window
from airflow_provider_permitocr.options.lists.image_list import Carry, ImageQuery, ImageTable
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from airflow_provider_permitocr.sql.source.times import local_bound, read_time

Read = Callable[..., list[ImageRow]]
HONG_KONG = "Asia/Hong_Kong"
BERLIN = ZoneInfo("Europe/Berlin")  # back at 01:00 UTC on 2026-10-25, ahead at 01:00 UTC on 2026-03-29
NAMES: dict[str, Any] = {"conn_id": "lake", "key": "id", "image": "url", "updated_at": "changed_at"}


def _fill(engine: sa.Engine, kind: str, *moments: str) -> None:
    if engine.dialect.name == "mysql" and kind == "TIMESTAMP":
        kind = "DATETIME(6)"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE images (id varchar(9), url varchar(9), changed_at {kind})")
        for number, moment in enumerate(moments):
            connection.exec_driver_sql(f"INSERT INTO images VALUES ('{number}', '/', '{moment}')")


def _listed(through_query: bool = False, **changes: Any) -> ImageTable | ImageQuery:
    described = {**NAMES, "timezone": HONG_KONG, **changes}
    return (
        ImageQuery("SELECT * FROM images", **described)
        if through_query
        else ImageTable("images", **described)
    )


@pytest.mark.parametrize("through_query", [False, True], ids=["table", "query"])
@pytest.mark.parametrize("kind", ["TIMESTAMP", "DATE"])
def test_local_change_times_and_copies_are_read_in_the_lists_zone(
    database: sa.Engine, read: Read, kind: str, through_query: bool
) -> None:
    _fill(database, kind, "2026-01-31 00:00:00")
    carried = [Carry("changed_at", name="at", kind="timestamp"), Carry("changed_at", name="day", kind="date")]
    (row,) = read(database, _listed(through_query, carry_columns=carried))
    midnight = datetime(2026, 1, 30, 16, tzinfo=UTC)
    assert row.updated_at == midnight
    assert row.carried == {"at": midnight, "day": date(2026, 1, 31)}


def test_local_times_are_utc_where_no_zone_is_said(database: sa.Engine, read: Read) -> None:
    _fill(database, "TIMESTAMP", "2026-01-31 08:00:00")
    (row,) = read(database, ImageTable("images", **NAMES))
    assert row.updated_at == datetime(2026, 1, 31, 8, tzinfo=UTC)


MOMENTS = {"psycopg": "TIMESTAMPTZ", "psycopg2": "TIMESTAMPTZ", "duckdb": "TIMESTAMPTZ", "sqlite": "TEXT"}


@pytest.mark.parametrize("through_query", [False, True], ids=["table", "query"])
@pytest.mark.parametrize(("database", "kind"), MOMENTS.items(), indirect=["database"])
def test_times_with_a_zone_of_their_own_keep_it(
    database: sa.Engine, read: Read, kind: str, through_query: bool
) -> None:
    _fill(database, kind, "2026-01-31 00:00:00+01:00")
    carried = [Carry("changed_at", name="at", kind="timestamp")]
    (row,) = read(database, _listed(through_query, carry_columns=carried))
    moment = datetime(2026, 1, 30, 23, tzinfo=UTC)
    assert (row.updated_at, row.carried) == (moment, {"at": moment})


def _in_utc_session(engine: sa.Engine) -> None:
    engine.dispose()
    sa.event.listen(engine, "connect", lambda made, _: made.cursor().execute("SET time_zone = '+00:00'"))


@pytest.mark.parametrize("through_query", [False, True], ids=["table", "query"])
@pytest.mark.parametrize("driver", ["pymysql", "mysqldb"])
def test_timestamps_of_mysql_are_moments(
    mariadb_engine: sa.Engine,
    new_engine: Callable[..., sa.Engine],
    read: Read,
    driver: str,
    through_query: bool,
) -> None:
    engine = new_engine(mariadb_engine.url.set(drivername=f"mysql+{driver}"))
    _in_utc_session(engine)
    _fill(engine, "TIMESTAMP NULL", "2026-01-31 08:00:00")
    carried = [Carry("changed_at", name="at", kind="timestamp")]
    (row,) = read(engine, _listed(through_query, carry_columns=carried))
    moment = datetime(2026, 1, 31, 8, tzinfo=UTC)
    assert (row.updated_at, row.carried) == (moment, {"at": moment})
    bounds: dict[str, Any] = {"since": moment, "until": moment + timedelta(seconds=1)}
    if not through_query:
        assert len(read(engine, _listed(**bounds))) == 1


KINDS = [
    *((name, "TIMESTAMP") for name in ("psycopg", "psycopg2", "mariadb", "duckdb", "sqlite")),
    ("sqlite", "TEXT"),
]


@pytest.mark.parametrize(("database", "kind"), KINDS, indirect=["database"])
def test_bounds_and_windows_hold_for_local_times(database: sa.Engine, read: Read, kind: str) -> None:
    _fill(
        database,
        kind,
        "2026-01-31 07:59:59",
        "2026-01-31 08:00:00",
        "2026-02-01 07:59:59",
        "2026-02-01 08:00:00",
    )
    day: dict[str, Any] = {"since": "2026-01-31T00:00:00+00:00", "until": "2026-02-01T00:00:00Z"}
    assert [row.image_key for row in read(database, _listed(**day))] == ["1", "2"]
    source = SqlImageSource(database, _listed())
    start = datetime(2026, 1, 31, tzinfo=UTC)
    window = Window(start, start + timedelta(days=1))
    within = source.within([window])
    assert [row.image_key for page in within.pages() for row in page] == ["1", "2"]
    outside = source.within([], besides=within)
    assert [row.image_key for page in outside.pages() for row in page] == ["0", "3"]


def test_bounds_hold_for_sqlites_times_with_and_without_a_zone(sqlite_engine: sa.Engine, read: Read) -> None:
    _fill(
        sqlite_engine,
        "TEXT",
        "2026-01-31 07:59:59",
        "2026-01-31T00:00:00Z",
        "2026-01-31 08:00:00",
        "2026-01-30T19:00:00-05:00",
        "2026-01-30T18:59:59-05:00",
        "2026-01-31 00:00:00+00:00",
    )
    rows = read(sqlite_engine, _listed(since="2026-01-31T00:00:00Z"))
    assert [row.image_key for row in rows] == ["1", "2", "3", "5"]


@pytest.mark.parametrize(
    ("local", "moment"),
    [
        ("2026-10-25 01:59:59", "2026-10-24T23:59:59"),
        ("2026-10-25 02:30:00", "2026-10-25T00:30:00"),  # occurs twice: the first
        ("2026-10-25 03:00:00", "2026-10-25T02:00:00"),
        ("2026-03-29 01:59:59", "2026-03-29T00:59:59"),
        ("2026-03-29 02:30:00", "2026-03-29T01:30:00"),  # skipped: as if it had been
        ("2026-03-29 03:00:00", "2026-03-29T01:00:00"),
    ],
)
def test_local_times_at_a_change_of_the_clock(local: str, moment: str) -> None:
    assert read_time(local, BERLIN) == datetime.fromisoformat(f"{moment}+00:00")


NEAR_CHANGES = st.datetimes(datetime(2026, 10, 24, 20), datetime(2026, 10, 25, 6)) | st.datetimes(
    datetime(2026, 3, 28, 20), datetime(2026, 3, 29, 6)
)


@pytest.mark.slow
@given(NEAR_CHANGES, NEAR_CHANGES)
@example(datetime(2026, 10, 25, 1), datetime(2026, 10, 25, 2, 59, 59, 999999))
@example(datetime(2026, 10, 25, 1, 30), datetime(2026, 10, 25, 3))
def test_every_local_time_is_on_the_side_of_a_bound_that_it_is_read_as(
    moment: datetime, local: datetime
) -> None:
    moment = moment.replace(tzinfo=UTC)
    read = read_time(local, BERLIN)
    assert read is not None
    is_skipped = read.astimezone(BERLIN).replace(tzinfo=None) != local
    if not is_skipped:
        assert (local >= local_bound(moment, BERLIN)) == (read >= moment)


@given(NEAR_CHANGES, NEAR_CHANGES)
def test_later_bounds_are_not_before_earlier_ones(one: datetime, other: datetime) -> None:
    earlier, later = sorted((one.replace(tzinfo=UTC), other.replace(tzinfo=UTC)))
    assert local_bound(earlier, BERLIN) <= local_bound(later, BERLIN)


@pytest.mark.parametrize("timezone", ["Hong Kong", "+08:00", "", "../etc/passwd", 8])
@pytest.mark.parametrize("through_query", [False, True], ids=["table", "query"])
def test_zone_that_there_is_none_of_is_refused(timezone: Any, through_query: bool) -> None:
    with pytest.raises(ValueError, match="timezone must be a name such as Asia/Hong_Kong"):
        _listed(through_query, timezone=timezone)


def test_local_times_are_settled_row_by_row_in_one_database_with_the_ledger(
    database: sa.Engine, known: Callable[..., None], count_left_out: Callable[..., int]
) -> None:
    _fill(database, "TIMESTAMP", "2026-01-31 08:00:00", "2026-01-31 08:00:01", "2026-01-31 07:00:00")
    seen = datetime(2026, 1, 31, tzinfo=UTC)
    known(*({"image_key": key, "attempt_updated_at": seen} for key in "012"))
    assert count_left_out(database, _listed()) == 0
