from __future__ import annotations

import logging
import random
import traceback
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.ledger.calls import (
    OK,
    Attempt,
    CallIntent,
    ClosedCall,
    Exchanged,
    Grant,
    RunIdentity,
    new_call_id,
)
from airflow_provider_permitocr.engine.run.window import Window
from airflow_provider_permitocr.errors import PermitOcrError
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.answers import KeptAnswer
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.lists.lists import ListIdentity
from airflow_provider_permitocr.sql.ledger.sql_ledger import LedgerRun, SqlLedger
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from tests.support.databases import EVERY_DRIVER, named_database

FrameOf = Callable[..., pd.DataFrame]

_PRIVATE: dict[str, Any] = {"name": "李优图", "english_name": "LI,YOU-TU", "number": "08320271"}
_ROW_KEY = ("key-of-a-person", CardSide.FRONT)
_LEDGERS = pytest.mark.parametrize("database", ["psycopg", "psycopg2", "sqlite", "mariadb"], indirect=True)


@pytest.fixture(params=EVERY_DRIVER)
def database(request: pytest.FixtureRequest) -> sa.Engine:
    """An empty database; the test runs on PostgreSQL through both drivers, SQLite, MariaDB and DuckDB."""
    return named_database(request)


@pytest.fixture
def target(database: sa.Engine) -> SqlResultTarget:
    prepared = SqlResultTarget(database, ResultTable("permits", conn_id="warehouse"))
    prepared.prepare()
    return prepared


def _told_by_refused_write(target: SqlResultTarget, frame: pd.DataFrame) -> str:
    try:
        refused = target.write(frame)
    except PermitOcrError as error:
        return f"{error!r} {''.join(traceback.format_exception(error))}"
    assert refused
    return " ".join(refused.values())


def _assert_private(told: str) -> None:
    assert not [value for value in (*_PRIVATE.values(), "key-of-a-person") if value in told]


def test_missing_status_is_refused_without_the_row(target: SqlResultTarget, frame_of: FrameOf) -> None:
    frame = frame_of("key-of-a-person", **_PRIVATE, status=None)
    _assert_private(_told_by_refused_write(target, frame))


def test_missing_key_is_refused_without_the_row(
    target: SqlResultTarget, database: sa.Engine, frame_of: FrameOf
) -> None:
    if database.dialect.name == "sqlite":
        # Its primary keys of text may be NULL unless the column says otherwise, which it does.
        assert not sa.inspect(database).get_columns("permits")[0]["nullable"]
    frame = frame_of("key-of-a-person", **_PRIVATE)
    frame.loc[0, "image_key"] = pd.NA
    _assert_private(_told_by_refused_write(target, frame))


@pytest.mark.slow
@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
def test_key_longer_than_an_index_takes_is_refused_without_the_row(
    target: SqlResultTarget, frame_of: FrameOf
) -> None:
    letters = random.Random(0)
    key = "key-of-a-person" + "".join(chr(letters.randrange(0x4E00, 0x9FFF)) for _ in range(9000))
    _assert_private(_told_by_refused_write(target, frame_of(key, **_PRIVATE)))


@pytest.mark.slow
@pytest.mark.parametrize("column", ["image_key", "name", "error_message"])
@pytest.mark.parametrize("character", ["\x00", "\ud800"], ids=["NUL", "lone surrogate"])
@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
def test_text_that_postgresql_refuses_is_not_quoted(
    target: SqlResultTarget, frame_of: FrameOf, column: str, character: str
) -> None:
    values = _PRIVATE | {"image_key": "key-of-a-person"}
    frame = frame_of("key-of-a-person", **(_PRIVATE | {column: f"{values.get(column, '')}{character}"}))
    _assert_private(_told_by_refused_write(target, frame))


@pytest.mark.slow
@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
@pytest.mark.parametrize(
    "obstacle",
    [
        "ALTER TABLE permits ADD CHECK (number <> '08320271')",
        "ALTER TABLE permits ALTER COLUMN name TYPE varchar(2)",
        "ALTER TABLE permits ALTER COLUMN number TYPE date USING NULL",
        "ALTER TABLE permits ALTER COLUMN english_name TYPE int USING NULL",
        "ALTER TABLE permits DROP COLUMN name",
        "CREATE TABLE people (name text PRIMARY KEY);"
        " ALTER TABLE permits ADD FOREIGN KEY (name) REFERENCES people (name)",
        "CREATE UNIQUE INDEX ON permits (number)",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'not % again', NEW.name; END $$;"
        " CREATE TRIGGER refuse BEFORE INSERT ON permits FOR EACH ROW EXECUTE FUNCTION refuse()",
    ],
    ids=[
        "check",
        "too short",
        "wrong type",
        "other wrong type",
        "dropped",
        "foreign key",
        "unique",
        "trigger",
    ],
)
def test_row_that_the_table_refuses_is_not_quoted(
    target: SqlResultTarget, database: sa.Engine, frame_of: FrameOf, obstacle: str
) -> None:
    with database.begin() as connection:
        connection.execute(sa.text(obstacle))
    frame = frame_of("key-of-a-person", "another", **_PRIVATE)
    _assert_private(_told_by_refused_write(target, frame))


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    name=st.text(min_size=6), number=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6)
)
def test_no_refused_value_is_ever_quoted(
    sqlite_engine: sa.Engine, frame_of: FrameOf, name: str, number: str
) -> None:
    target = SqlResultTarget(sqlite_engine, ResultTable("permits", conn_id="warehouse"))
    target.prepare()
    told = _told_by_refused_write(target, frame_of("key", name=name, number=number, status=None))
    assert name not in told
    assert number not in told


@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
def test_bound_value_that_does_not_fit_is_not_quoted(
    database: sa.Engine, image_list: Callable[..., None]
) -> None:
    image_list([{"image_id": "a"}])
    sql = "SELECT * FROM permit_images WHERE uploaded_at > CAST(:since AS timestamptz)"
    query = ImageQuery(
        sql, conn_id="lake", key="image_id", image="image_url", parameters={"since": _PRIVATE["number"] + "x"}
    )
    with pytest.raises(PermitOcrError) as caught:
        SqlImageSource(database, query).check()
    assert _PRIVATE["number"] not in str(caught.value)


def test_log_of_everything_shows_no_row(
    all_logged: Callable[[], str], database: sa.Engine, frame_of: FrameOf, image_list: Callable[..., None]
) -> None:
    image_list([{"image_id": "key-of-a-person", "image_url": "https://images.example/?q-signature=012345"}])
    target = SqlResultTarget(database, ResultTable("permits", conn_id="warehouse"))
    target.prepare()
    described = ImageTable("permit_images", conn_id="lake", key="image_id", image="image_url")
    source = SqlImageSource(database, described)
    assert [row.image_key for page in source.pages() for row in page] == ["key-of-a-person"]
    assert [row.image_key for page in source.pages() for row in source.images(page)] == ["key-of-a-person"]
    target.write(frame_of("key-of-a-person", **_PRIVATE))
    assert "permit_images" in all_logged()
    _assert_private(all_logged())
    assert "q-signature" not in all_logged()


def test_log_of_everything_shows_no_parameter_of_a_query(
    all_logged: Callable[[], str], database: sa.Engine, image_list: Callable[..., None]
) -> None:
    image_list([{"image_id": "key-of-a-person"}])
    sql = "SELECT * FROM permit_images WHERE image_id = :one OR image_id IN :several"
    parameters = {"one": "key-of-a-person", "several": [_PRIVATE["number"], _PRIVATE["name"]]}
    described = ImageQuery(sql, conn_id="lake", key="image_id", image="image_url", parameters=parameters)
    source = SqlImageSource(database, described)
    assert source.check() == 1
    assert len([row for page in source.pages() for row in page]) == 1
    logging.getLogger("airflow.task").info(f"From {described}")
    assert "permit_images" in all_logged()
    _assert_private(all_logged())


@pytest.mark.slow
@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
@pytest.mark.parametrize("severity", ["NOTICE", "WARNING", "INFO", "DEBUG"])
def test_what_a_trigger_reports_of_a_row_is_not_logged(
    all_logged: Callable[[], str],
    database: sa.Engine,
    target: SqlResultTarget,
    frame_of: FrameOf,
    severity: str,
) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE {severity} 'took %%, %%', NEW.name, NEW.number; RETURN NEW; END $$;"
            " CREATE TRIGGER tell BEFORE INSERT ON permits FOR EACH ROW EXECUTE FUNCTION tell()"
        )
        connection.exec_driver_sql(f"ALTER DATABASE {database.url.database} SET client_min_messages = debug1")
    database.dispose()
    try:
        assert target.write(frame_of("key-of-a-person", **_PRIVATE)) == {}
    finally:
        with database.begin() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {database.url.database} RESET client_min_messages")
    assert "INSERT INTO permits" in all_logged()
    _assert_private(all_logged())


@pytest.mark.slow
@_LEDGERS
def test_log_of_everything_shows_no_answer_of_a_ledger(
    all_logged: Callable[[], str], database: sa.Engine
) -> None:
    ledger = _prepared_ledger(database)
    assert _answered(ledger).refused == ()
    assert len(ledger.previous([_ROW_KEY])) == 1
    (delivered,) = ledger.delivery("lake:permits").changes(0, 10)
    assert delivered.fields
    assert delivered.fields["number"] == _PRIVATE["number"]
    assert "permit_ocr_answers" in all_logged()
    _assert_private(all_logged())


@_LEDGERS
def test_answer_that_the_ledger_refuses_is_not_quoted(
    database: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    engine = database
    if engine.dialect.name == "sqlite":
        obstacle = (
            "CREATE TRIGGER refuse BEFORE INSERT ON permit_ocr_answers BEGIN"
            " SELECT RAISE(ABORT, 'not again'); END"
        )
    else:
        obstacle = f"ALTER TABLE permit_ocr_answers ADD CHECK (answer NOT LIKE '%{_PRIVATE['number']}%')"
    ledger = _prepared_ledger(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(obstacle.replace("%", "%%"))
    (refused,) = _answered(ledger).refused
    assert refused.reason
    _assert_private(f"{refused.reason} {refused!r} {caplog.text}")


def _prepared_ledger(engine: sa.Engine) -> SqlLedger:
    identity = ListIdentity("people", False, "lake", "permit_images", "image_id", None, ())
    run = LedgerRun(identity, "100", RunIdentity("permits", "recognize", "monday"), Window(), Budget())
    ledger = SqlLedger(engine, Ledger("permit_ocr", conn_id="lake"), run)
    ledger.prepare("text")
    return ledger


def _answered(ledger: SqlLedger) -> Exchanged:
    intent = CallIntent(new_call_id(), _ROW_KEY)
    assert ledger.exchange([intent], [], []).grants == (Grant.GRANTED,)
    answer = {"Name": _PRIVATE["name"], "EnglishName": _PRIVATE["english_name"], "Number": _PRIVATE["number"]}
    attempt = Attempt(_ROW_KEY, Status.RECOGNIZED, is_verdict=True)
    closed = ClosedCall(intent.call_id, OK, billed=True, answer=KeptAnswer(answer), attempt=attempt)
    return ledger.exchange([], [closed], [])


def test_log_of_statements_that_nobody_asked_for_is_not_switched_on(
    new_engine: Callable[..., sa.Engine], database: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    SqlResultTarget(new_engine(database.url), ResultTable("permits", conn_id="w")).prepare()
    assert caplog.records == []
