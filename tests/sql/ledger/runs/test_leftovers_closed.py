"""A window that was taken over is marked whole by the run that has it, and by no other."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.run.window import DueFile
from tests.sql.ledger.ground import EACH_LEDGER, execute, rows_of
from tests.sql.ledger.left_runs import ALIVE, FILE, begin, day, die, leave, names
from tests.sql.ledger.processes import SUMMARY, TABLES, LedgerTime


def row_of(engine: sa.Engine, name: str) -> Any:
    (row,) = (each for each in rows_of(engine, TABLES.runs) if each.run_id == name)
    return row


@pytest.mark.slow
@EACH_LEDGER
def test_a_window_that_was_taken_over_and_finished_is_whole(database: sa.Engine, time: LedgerTime) -> None:
    die(database, time, "died", day(1))
    ended = leave(database, "ended", day(2), left=7)
    ended_at = row_of(database, "ended").ended_at
    time.pass_seconds(60)
    taker = begin(database, "taker", day(3))
    for left in taker.ledger.leftovers().runs:
        taker.ledger.close_left(left)
    for name in ("died", "ended"):
        assert (row_of(database, name).is_whole, row_of(database, name).left_images) == (1, 0)
    assert row_of(database, "died").ended_at == row_of(database, "taker").started_at
    assert row_of(database, "ended").ended_at == ended_at
    taker.ledger.close_run(SUMMARY, whole=True)
    assert names(ended.ledger.leftovers()) == []


@EACH_LEDGER
def test_a_run_that_began_again_is_not_marked_whole_by_who_took_it_over(database: sa.Engine) -> None:
    leave(database, "left", day(1))
    taker = begin(database, "taker", day(2))
    (left,) = taker.ledger.leftovers().runs
    begin(database, "left", day(1), try_number=2)
    taker.ledger.close_left(left)
    assert (row_of(database, "left").is_whole, row_of(database, "left").ended_at) == (None, None)


@EACH_LEDGER
def test_who_was_taken_for_dead_marks_nothing_whole_any_more(database: sa.Engine, time: LedgerTime) -> None:
    leave(database, "left", day(1))
    silent = begin(database, "silent", day(2))
    (left,) = silent.ledger.leftovers().runs
    time.pass_seconds(ALIVE + 1)
    assert names(begin(database, "taker", day(3)).ledger.leftovers()) == ["left", "silent"]
    silent.ledger.close_left(left)
    silent.ledger.close_run(SUMMARY, whole=True)
    assert [row_of(database, name).is_whole for name in ("left", "silent")] == [0, None]


@EACH_LEDGER
def test_files_of_whole_windows_are_known_the_oldest_run_first(database: sa.Engine, time: LedgerTime) -> None:
    def end(name: str, *, whole: bool = True, files: tuple[DueFile, ...] = (FILE,)) -> None:
        time.pass_seconds(1)
        begin(database, name, day(1), files=files).ledger.close_run(SUMMARY, whole=whole)

    end("b")
    end("a", files=(FILE, DueFile("s3://lake/a.csv", "s3", "csv")))
    end("without files", files=())
    end("not whole", whole=False)
    runs = begin(database, "next").ledger.whole_runs()
    assert names(runs) == ["b", "a"]
    assert runs[1].files == (FILE, DueFile("s3://lake/a.csv", "s3", "csv"))


def test_a_window_is_closed_in_utc_where_the_users_own_columns_keep_no_zone(
    postgres_engine: sa.Engine, time: LedgerTime
) -> None:
    die(postgres_engine, time, "died")
    execute(
        postgres_engine,
        "ALTER TABLE permit_ocr_runs ALTER ended_at TYPE timestamp",
        "UPDATE permit_ocr_state SET examined = NULL",
        f"ALTER DATABASE \"{postgres_engine.url.database}\" SET TIME ZONE 'Asia/Shanghai'",
    )
    postgres_engine.dispose()
    try:
        taker = begin(postgres_engine, "taker", day(1))
        (left,) = taker.ledger.leftovers().runs
        taker.ledger.close_left(left)
        assert row_of(postgres_engine, "died").ended_at == time.now.replace(tzinfo=None)
    finally:
        execute(postgres_engine, f'ALTER DATABASE "{postgres_engine.url.database}" RESET TIME ZONE')
