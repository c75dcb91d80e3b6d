from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.models import ListedImage, RowKey, Status
from airflow_provider_permitocr.core.selection import needs_recognition
from airflow_provider_permitocr.core.shard import Shard
from airflow_provider_permitocr.sql.image_source import SqlImageSource
from airflow_provider_permitocr.sql.result_schema import result_table
from airflow_provider_permitocr.sql.result_target import SqlResultTarget
from airflow_provider_permitocr.sql.tables import ImageQuery, ImageTable, ResultTable

Fill = Callable[..., sa.Table]
ImageList = Callable[..., None]
Described = ImageTable | ImageQuery

RESULTS = ResultTable("permits", conn_id="lake")
LISTED = ImageTable(
    "permit_images",
    conn_id="lake",
    key="image_id",
    image="image_url",
    card_side="side",
    updated_at="uploaded_at",
)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)

on_postgresql = pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)


@pytest.fixture
def results(database: sa.Engine) -> Callable[..., None]:
    """Put rows into the result table `permits`, made where it is missing."""

    def put(*rows: dict[str, Any]) -> None:
        SqlResultTarget(database, RESULTS).prepare()
        defaults = {"card_side": "FRONT", "status": "recognized", "tries": 1, "processed_at": NOON}
        filled = [defaults | {"image_updated_at": None} | row for row in rows]
        if filled:
            with database.begin() as connection:
                connection.execute(sa.insert(result_table("permits")), filled)

    return put


def _wanted(engine: sa.Engine, source: SqlImageSource) -> tuple[list[RowKey], int]:
    """Read what a run would recognize, and how many rows it would see."""
    target = SqlResultTarget(engine, RESULTS)
    rows: list[ListedImage] = [row for page in source.pages() for row in page]
    previous = target.previous([row.row_key for row in rows])
    return [row.row_key for row in rows if needs_recognition(row, previous.get(row.row_key))], len(rows)


def _left_out(engine: sa.Engine, described: Described, shard: Shard | None = None) -> int:
    """Return how many rows are left out, after making sure that a run would want none of them."""
    plain = SqlImageSource(engine, described, shard=shard)
    source = SqlImageSource(engine, described, shard=shard, settled_in=RESULTS)
    listed = plain.check()
    assert source.check() == listed
    wanted, seen = _wanted(engine, source)
    assert (wanted, listed) == _wanted(engine, plain)
    assert plain.settled() == 0
    assert source.settled() == listed - seen
    return source.settled()


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("through_query", [False, True], ids=["table", "query"])
def test_rows_of_every_status_but_retry_are_left_out(
    database: sa.Engine,
    image_list: ImageList,
    results: Callable[..., None],
    status: Status,
    through_query: bool,
) -> None:
    image_list({"image_id": key, "side": side} for key in "ab" for side in ("front", "BACK"))
    results({"image_key": "a", "status": status}, {"image_key": "a", "card_side": "BACK"})
    described: Described = LISTED
    if through_query:
        names: dict[str, Any] = {"key": "image_id", "image": "image_url", "card_side": "side"}
        described = ImageQuery("SELECT * FROM permit_images", conn_id="lake", **names)
    assert _left_out(database, described) == (1 if status is Status.RETRY else 2)


@pytest.mark.parametrize("seen_in", ["image_updated_at", "processed_at"])
@pytest.mark.parametrize(("later", "left_out"), [(-TICK, 1), (0 * TICK, 1), (TICK, 0)])
def test_row_that_changed_since_is_not_left_out(
    database: sa.Engine,
    image_list: ImageList,
    results: Callable[..., None],
    seen_in: str,
    later: timedelta,
    left_out: int,
) -> None:
    image_list([{"image_id": "a", "side": "FRONT", "uploaded_at": NOON + later}])
    results({"image_key": "a", seen_in: NOON})
    assert _left_out(database, LISTED) == left_out


def test_status_that_was_changed_by_hand_is_left_to_be_complained_about(
    database: sa.Engine, image_list: ImageList, results: Callable[..., None]
) -> None:
    image_list([{"image_id": "a"}])
    results({"image_key": "a", "status": "done"})
    assert SqlImageSource(database, LISTED, settled_in=RESULTS).settled() == 0


@on_postgresql
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [(sa.DateTime(), datetime(2026, 1, 31)), (sa.Date(), date(2026, 1, 31))],
    ids=["timestamp", "date"],
)
def test_times_without_zone_are_utc_whatever_the_session_is_in(
    database: sa.Engine, fill: Fill, results: Callable[..., None], zone: str, kind: Any, value: Any
) -> None:
    with database.begin() as connection:
        name = connection.execute(sa.text("SELECT current_database()")).scalar_one()
        connection.execute(sa.text(f"ALTER DATABASE \"{name}\" SET TIME ZONE '{zone}'"))
    database.dispose()
    columns = [sa.Column("id", sa.Text), sa.Column("url", sa.Text), sa.Column("at", kind)]
    fill(database, "images", columns, [{"id": "before", "at": value}, {"id": "same", "at": value}])
    midnight = datetime(2026, 1, 31, tzinfo=UTC)
    results(
        {"image_key": "before", "image_updated_at": midnight - TICK},
        {"image_key": "same", "image_updated_at": midnight},
    )
    described = ImageTable("images", conn_id="l", key="id", image="url", updated_at="at")
    try:
        assert _left_out(database, described) == 1
    finally:
        with database.begin() as connection:
            connection.execute(sa.text(f'ALTER DATABASE "{name}" RESET TIME ZONE'))


@on_postgresql
@pytest.mark.parametrize(
    ("kind", "key", "is_exact"),
    [
        ("text", "Ä 中文 'x' ", True),
        ("varchar(20)", "a", True),
        ("smallint", "7", True),
        ("bigint", "9007199254740993", True),
        ("uuid", "6C84FB90-12C4-11E1-840D-7B25C5EE775A", True),
        ("char(8)", "a", False),
        ("numeric(20,10)", "0", False),
        ("date", "2026-01-31", False),
        ("double precision", "1", False),
        ("bytea", "a", False),
    ],
)
@pytest.mark.parametrize("through_query", [False, True], ids=["table", "query"])
def test_rows_are_left_out_where_keys_read_the_same_in_the_database(
    database: sa.Engine,
    results: Callable[..., None],
    kind: str,
    key: str,
    is_exact: bool,
    through_query: bool,
) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE images (id {kind}, url text)")
        connection.execute(sa.text(f"INSERT INTO images VALUES (CAST(:key AS {kind}), 'u')"), {"key": key})
    names: dict[str, Any] = {"conn_id": "l", "key": "id", "image": "url"}
    described: Described = (
        ImageQuery("SELECT * FROM images", **names) if through_query else ImageTable("images", **names)
    )
    ((listed,),) = SqlImageSource(database, described).pages()
    results({"image_key": listed.image_key})
    assert _left_out(database, described) == int(is_exact)


@on_postgresql
@pytest.mark.parametrize("collation", ['"C"', '"POSIX"', '"default"'])
@pytest.mark.parametrize("of_results", [False, True], ids=["list", "results"])
def test_texts_are_compared_exactly_whatever_their_columns_collation(
    database: sa.Engine, image_list: ImageList, results: Callable[..., None], collation: str, of_results: bool
) -> None:
    image_list([{"image_id": "a", "side": "FRONT"}, {"image_id": "B", "side": "BACK"}])
    results({"image_key": "A"}, {"image_key": "B", "card_side": "BACK"})
    changed = ("permits", "image_key", "card_side") if of_results else ("permit_images", "image_id", "side")
    with database.begin() as connection:
        for column in changed[1:]:
            connection.exec_driver_sql(
                f"ALTER TABLE {changed[0]} ALTER COLUMN {column} TYPE text COLLATE {collation}"
            )
    assert _left_out(database, LISTED) == 1


@pytest.mark.parametrize("kind", ["TEXT COLLATE NOCASE", "TEXT", ""])
def test_sqlite_compares_texts_exactly_whatever_their_columns_collation(
    sqlite_engine: sa.Engine, kind: str
) -> None:
    SqlResultTarget(sqlite_engine, RESULTS).prepare()
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE images (id {kind}, url TEXT)")
        connection.exec_driver_sql("INSERT INTO images VALUES ('a', 'u'), ('B', 'u'), ('01', 'u')")
        connection.exec_driver_sql(
            "INSERT INTO permits (image_key, card_side, status)"
            " VALUES ('A', 'FRONT', 'failed'), ('B', 'FRONT', 'failed'), ('1', 'FRONT', 'failed')"
        )
    described = ImageTable("images", conn_id="l", key="id", image="url")
    assert _left_out(sqlite_engine, described) == 1


@pytest.mark.parametrize(("key", "left_out"), [(7, 1), ("7", 1), ("7.0", 1), (7.0, 0), (b"7", 0)])
def test_sqlite_leaves_out_keys_that_are_numbers_or_text(
    sqlite_engine: sa.Engine, key: Any, left_out: int
) -> None:
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE images (id, url TEXT)")
        connection.exec_driver_sql("INSERT INTO images VALUES (?, 'u')", (key,))
    described = ImageTable("images", conn_id="l", key="id", image="url")
    ((listed,),) = SqlImageSource(sqlite_engine, described).pages()
    SqlResultTarget(sqlite_engine, RESULTS).prepare()
    with sqlite_engine.begin() as connection:
        row = {"image_key": listed.image_key, "card_side": "FRONT", "status": "failed"}
        connection.execute(sa.insert(result_table("permits")), row)
    assert _left_out(sqlite_engine, described) == left_out


@pytest.mark.parametrize(
    ("written", "left_out"),
    [
        ("2026-01-31 12:00:00", 1),
        ("2026-01-31T12:00:00", 1),
        ("2026-01-31 12:00:00.000000", 1),
        ("2026-01-31T12:00:00.000+00:00", 1),
        ("2026-01-31T12:00:00Z", 1),
        ("2026-01-31", 1),
        (None, 1),
        ("2026-01-31 12:00:00.000001", 0),
        ("2026-02-01", 0),
        ("2026-01-31T20:00:00+08:00", 0),
        ("2026-01-31 12:00", 0),
        ("2026-01-31 1230", 0),
        ("20260131T120000", 0),
    ],
)
def test_sqlite_leaves_out_rows_whose_time_is_plainly_not_later(
    sqlite_engine: sa.Engine, written: str | None, left_out: int
) -> None:
    SqlResultTarget(sqlite_engine, RESULTS).prepare()
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE images (id TEXT, url TEXT, at TEXT)")
        connection.exec_driver_sql("INSERT INTO images VALUES ('a', 'u', ?)", (written,))
        row = {"image_key": "a", "card_side": "FRONT", "status": "failed", "processed_at": NOON}
        connection.execute(sa.insert(result_table("permits")), row)
    described = ImageTable("images", conn_id="l", key="id", image="url", updated_at="at")
    assert _left_out(sqlite_engine, described) == left_out


@on_postgresql
def test_times_kept_as_text_are_left_to_python(
    database: sa.Engine, fill: Fill, results: Callable[..., None]
) -> None:
    columns = [sa.Column(name, sa.Text) for name in ("id", "url", "at")]
    fill(database, "images", columns, [{"id": "a", "url": "u", "at": "2026-01-31"}])
    results({"image_key": "a"})
    described = ImageTable("images", conn_id="l", key="id", image="url", updated_at="at")
    assert _left_out(database, described) == 0


_KEYS = st.sampled_from(["a", "A", "b ", "b", "01", "1", "中", "Ä", "", "'"])
_SIDES = st.sampled_from(["FRONT", "BACK"])
_TIMES = st.none() | st.builds(
    lambda ticks, hours: (NOON + ticks * TICK).astimezone(timezone(timedelta(hours=hours))),
    st.integers(-2, 2),
    st.integers(-8, 8),
)
_LISTS = st.dictionaries(st.tuples(_KEYS, _SIDES), _TIMES, max_size=12)
_RESULTS = st.dictionaries(
    st.tuples(_KEYS, _SIDES), st.tuples(st.sampled_from(list(Status)), _TIMES, _TIMES), max_size=12
)


@pytest.fixture
def cleared(database: sa.Engine, image_list: ImageList, results: Callable[..., None]) -> Callable[[], None]:
    """An empty list and an empty result table; emptied again at each call."""
    image_list([])
    results()

    def clear() -> None:
        with database.begin() as connection:
            for table in ("permit_images", "permits"):
                connection.execute(sa.text(f"DELETE FROM {table}"))

    return clear


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(listed=_LISTS, known=_RESULTS, of=st.integers(1, 4), times=st.booleans(), rows=st.integers(1, 5))
def test_a_run_wants_the_same_rows_whether_the_database_leaves_some_out_or_not(
    database: sa.Engine,
    results: Callable[..., None],
    cleared: Callable[[], None],
    listed: dict[tuple[str, str], datetime | None],
    known: dict[tuple[str, str], tuple[Status, datetime | None, datetime | None]],
    of: int,
    times: bool,
    rows: int,
) -> None:
    cleared()
    listing = sa.table("permit_images", *(sa.column(name) for name in ("image_id", "side")))
    uploaded_at: sa.ColumnClause[datetime] = sa.column("uploaded_at", sa.DateTime(timezone=True))
    listing.append_column(uploaded_at)
    with database.begin() as connection:
        for (key, side), changed in listed.items():
            in_utc = changed and changed.astimezone(UTC)
            row = {"image_id": key, "side": side, "uploaded_at": in_utc}
            connection.execute(sa.insert(listing).values(row))
    results(
        *(
            {"image_key": key, "card_side": side, "status": status}
            | {"image_updated_at": seen and seen.astimezone(UTC)}
            | {"processed_at": at and at.astimezone(UTC)}
            for (key, side), (status, seen, at) in known.items()
        )
    )
    described = LISTED if times else replace(LISTED, updated_at=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_provider_permitocr.sql.image_source._ROWS", rows)
        for number in range(1, of + 1):
            _left_out(database, described, Shard(number, of))
        assert _left_out(database, described) >= len(
            [each for each in listed.items() if _is_plainly_settled(*each, known, times)]
        )


def _is_plainly_settled(
    row_key: tuple[str, str], changed: datetime | None, known: dict[Any, Any], times: bool
) -> bool:
    status, seen, at = known.get(row_key, (Status.RETRY, None, None))
    seen_at = seen or at
    return status is not Status.RETRY and (
        not times or changed is None or (seen_at is not None and seen_at >= changed)
    )


def test_shards_hold_every_row_once_and_both_sides_together(
    database: sa.Engine, image_list: ImageList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_permitocr.sql.image_source._ROWS", 7)
    image_list({"image_id": f"key-{at}", "side": side} for at in range(50) for side in ("FRONT", "BACK"))
    everything = [(f"key-{at}", side) for at in range(50) for side in (CardSide.FRONT, CardSide.BACK)]
    parts = []
    for number in (1, 2, 3):
        source = SqlImageSource(database, LISTED, shard=Shard(number, 3))
        part = [row.row_key for page in source.pages() for row in page]
        assert 0 < len(part) == source.check()
        parts.append(part)
    assert sorted(row for part in parts for row in part) == sorted(everything)
    keys = [{key for key, _ in part} for part in parts]
    assert not keys[0] & keys[1] | keys[1] & keys[2] | keys[0] & keys[2]
