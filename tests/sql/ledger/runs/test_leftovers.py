"""What runs leave unfinished is taken over by the next run of their list, and by one at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.engine.run.window import LeftRun, Window
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.runs.leftovers import find_leftovers
from tests.sql.ledger.ground import EACH_LEDGER, caller, rows_of
from tests.sql.ledger.left_runs import ALIVE, FILE, begin, day, die, leave, names
from tests.sql.ledger.processes import SUMMARY, TABLES, LedgerTime, Process


@EACH_LEDGER
def test_windows_of_runs_that_ended_or_died_are_taken_the_oldest_first(
    database: sa.Engine, time: LedgerTime
) -> None:
    leave(database, "third", day(3))
    die(database, time, "first", day(1), files=(FILE,))
    leave(database, "second", day(2))
    taken = begin(database, "fourth", day(4)).ledger.leftovers()
    assert names(taken) == ["first", "second", "third"]
    assert taken.runs[0] == LeftRun(("dag", "task", "first", -1), day(1), (FILE,))
    assert (taken.unread, taken.unread_runs) == (0, ())


@EACH_LEDGER
def test_windows_without_an_end_are_taken_last_and_those_without_a_begin_first(database: sa.Engine) -> None:
    first, second = day(1), day(2)
    leave(database, "everything")
    leave(database, "since day 2", Window(since=second.since))
    leave(database, "day 2", second)
    leave(database, "until day 2", Window(until=second.until))
    leave(database, "day 1", first)
    taken = begin(database, "next").ledger.leftovers()
    assert names(taken) == ["day 1", "until day 2", "day 2", "everything", "since day 2"]


@EACH_LEDGER
def test_a_window_comes_back_in_utc_with_its_shard(database: sa.Engine) -> None:
    since = datetime(2026, 1, 1, 8, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    leave(database, "left", Window(since, shard="2/4"))
    (left,) = begin(database, "next").ledger.leftovers().runs
    assert left.window == Window(since.astimezone(UTC), shard="2/4")
    assert left.window.since is not None
    assert left.window.since.tzinfo is UTC


@EACH_LEDGER
def test_whole_runs_are_not_taken(database: sa.Engine) -> None:
    begin(database, "whole").ledger.close_run(SUMMARY, whole=True)
    assert names(begin(database, "next").ledger.leftovers()) == []


@EACH_LEDGER
def test_what_a_living_run_reads_is_not_taken_until_it_is_silent_for_two_minutes(
    database: sa.Engine, time: LedgerTime
) -> None:
    living = begin(database, "living", day(1))
    following = begin(database, "following", day(2))
    time.pass_seconds(ALIVE - 1)
    living.ledger.keep_alive()
    following.ledger.keep_alive()
    time.pass_seconds(ALIVE - 1)
    following.ledger.keep_alive()
    assert names(following.ledger.leftovers()) == []
    time.pass_seconds(2)
    assert names(following.ledger.leftovers()) == ["living"]


@EACH_LEDGER
def test_a_run_does_not_take_its_own_window_of_an_earlier_try(database: sa.Engine) -> None:
    leave(database, "run", day(1))
    leave(database, "run", day(1), map_index=1)
    again = begin(database, "run", day(1), try_number=2)
    assert [each.run[3] for each in again.ledger.leftovers().runs] == [1]


@EACH_LEDGER
def test_what_one_run_has_taken_is_no_others_while_it_lives(database: sa.Engine, time: LedgerTime) -> None:
    leave(database, "left", day(1))
    taker, other = begin(database, "taker", day(2)), begin(database, "other", day(3))
    assert names(taker.ledger.leftovers()) == ["left"]
    assert names(other.ledger.leftovers()) == []
    time.pass_seconds(ALIVE - 1)
    taker.ledger.keep_alive()
    other.ledger.keep_alive()
    time.pass_seconds(ALIVE - 1)
    assert names(other.ledger.leftovers()) == []


@EACH_LEDGER
@pytest.mark.parametrize("how", ["ended", "is silent", "began again"])
def test_what_a_run_has_taken_is_free_again_when_it(database: sa.Engine, time: LedgerTime, how: str) -> None:
    leave(database, "left", day(1))
    taker = begin(database, "taker", day(2))
    taker.ledger.leftovers()
    other = begin(database, "other", day(3))
    match how:
        case "ended":
            taker.ledger.close_run(SUMMARY, whole=True)
        case "is silent":
            time.pass_seconds(ALIVE + 1)
            other.ledger.keep_alive()
        case "began again":
            begin(database, "taker", day(2), try_number=2)
    expected = ["left", "taker"] if how == "is silent" else ["left"]
    assert names(other.ledger.leftovers()) == expected


@EACH_LEDGER
def test_a_run_that_asks_twice_is_told_nothing_new_the_second_time(database: sa.Engine) -> None:
    """As after an error of whose commit nothing was heard: what it has is its own."""
    leave(database, "left", day(1))
    taker = begin(database, "taker", day(2))
    assert taker.ledger.leftovers() == taker.ledger.leftovers()


@pytest.mark.slow
@EACH_LEDGER
@pytest.mark.parametrize(
    ("asks", "left", "takes"),
    [
        (None, None, True),
        (None, "2/4", True),
        ("2/4", "2/4", True),
        ("2/4", "3/4", False),
        ("1/4", "2/4", False),
        ("1/4", None, True),
        ("2/4", None, False),
        ("1/4", "2/3", True),
        ("3/4", "3/8", False),
        ("1/4", "1/14", True),
        ("1/14", "4/14", False),
        ("11/14", "2/3", False),
    ],
)
def test_each_left_shard_falls_to_one_of_the_shards_that_follow(
    database: sa.Engine, asks: str | None, left: str | None, takes: bool
) -> None:
    leave(database, "left", day(1, left), map_index=7)
    taken = begin(database, "next", day(2, asks)).ledger.leftovers()
    assert names(taken) == (["left"] if takes else [])


@EACH_LEDGER
def test_what_other_lists_have_left_is_theirs(database: sa.Engine) -> None:
    other = {"name": "other", "is_default_name": False, "source_table": "others", "targets": ()}
    leave(database, "of another list", day(1), list_options=other)
    assert names(begin(database, "next").ledger.leftovers()) == []


@EACH_LEDGER
def test_images_of_a_query_that_cannot_be_read_again_are_counted(
    database: sa.Engine, time: LedgerTime
) -> None:
    today = Window(is_repeatable=False)
    leave(database, "capped", today, listed=100, left=47)
    die(database, time, "died", today, listed=30)
    begin(database, "whole", today, listed=9).ledger.close_run(SUMMARY, whole=True)
    leave(database, "readable", listed=5, left=5)
    begin(database, "under way", today, listed=1000)
    taker = begin(database, "next", today)
    taken = taker.ledger.leftovers()
    assert names(taken) == ["readable"]
    assert (taken.unread, sorted(taken.unread_runs)) == (77, ["capped", "died"])
    # Nobody has taken them: whoever runs next counts them, too.
    assert begin(database, "after", today).ledger.leftovers().unread == 77


@EACH_LEDGER
def test_looking_for_leftovers_changes_nothing(database: sa.Engine, time: LedgerTime) -> None:
    die(database, time, "died", day(1))
    leave(database, "left", day(2))
    before = rows_of(database, TABLES.runs)
    with database.begin() as connection:
        asks = caller(run_id="planned").run_columns
        found = [find_leftovers(OpenList(connection, TABLES, 1), asks, None) for _ in range(2)]
    assert [names(each) for each in found] == [["died", "left"]] * 2
    assert rows_of(database, TABLES.runs) == before


def test_runs_outside_of_airflow_leave_their_windows_as_well(sqlite_engine: sa.Engine) -> None:
    script = Process(sqlite_engine, RunIdentity(), run_options={"window": day(1)})
    script.ledger.close_run(SUMMARY, whole=False, left=1)
    (left,) = Process(sqlite_engine, RunIdentity()).ledger.leftovers().runs
    assert (left.run[:2], left.window) == (("", ""), day(1))
