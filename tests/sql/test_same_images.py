from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.columns import ANSWER_COLUMNS
from airflow_provider_permitocr.core.same_image import Answer
from airflow_provider_permitocr.sql.errors import DatabaseError
from airflow_provider_permitocr.sql.result_target import SqlResultTarget
from airflow_provider_permitocr.sql.same_images import SqlSameImages
from airflow_provider_permitocr.sql.tables import ResultTable

FrameOf = Callable[..., pd.DataFrame]
DIGEST, OTHER = "a" * 64, "b" * 64
#: Where an index by picture is of use.
INDEXED = ("psycopg", "psycopg2", "sqlite", "mariadb")
_FIELDS: dict[str, Any] = {
    "number": "08320271",
    "birthday": date(1958, 8, 12),
    "valid_until": None,
    "warn_card_infos": "[-9103]",
    "warn_photocopy": False,
    "warn_recapture": True,
    "warn_not_enabled": False,
}


def _same_images(
    engine: sa.Engine, *, with_portrait: bool = False, stop: threading.Event | None = None, **options: Any
) -> SqlSameImages:
    described = ResultTable("permits", conn_id="warehouse", **options)
    return SqlSameImages(engine, described, with_portrait=with_portrait, stop=stop or threading.Event())


@pytest.fixture
def write(database: sa.Engine, frame_of: FrameOf) -> Callable[..., None]:
    """Write a recognized image of `DIGEST` into the result table; its columns by name."""

    def put(image_key: str, mode: str = "upsert", **changes: Any) -> None:
        target = SqlResultTarget(database, ResultTable("permits", conn_id="warehouse", mode=mode))
        target.prepare()
        target.write(frame_of(image_key, **({"image_digest": DIGEST} | changes)))

    return put


def _indexes(engine: sa.Engine) -> list[list[str | None]]:
    found = sa.inspect(engine).get_indexes("permits")
    return [index["column_names"] for index in found if not index["unique"]]


def test_the_answer_of_the_same_picture_comes_back_value_by_value(
    database: sa.Engine, write: Callable[..., None]
) -> None:
    write("first", **_FIELDS, request_id="r-1")
    write("other", image_digest=OTHER, number="0")
    found = _same_images(database).find(DIGEST, CardSide.FRONT)
    none = dict.fromkeys(name for name in ANSWER_COLUMNS if name != "profile")
    assert found == Answer("first", none | {"name": "李优图"} | _FIELDS, "r-1")


def test_a_picture_that_was_never_seen_is_not_found(database: sa.Engine, write: Callable[..., None]) -> None:
    write("first")
    assert _same_images(database).find(OTHER, CardSide.FRONT) is None


@pytest.mark.parametrize("status", ["failed", "rejected", "retry"])
def test_only_an_answer_with_fields_is_taken(
    database: sa.Engine, write: Callable[..., None], status: str
) -> None:
    write("first", status=status, error_code="FailedOperation.OcrFailed")
    assert _same_images(database).find(DIGEST, CardSide.FRONT) is None


def test_the_other_side_of_the_same_picture_is_another_question(
    database: sa.Engine, write: Callable[..., None]
) -> None:
    write("first", card_side="BACK", back_name="李优图")
    same = _same_images(database)
    assert same.find(DIGEST, CardSide.FRONT) is None
    back = same.find(DIGEST, CardSide.BACK)
    assert back is not None
    assert back.fields["back_name"] == "李优图"


def test_who_asks_for_the_portrait_takes_no_answer_without_one(
    database: sa.Engine, write: Callable[..., None]
) -> None:
    write("without")
    same = _same_images(database, with_portrait=True)
    assert same.find(DIGEST, CardSide.FRONT) is None
    write("with", profile="cG9ydHJhaXQ=", processed_at=datetime(2020, 1, 1, tzinfo=UTC))
    found = same.find(DIGEST, CardSide.FRONT)
    assert found is not None
    assert (found.image_key, found.fields["profile"]) == ("with", "cG9ydHJhaXQ=")


def test_a_back_has_no_portrait_to_ask_for(database: sa.Engine, write: Callable[..., None]) -> None:
    write("first", card_side="BACK")
    assert _same_images(database, with_portrait=True).find(DIGEST, CardSide.BACK) is not None


def test_who_asks_for_no_portrait_gets_none(database: sa.Engine, write: Callable[..., None]) -> None:
    write("first", profile="cG9ydHJhaXQ=")
    found = _same_images(database).find(DIGEST, CardSide.FRONT)
    assert found is not None
    assert "profile" not in found.fields


@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_of_several_answers_the_latest_is_taken(
    database: sa.Engine, write: Callable[..., None], mode: str
) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    for hours, key in ((1, "b"), (3, "c"), (2, "a")):
        write(key, mode=mode, number=f"number {key}", processed_at=start + timedelta(hours=hours))
    found = _same_images(database, mode=mode).find(DIGEST, CardSide.FRONT)
    assert found is not None
    assert (found.image_key, found.fields["number"]) == ("c", "number c")


def test_an_image_that_was_recognized_twice_gives_its_last_answer_in_a_history(
    database: sa.Engine, write: Callable[..., None]
) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    for hours in (2, 1):
        write("a", mode="append", number=str(hours), processed_at=start + timedelta(hours=hours))
    found = _same_images(database, mode="append").find(DIGEST, CardSide.FRONT)
    assert found is not None
    assert found.fields["number"] == "2"


def test_an_answer_that_was_taken_over_names_the_image_that_was_paid_for(
    database: sa.Engine, write: Callable[..., None]
) -> None:
    write("second", reused_from="first", request_id="r-1")
    found = _same_images(database).find(DIGEST, CardSide.FRONT)
    assert found is not None
    assert (found.image_key, found.request_id) == ("first", "r-1")


def test_where_there_is_no_table_yet_nothing_is_found_or_made(database: sa.Engine) -> None:
    assert _same_images(database).find(DIGEST, CardSide.FRONT) is None
    with database.connect() as connection:
        assert not database.dialect.has_table(connection, "permits")


def test_a_table_without_digests_holds_no_picture(database: sa.Engine) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE permits (image_key varchar(99), status varchar(20))")
    assert _same_images(database).find(DIGEST, CardSide.FRONT) is None


def test_what_an_older_table_lacks_is_looked_for_once_it_was_added(
    database: sa.Engine, write: Callable[..., None]
) -> None:
    same = _same_images(database)
    assert same.find(DIGEST, CardSide.FRONT) is None
    write("first")
    same.prepare()
    assert same.find(DIGEST, CardSide.FRONT) is not None


@pytest.mark.parametrize("database", INDEXED, indirect=True)
def test_pictures_are_found_by_an_index_that_is_made_once(
    database: sa.Engine, write: Callable[..., None]
) -> None:
    write("first")
    _same_images(database).prepare()
    _same_images(database).prepare()
    assert _indexes(database) == [["image_digest", "processed_at"]]


@pytest.mark.parametrize("database", INDEXED, indirect=True)
def test_an_index_of_the_users_own_will_do(database: sa.Engine, write: Callable[..., None]) -> None:
    write("first")
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE INDEX by_picture ON permits (image_digest)")
    _same_images(database).prepare()
    assert _indexes(database) == [["image_digest"]]


@pytest.mark.parametrize("database", INDEXED, indirect=True)
def test_a_frozen_table_gets_no_index_and_is_looked_into_all_the_same(
    database: sa.Engine, write: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    write("first")
    same = _same_images(database, schema_contract="freeze")
    with caplog.at_level(logging.WARNING):
        same.prepare()
    assert _indexes(database) == []
    (line,) = caplog.messages
    assert "'freeze'" in line
    assert "CREATE INDEX" in line
    assert same.find(DIGEST, CardSide.FRONT) is not None


@pytest.mark.parametrize("database", INDEXED, indirect=True)
def test_the_index_that_a_warning_asks_for_can_be_made_by_its_words(
    database: sa.Engine, write: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    write("first")
    with caplog.at_level(logging.WARNING):
        _same_images(database, schema_contract="freeze").prepare()
    with database.begin() as connection:
        connection.exec_driver_sql(caplog.messages[0].partition("have its owner make one: ")[2])
    assert _indexes(database) == [["image_digest", "processed_at"]]


def test_who_may_not_make_an_index_is_told_and_goes_on(
    postgres_engine: sa.Engine,
    frame_of: FrameOf,
    caplog: pytest.LogCaptureFixture,
    new_engine: Callable[..., sa.Engine],
) -> None:
    target = SqlResultTarget(postgres_engine, ResultTable("permits", conn_id="warehouse"))
    target.prepare()
    target.write(frame_of("first", image_digest=DIGEST))
    with postgres_engine.begin() as connection:
        connection.exec_driver_sql("CREATE ROLE same_images_reader LOGIN PASSWORD 'of-test'")
        connection.exec_driver_sql("GRANT SELECT, INSERT, UPDATE ON permits TO same_images_reader")
        connection.exec_driver_sql("GRANT USAGE ON SCHEMA public TO same_images_reader")
    reader = postgres_engine.url.set(username="same_images_reader", password="of-test")
    same = _same_images(new_engine(reader))
    with caplog.at_level(logging.WARNING):
        same.prepare()
    (line,) = caplog.messages
    assert "must be owner of table permits" in line
    assert same.find(DIGEST, CardSide.FRONT) is not None


@pytest.mark.parametrize("database", ["psycopg", "sqlite", "mariadb"], indirect=True)
def test_tasks_that_make_the_index_at_the_same_moment_all_succeed(
    database: sa.Engine, write: Callable[..., None]
) -> None:
    write("first")
    together = threading.Barrier(4)

    def prepare(_: int) -> None:
        same = _same_images(database)
        together.wait()
        same.prepare()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(prepare, range(4)))
    assert _indexes(database) == [["image_digest", "processed_at"]]


def test_a_name_that_is_long_and_in_a_schema_gets_an_index_too(
    postgres_engine: sa.Engine, frame_of: FrameOf
) -> None:
    described = ResultTable(f"mart.{'p' * 63}", conn_id="warehouse")
    with postgres_engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA mart")
    SqlResultTarget(postgres_engine, described).prepare()
    same = SqlSameImages(postgres_engine, described, with_portrait=False, stop=threading.Event())
    same.prepare()
    (index,) = sa.inspect(postgres_engine).get_indexes("p" * 63, "mart")
    assert index["column_names"] == ["image_digest", "processed_at"]


def test_many_threads_find_at_once(database: sa.Engine, write: Callable[..., None]) -> None:
    write("first")
    same = _same_images(database)
    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(lambda _: same.find(DIGEST, CardSide.FRONT), range(200)))
    assert {answer.image_key for answer in found if answer} == {"first"}
    assert None not in found


def test_a_lost_connection_is_waited_out(
    postgres_engine: sa.Engine, frame_of: FrameOf, caplog: pytest.LogCaptureFixture
) -> None:
    target = SqlResultTarget(postgres_engine, ResultTable("permits", conn_id="warehouse"))
    target.prepare()
    target.write(frame_of("first", image_digest=DIGEST))
    lost = iter([True])

    @sa.event.listens_for(postgres_engine, "before_cursor_execute")
    def lose(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "image_digest" in statement and next(lost, False):
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    found = _same_images(postgres_engine).find(DIGEST, CardSide.FRONT)
    assert found is not None
    assert "looking for the same picture in the result table 'permits' failed" in caplog.text


def test_a_database_that_is_away_is_not_waited_for_once_stopped(
    new_engine: Callable[..., sa.Engine],
) -> None:
    stop = threading.Event()
    stop.set()
    away = new_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(DatabaseError, match="looking for the same picture in the result table 'permits'"):
        _same_images(away, stop=stop).find(DIGEST, CardSide.FRONT)
