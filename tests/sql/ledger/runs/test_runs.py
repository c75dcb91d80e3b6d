"""What a ledger keeps of DAG runs: begun with their window, fenced by newer tries, ended with figures."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.engine.run.window import DueFile, Window
from airflow_provider_permitocr.errors import FencedError
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.ledger.exchange.caller import Caller
from airflow_provider_permitocr.sql.ledger.exchange.statements import lock, write_images
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.runs.runs import begin_run, end_run, first_start, say_alive
from airflow_provider_permitocr.sql.ledger.standing.images import LedgerImage
from airflow_provider_permitocr.sql.ledger.tables.clock import now, read_moment
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables
from tests.sql.ledger.ground import EACH_LEDGER, caller, prepared, rows_of
from tests.sql.ledger.processes import NOON, LedgerTime

SUMMARY = RunSummary(
    listed=9,
    skipped=1,
    statuses={"recognized": 7, "rejected": 1},
    error_codes={},
    calls=8,
    throttled=1,
    elapsed_seconds=4.0,
    billed=7,
    cost=Decimal("0.0105"),
    currency="USD",
)
ALL = Window()
SINCE = datetime(2026, 5, 1, 8, tzinfo=timezone(timedelta(hours=8)))


def begin(
    engine: sa.Engine, tables: LedgerTables, process: Caller, window: Window = ALL, **more: Any
) -> datetime:
    with engine.begin() as connection:
        lock(connection, tables)
        return begin_run(connection, tables, process, window, **more)


def end(engine: sa.Engine, tables: LedgerTables, process: Caller, *, whole: bool, left: int = 0) -> None:
    with engine.begin() as connection:
        end_run(connection, tables, process, SUMMARY, whole, left=left)


def keep_alive(engine: sa.Engine, tables: LedgerTables, process: Caller) -> None:
    with engine.begin() as connection:
        say_alive(connection, tables, process)


def hold(engine: sa.Engine, tables: LedgerTables, session_id: str, seconds: float) -> None:
    """Let a process call for an image, for so long."""
    image = LedgerImage(("a", CardSide.FRONT))
    with engine.begin() as connection:
        image.hold("call", session_id, now(connection) + timedelta(seconds=seconds))
        write_images(OpenList(connection, tables, 1), [image])


def only_run(engine: sa.Engine, tables: LedgerTables) -> Any:
    (row,) = rows_of(engine, tables.runs)
    return row


@pytest.mark.slow
@EACH_LEDGER
def test_a_run_is_kept_with_its_window_and_its_figures(database: sa.Engine) -> None:
    tables = prepared(database)
    begin(database, tables, caller(list_id=3), Window(SINCE, shard="2/4"))
    begun = only_run(database, tables)
    assert (begun.dag_id, begun.task_id, begun.run_id, begun.map_index) == (
        *("permits", "recognize", "monday"),
        -1,
    )
    assert (begun.list_id, begun.shard, begun.task_try, begun.session_id) == (3, "2/4", 1, "session-1")
    assert (read_moment(begun.since), begun.until) == (datetime(2026, 5, 1, tzinfo=UTC), None)
    assert (begun.ended_at, begun.is_whole, begun.calls) == (None, None, None)

    end(database, tables, caller(list_id=3), whole=True)
    ended = only_run(database, tables)
    assert ended.ended_at >= ended.started_at == begun.started_at
    assert (ended.is_whole, ended.listed, ended.calls, ended.billed) == (1, 9, 8, 7)
    assert (ended.cost, ended.calls_per_second, ended.outcome) == ("0.0105 USD", 2.0, str(SUMMARY))


@EACH_LEDGER
def test_a_newer_try_begins_the_run_again(database: sa.Engine) -> None:
    tables = prepared(database)
    begin(database, tables, caller("first"))
    end(database, tables, caller("first"), whole=False)
    before = only_run(database, tables)
    begin(database, tables, caller("second", try_number=2))
    after = only_run(database, tables)
    assert (after.task_try, after.session_id, after.started_at) == (2, "second", before.started_at)
    assert (after.ended_at, after.is_whole, after.calls, after.outcome) == (None, None, None, None)


@EACH_LEDGER
def test_an_older_try_is_fenced_and_ends_nothing(database: sa.Engine) -> None:
    tables = prepared(database)
    begin(database, tables, caller("first"))
    begin(database, tables, caller("second", try_number=2))
    hold(database, tables, "second", 60)
    with pytest.raises(FencedError, match="try 2 of this task has started, so try 1 makes no more calls"):
        begin(database, tables, caller("first"))
    end(database, tables, caller("first"), whole=True)
    assert (only_run(database, tables).session_id, only_run(database, tables).ended_at) == ("second", None)


@pytest.mark.slow
@EACH_LEDGER
@pytest.mark.parametrize("left", ["ended", "nothing", "a hold that ran out", "another's hold"])
def test_the_first_try_of_a_run_that_was_made_again_takes_it_over(database: sa.Engine, left: str) -> None:
    tables = prepared(database)
    begin(database, tables, caller("before", try_number=2))
    match left:
        case "ended":
            hold(database, tables, "before", 60)
            end(database, tables, caller("before", try_number=2), whole=True)
        case "a hold that ran out":
            hold(database, tables, "before", -1)
        case "another's hold":
            hold(database, tables, "somebody else", 60)

    begin(database, tables, caller("again"))

    run = only_run(database, tables)
    assert (run.task_try, run.session_id, run.ended_at) == (1, "again", None)


@EACH_LEDGER
def test_the_same_try_in_another_process_takes_the_run_over(database: sa.Engine) -> None:
    tables = prepared(database)
    begin(database, tables, caller("first"))
    begin(database, tables, caller("second"))
    assert only_run(database, tables).session_id == "second"


@EACH_LEDGER
def test_shards_and_runs_outside_of_airflow_are_rows_of_their_own(database: sa.Engine) -> None:
    tables = prepared(database)
    for number in range(2):
        begin(database, tables, caller(f"shard-{number}", map_index=number))
        begin(database, tables, caller(f"script-{number}", dag_id="", task_id="", run_id=f"script-{number}"))
    assert len(rows_of(database, tables.runs)) == 4


@EACH_LEDGER
def test_a_run_is_kept_with_what_a_later_one_needs_to_go_on(database: sa.Engine) -> None:
    tables = prepared(database)
    files = [DueFile("/lake/permits.csv", None, "csv"), DueFile("s3://lake/p.parquet", "s3", "parquet")]
    begin(database, tables, caller(), Window(is_repeatable=False), listed=40, files=files)
    begun = only_run(database, tables)
    assert (begun.listed, begun.is_repeatable, begun.left_images) == (40, 0, None)
    assert [DueFile(**each) for each in json.loads(begun.files)] == files
    end(database, tables, caller(), whole=False, left=31)
    assert (only_run(database, tables).left_images, only_run(database, tables).is_whole) == (31, 0)

    begin(database, tables, caller("second", try_number=2))
    begun = only_run(database, tables)
    assert (begun.listed, begun.is_repeatable, begun.left_images, begun.files) == (0, 1, None, None)


@EACH_LEDGER
def test_a_process_is_taken_to_be_alive_for_two_minutes_after_its_last_word(
    database: sa.Engine, time: LedgerTime
) -> None:
    tables = prepared(database)
    assert begin(database, tables, caller("first")) == NOON
    assert read_moment(only_run(database, tables).alive_until) == NOON + timedelta(minutes=2)
    time.pass_seconds(90)
    keep_alive(database, tables, caller("first"))
    assert read_moment(only_run(database, tables).alive_until) == NOON + timedelta(minutes=3.5)


@EACH_LEDGER
def test_an_older_try_does_not_keep_a_newer_one_alive(database: sa.Engine, time: LedgerTime) -> None:
    tables = prepared(database)
    begin(database, tables, caller("first"))
    begin(database, tables, caller("second", try_number=2))
    time.pass_seconds(90)
    keep_alive(database, tables, caller("first"))
    assert read_moment(only_run(database, tables).alive_until) == NOON + timedelta(minutes=2)


@EACH_LEDGER
def test_a_dag_run_first_started_with_the_first_try_of_any_of_its_shards(
    database: sa.Engine, time: LedgerTime
) -> None:
    tables = prepared(database)
    second = caller("s2", map_index=1)
    with database.connect() as connection:
        assert first_start(connection, tables, second) is None
    begin(database, tables, caller("other day", run_id="sunday"))
    time.pass_seconds(60)
    begin(database, tables, caller("s1", map_index=0))
    time.pass_seconds(60)
    begin(database, tables, second)
    time.pass_seconds(60)
    begin(database, tables, caller("s1 again", map_index=0, try_number=2))
    with database.connect() as connection:
        assert first_start(connection, tables, second) == NOON + timedelta(seconds=60)
