from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import UNSETTLED, Status
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.standing.standings import previous
from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from tests.sql.ledger.ground import EACH_LEDGER

CountLeftOut = Callable[..., int]
Fill = Callable[..., sa.Table]
ImageList = Callable[..., None]
Described = ImageTable | ImageQuery

LEDGER = ledger_tables("permit_ocr")
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

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database", ["psycopg"], indirect=True)


@pytest.mark.slow
@EACH_LEDGER
@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("through_query", [False, True], ids=["table", "query"])
def test_settled_rows_are_left_out(
    count_left_out: CountLeftOut,
    database: sa.Engine,
    image_list: ImageList,
    known: Callable[..., None],
    status: Status,
    through_query: bool,
) -> None:
    image_list({"image_id": key, "side": side} for key in "ab" for side in ("front", "BACK"))
    known({"image_key": "a", "attempt_status": status}, {"image_key": "a", "card_side": "BACK"})
    described: Described = LISTED
    if through_query:
        names: dict[str, Any] = {"key": "image_id", "image": "image_url", "card_side": "side"}
        described = ImageQuery("SELECT * FROM permit_images", conn_id="lake", **names)
    assert count_left_out(database, described) == (1 if status in UNSETTLED else 2)


@EACH_LEDGER
@pytest.mark.parametrize("seen_in", ["attempt_updated_at", "attempted_at"])
@pytest.mark.parametrize(("later", "left_out"), [(-TICK, 1), (0 * TICK, 1), (TICK, 0)])
def test_row_that_changed_since_is_not_left_out(
    count_left_out: CountLeftOut,
    database: sa.Engine,
    image_list: ImageList,
    known: Callable[..., None],
    seen_in: str,
    later: timedelta,
    left_out: int,
) -> None:
    image_list([{"image_id": "a", "side": "FRONT", "uploaded_at": NOON + later}])
    known({"image_key": "a", seen_in: NOON})
    assert count_left_out(database, LISTED) == left_out


def test_status_that_was_changed_by_hand_is_left_to_be_complained_about(
    database: sa.Engine, image_list: ImageList, known: Callable[..., None]
) -> None:
    image_list([{"image_id": "a"}])
    known({"image_key": "a", "attempt_status": "done"})
    assert SqlImageSource(database, LISTED, settled_in=lambda: (LEDGER, 1)).settled() == 0


def test_rows_of_another_list_with_the_same_keys_are_not_left_out(
    count_left_out: CountLeftOut, database: sa.Engine, image_list: ImageList, known: Callable[..., None]
) -> None:
    image_list({"image_id": key, "side": "FRONT"} for key in "abc")
    known({"image_key": "a", "list_id": 2}, {"image_key": "b", "list_id": 11}, {"image_key": "c"})
    assert count_left_out(database, LISTED) == 1


def test_row_that_is_only_held_by_a_call_is_not_left_out(
    count_left_out: CountLeftOut, database: sa.Engine, image_list: ImageList, known: Callable[..., None]
) -> None:
    image_list([{"image_id": "a", "side": "FRONT"}])
    held = {"held_by": "c" * 32, "held_session": "s", "held_until": NOON}
    known({"image_key": "a", "attempt_status": None, "attempted_at": None} | held)
    assert count_left_out(database, LISTED) == 0


def test_the_last_attempt_counts_and_not_the_answer_that_is_in_force(
    count_left_out: CountLeftOut, database: sa.Engine, image_list: ImageList, known: Callable[..., None]
) -> None:
    image_list({"image_id": key, "side": "FRONT", "uploaded_at": NOON + TICK} for key in "ab")
    in_force = {"status": "recognized", "updated_at": NOON, "processed_at": NOON}
    known(
        in_force | {"image_key": "a", "attempt_status": "retry", "attempt_updated_at": NOON + TICK},
        in_force | {"image_key": "b", "attempt_status": "failed", "attempt_updated_at": NOON + TICK},
    )
    assert count_left_out(database, LISTED) == 1


def test_which_ledger_it_is_is_asked_for_when_it_first_matters(
    database: sa.Engine, image_list: ImageList, known: Callable[..., None]
) -> None:
    image_list([{"image_id": "a", "side": "FRONT"}])
    prepared: list[int] = []
    source = SqlImageSource(database, LISTED, settled_in=lambda: (LEDGER, prepared[0]))
    assert source.check() == 1
    known({"image_key": "a"})
    prepared.append(1)
    assert source.settled() == 1
    assert list(source.pages()) == []


def test_nothing_is_left_out_where_no_ledger_is_in_the_database(
    database: sa.Engine, image_list: ImageList
) -> None:
    image_list([{"image_id": "a", "side": "FRONT"}])
    source = SqlImageSource(database, LISTED, settled_in=lambda: None)
    assert source.settled() == 0
    assert len(list(source.pages())) == 1


def test_what_was_counted_is_read_page_by_page_in_order(
    database: sa.Engine,
    image_list: ImageList,
    known: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("airflow_provider_permitocr.sql.source.image_source._ROWS", 4)
    image_list(
        {"image_id": f"{number:02}", "side": "FRONT", "uploaded_at": None if number % 3 else NOON}
        for number in range(20)
    )
    known(*({"image_key": f"{number:02}"} for number in range(0, 20, 4)))
    for described in (LISTED, replace(LISTED, order_by="-uploaded_at")):
        source = SqlImageSource(database, described, settled_in=lambda: (LEDGER, 1))
        not_counted = SqlImageSource(database, described, settled_in=lambda: (LEDGER, 1))
        assert source.settled() == 5
        for _ in range(2):
            read = [row for page in source.pages() for row in page]
            assert len(read) == 15
            assert read == [row for page in not_counted.pages() for row in page]


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
    known: Callable[..., None],
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
    known(
        {"image_key": "before", "attempt_updated_at": midnight - TICK},
        {"image_key": "same", "attempt_updated_at": midnight},
    )
    described = ImageTable("images", conn_id="l", key="id", image="url", updated_at="at")
    try:
        assert count_left_out(database, described) == 1
    finally:
        with database.begin() as connection:
            connection.execute(sa.text(f'ALTER DATABASE "{name}" RESET TIME ZONE'))


@pytest.mark.slow
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
    known: Callable[..., None],
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
    known({"image_key": listed.image_key})
    assert count_left_out(database, described) == int(is_exact)


@on_postgresql
@pytest.mark.parametrize("collation", ['"C"', '"POSIX"', '"default"'])
@pytest.mark.parametrize("of_ledger", [False, True], ids=["list", "ledger"])
def test_texts_are_compared_exactly_whatever_their_columns_collation(
    count_left_out: CountLeftOut,
    database: sa.Engine,
    image_list: ImageList,
    known: Callable[..., None],
    collation: str,
    of_ledger: bool,
) -> None:
    image_list([{"image_id": "a", "side": "FRONT"}, {"image_id": "B", "side": "BACK"}])
    known({"image_key": "A"}, {"image_key": "B", "card_side": "BACK"})
    changed = (
        ("permit_ocr_images", "image_key", "card_side")
        if of_ledger
        else ("permit_images", "image_id", "side")
    )
    with database.begin() as connection:
        for column in changed[1:]:
            connection.exec_driver_sql(
                f"ALTER TABLE {changed[0]} ALTER COLUMN {column} TYPE text COLLATE {collation}"
            )
    assert count_left_out(database, LISTED) == 1


@on_sqlite
@pytest.mark.parametrize("kind", ["TEXT COLLATE NOCASE", "TEXT", ""])
def test_sqlite_compares_texts_exactly_whatever_their_columns_collation(
    count_left_out: CountLeftOut, database: sa.Engine, known: Callable[..., None], kind: str
) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE images (id {kind}, url TEXT)")
        connection.exec_driver_sql("INSERT INTO images VALUES ('a', 'u'), ('B', 'u'), ('01', 'u')")
    known({"image_key": "A"}, {"image_key": "B"}, {"image_key": "1"})
    described = ImageTable("images", conn_id="l", key="id", image="url")
    assert count_left_out(database, described) == 1


@on_sqlite
@pytest.mark.parametrize(("key", "left_out"), [(7, 1), ("7", 1), ("7.0", 1), (7.0, 0), (b"7", 0)])
def test_sqlite_leaves_out_keys_that_are_numbers_or_text(
    count_left_out: CountLeftOut, database: sa.Engine, known: Callable[..., None], key: Any, left_out: int
) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE images (id, url TEXT)")
        connection.exec_driver_sql("INSERT INTO images VALUES (?, 'u')", (key,))
    described = ImageTable("images", conn_id="l", key="id", image="url")
    ((listed,),) = SqlImageSource(database, described).pages()
    known({"image_key": listed.image_key})
    assert count_left_out(database, described) == left_out


@on_sqlite
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
    count_left_out: CountLeftOut,
    database: sa.Engine,
    known: Callable[..., None],
    written: str | None,
    left_out: int,
) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE images (id TEXT, url TEXT, at TEXT)")
        connection.exec_driver_sql("INSERT INTO images VALUES ('a', 'u', ?)", (written,))
    known({"image_key": "a", "attempted_at": NOON})
    described = ImageTable("images", conn_id="l", key="id", image="url", updated_at="at")
    assert count_left_out(database, described) == left_out


@on_postgresql
def test_times_kept_as_text_are_left_to_python(
    count_left_out: CountLeftOut, database: sa.Engine, fill: Fill, known: Callable[..., None]
) -> None:
    columns = [sa.Column(name, sa.Text) for name in ("id", "url", "at")]
    fill(database, "images", columns, [{"id": "a", "url": "u", "at": "2026-01-31"}])
    known({"image_key": "a"})
    described = ImageTable("images", conn_id="l", key="id", image="url", updated_at="at")
    assert count_left_out(database, described) == 0


@on_postgresql
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
@pytest.mark.parametrize("column", ["attempt_updated_at", "attempted_at"])
def test_ledgers_times_without_zone_are_utc_whatever_the_session_is_in(
    count_left_out: CountLeftOut,
    database: sa.Engine,
    image_list: ImageList,
    known: Callable[..., None],
    zone: str,
    column: str,
) -> None:
    image_list({"image_id": str(at), "side": "FRONT", "uploaded_at": NOON + at * TICK} for at in (-1, 0, 1))
    known(*({"image_key": str(at), column: NOON} for at in (-1, 0, 1)))
    with database.begin() as connection:
        name = connection.execute(sa.text("SELECT current_database()")).scalar_one()
        connection.exec_driver_sql(
            f"ALTER TABLE permit_ocr_images ALTER {column} TYPE timestamp USING {column} AT TIME ZONE 'UTC'"
        )
        connection.exec_driver_sql(f"ALTER DATABASE \"{name}\" SET TIME ZONE '{zone}'")
    database.dispose()
    described = ledger_tables("permit_ocr", without_zone=frozenset({("images", column)}))
    try:
        source = SqlImageSource(database, LISTED, settled_in=lambda: (described, 1))
        assert source.settled() == 2
        with database.connect() as connection:
            seen = previous(OpenList(connection, described, 1), None, [("0", CardSide.FRONT)])
        assert seen["0", CardSide.FRONT].seen_at == NOON
    finally:
        with database.begin() as connection:
            connection.exec_driver_sql(f'ALTER DATABASE "{name}" RESET TIME ZONE')


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.parametrize(
    ("kind", "key", "is_exact"),
    [
        ("varchar(20)", "a", True),
        ("varchar(20) CHARACTER SET latin1", "Ä", True),
        ("int(6) zerofill", "7", True),
        ("bigint unsigned", "18446744073709551615", True),
        ("decimal(20,2)", "1", False),
        ("date", "2026-01-31", False),
        ("varbinary(20)", "a", False),
    ],
)
def test_mariadb_leaves_out_keys_that_are_integers_or_text(
    count_left_out: CountLeftOut,
    database: sa.Engine,
    known: Callable[..., None],
    kind: str,
    key: str,
    is_exact: bool,
) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE images (id {kind}, url text)")
        connection.execute(sa.text("INSERT INTO images VALUES (:key, 'u')"), {"key": key})
    described = ImageTable("images", conn_id="l", key="id", image="url")
    ((listed,),) = SqlImageSource(database, described).pages()
    known({"image_key": listed.image_key})
    assert count_left_out(database, described) == int(is_exact)


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_mariadb_leaves_out_nothing_where_the_ledgers_keys_are_not_told_apart(
    count_left_out: CountLeftOut, database: sa.Engine, image_list: ImageList, known: Callable[..., None]
) -> None:
    image_list([{"image_id": "a", "side": "FRONT"}])
    known({"image_key": "a"})
    with database.begin() as connection:
        connection.exec_driver_sql(
            "ALTER TABLE permit_ocr_images MODIFY image_key varchar(512) COLLATE utf8mb4_general_ci NOT NULL"
        )
    assert count_left_out(database, LISTED) == 0
