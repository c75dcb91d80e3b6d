from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.core.models import Status
from airflow_provider_permitocr.sql.image_source import SqlImageSource
from airflow_provider_permitocr.sql.result_schema import result_table
from airflow_provider_permitocr.sql.result_target import SqlResultTarget
from airflow_provider_permitocr.sql.tables import ImageQuery, ImageTable, ResultTable

CountLeftOut = Callable[..., int]
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


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("through_query", [False, True], ids=["table", "query"])
def test_rows_of_every_status_but_retry_are_left_out(
    count_left_out: CountLeftOut,
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
    assert count_left_out(database, described) == (1 if status is Status.RETRY else 2)


@pytest.mark.parametrize("seen_in", ["image_updated_at", "processed_at"])
@pytest.mark.parametrize(("later", "left_out"), [(-TICK, 1), (0 * TICK, 1), (TICK, 0)])
def test_row_that_changed_since_is_not_left_out(
    count_left_out: CountLeftOut,
    database: sa.Engine,
    image_list: ImageList,
    results: Callable[..., None],
    seen_in: str,
    later: timedelta,
    left_out: int,
) -> None:
    image_list([{"image_id": "a", "side": "FRONT", "uploaded_at": NOON + later}])
    results({"image_key": "a", seen_in: NOON})
    assert count_left_out(database, LISTED) == left_out


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
    count_left_out: CountLeftOut,
    database: sa.Engine,
    fill: Fill,
    results: Callable[..., None],
    zone: str,
    kind: Any,
    value: Any,
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
        assert count_left_out(database, described) == 1
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
    count_left_out: CountLeftOut,
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
    assert count_left_out(database, described) == int(is_exact)


@on_postgresql
@pytest.mark.parametrize("collation", ['"C"', '"POSIX"', '"default"'])
@pytest.mark.parametrize("of_results", [False, True], ids=["list", "results"])
def test_texts_are_compared_exactly_whatever_their_columns_collation(
    count_left_out: CountLeftOut,
    database: sa.Engine,
    image_list: ImageList,
    results: Callable[..., None],
    collation: str,
    of_results: bool,
) -> None:
    image_list([{"image_id": "a", "side": "FRONT"}, {"image_id": "B", "side": "BACK"}])
    results({"image_key": "A"}, {"image_key": "B", "card_side": "BACK"})
    changed = ("permits", "image_key", "card_side") if of_results else ("permit_images", "image_id", "side")
    with database.begin() as connection:
        for column in changed[1:]:
            connection.exec_driver_sql(
                f"ALTER TABLE {changed[0]} ALTER COLUMN {column} TYPE text COLLATE {collation}"
            )
    assert count_left_out(database, LISTED) == 1


@pytest.mark.parametrize("kind", ["TEXT COLLATE NOCASE", "TEXT", ""])
def test_sqlite_compares_texts_exactly_whatever_their_columns_collation(
    count_left_out: CountLeftOut, sqlite_engine: sa.Engine, kind: str
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
    assert count_left_out(sqlite_engine, described) == 1


@pytest.mark.parametrize(("key", "left_out"), [(7, 1), ("7", 1), ("7.0", 1), (7.0, 0), (b"7", 0)])
def test_sqlite_leaves_out_keys_that_are_numbers_or_text(
    count_left_out: CountLeftOut, sqlite_engine: sa.Engine, key: Any, left_out: int
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
    assert count_left_out(sqlite_engine, described) == left_out


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
    count_left_out: CountLeftOut, sqlite_engine: sa.Engine, written: str | None, left_out: int
) -> None:
    SqlResultTarget(sqlite_engine, RESULTS).prepare()
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE images (id TEXT, url TEXT, at TEXT)")
        connection.exec_driver_sql("INSERT INTO images VALUES ('a', 'u', ?)", (written,))
        row = {"image_key": "a", "card_side": "FRONT", "status": "failed", "processed_at": NOON}
        connection.execute(sa.insert(result_table("permits")), row)
    described = ImageTable("images", conn_id="l", key="id", image="url", updated_at="at")
    assert count_left_out(sqlite_engine, described) == left_out


@on_postgresql
def test_times_kept_as_text_are_left_to_python(
    count_left_out: CountLeftOut, database: sa.Engine, fill: Fill, results: Callable[..., None]
) -> None:
    columns = [sa.Column(name, sa.Text) for name in ("id", "url", "at")]
    fill(database, "images", columns, [{"id": "a", "url": "u", "at": "2026-01-31"}])
    results({"image_key": "a"})
    described = ImageTable("images", conn_id="l", key="id", image="url", updated_at="at")
    assert count_left_out(database, described) == 0
