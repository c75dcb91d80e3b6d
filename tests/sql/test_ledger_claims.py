"""Who may call for an image that another process has called for."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.core.calls import Grant, RunIdentity
from tests.sql.ledger_calls import Process, rows_of

GRANTED, ELSEWHERE, UNKNOWN = Grant.GRANTED, Grant.CALLED_ELSEWHERE, Grant.UNKNOWN
KEEP = {"unknown_calls": "keep"}


def _task(run: str = "run 1", map_index: int = -1, try_number: int = 1) -> RunIdentity:
    return RunIdentity("dag", "task", run, map_index, try_number)


def _later(process: Process, seconds: float, run: RunIdentity | None = None, **changes: object) -> Process:
    """Another process on the same ledger, some time later."""
    other = Process(process.engine, run or _task("another run"), **changes)  # type: ignore[arg-type]
    other.clock.now = process.clock.now
    other.clock.pass_seconds(seconds)
    return other


@pytest.mark.parametrize(
    "other",
    [
        _task("run 2"),
        _task("run 2", try_number=2),
        _task(map_index=3),
        _task(map_index=3, try_number=2),
        RunIdentity("dag", "other task", "run 1", try_number=2),
        RunIdentity("other dag", "task", "run 1", try_number=2),
        _task(),
    ],
    ids=["run", "run's second try", "shard", "shard's second try", "task", "DAG", "equal try"],
)
def test_open_call_of_another_holds_until_its_lease_is_over(database: sa.Engine, other: RunIdentity) -> None:
    first = Process(database, _task())
    first.ask("a")
    assert _later(first, 149, other).ask("a", "b") == [ELSEWHERE, GRANTED]
    assert _later(first, 151, other).ask("a") == [GRANTED]


def test_runs_without_airflow_are_different_processes(database: sa.Engine) -> None:
    first = Process(database, RunIdentity())
    first.ask("a")
    assert _later(first, 1, RunIdentity()).ask("a") == [ELSEWHERE]


def test_later_try_of_the_same_task_is_not_held_up(database: sa.Engine) -> None:
    first = Process(database, _task(try_number=1))
    first.ask("under way")
    first.call("answered, but not written")
    assert _later(first, 1, _task(try_number=2)).ask("under way", "answered, but not written") == [
        GRANTED,
        GRANTED,
    ]


def test_try_that_airflow_has_given_up_does_not_take_over_from_the_later_one(database: sa.Engine) -> None:
    second = Process(database, _task(try_number=2))
    second.ask("a")
    assert _later(second, 1, _task(try_number=1)).ask("a") == [ELSEWHERE]


def test_own_calls_hold_nothing(database: sa.Engine) -> None:
    process = Process(database, options=KEEP)
    process.ask("a")
    assert process.ask("a") == [GRANTED]


def test_paid_answer_of_another_holds_until_its_row_should_be_written(database: sa.Engine) -> None:
    first = Process(database, _task())
    first.call("recognized")
    first.call("billed error", "FailedOperation.X", billed=True)
    keys = ("recognized", "billed error")
    assert _later(first, 149).ask(*keys) == [ELSEWHERE, ELSEWHERE]
    assert _later(first, 151).ask(*keys) == [GRANTED, GRANTED]


@pytest.mark.parametrize(("call_seconds", "lease_seconds"), [(300, 330), (5, 150)])
def test_calls_that_may_take_long_hold_for_longer(
    sqlite_engine: sa.Engine, call_seconds: float, lease_seconds: float
) -> None:
    first = Process(sqlite_engine, _task())
    first.ask("a")
    assert _later(first, lease_seconds - 1, call_seconds=call_seconds).ask("a") == [ELSEWHERE]
    assert _later(first, lease_seconds + 1, call_seconds=call_seconds).ask("a") == [GRANTED]


def test_lease_of_an_answer_begins_with_the_answer(database: sa.Engine) -> None:
    first = Process(database, _task())
    intent = first.intent("a")
    first.ledger.exchange([intent], [])
    first.clock.pass_seconds(100)
    first.ledger.exchange([], [first.result(intent.call_id)])
    assert _later(first, 149).ask("a") == [ELSEWHERE]


@pytest.mark.parametrize("billed", [False, None])
def test_call_of_another_that_brought_nothing_holds_nothing(database: sa.Engine, billed: bool | None) -> None:
    first = Process(database, _task())
    first.call("a", "InternalError", billed=billed)
    assert _later(first, 1).ask("a") == [GRANTED]


def test_call_of_another_that_was_not_sent_holds_nothing(database: sa.Engine) -> None:
    first = Process(database, _task())
    intent = first.intent("a")
    first.ledger.exchange([intent], [])
    first.ledger.exchange([], first.unsent(intent))
    assert _later(first, 1, options=KEEP).ask("a") == [GRANTED]


def test_image_that_has_changed_since_its_answer_is_called_for_at_once(database: sa.Engine) -> None:
    first = Process(database, _task())
    first.call("a", digest="1" * 64)
    assert _later(first, 1).ask("a", digest="1" * 64) == [ELSEWHERE]
    assert _later(first, 1).ask("a", digest="2" * 64) == [GRANTED]


def test_one_claim_is_enough_whatever_else_became_of_the_image(database: sa.Engine) -> None:
    first = Process(database, _task("run 1"))
    first.ask("a")
    second = _later(first, 151, _task("run 2"))
    second.ask("a")
    third = _later(second, 100, _task("run 3"))
    third.clock.pass_seconds(-200)  # its clock is behind
    third.call("a", "InternalError", billed=False)
    assert _later(second, 100, _task("run 4")).ask("a") == [ELSEWHERE]


def test_open_call_of_a_dead_worker_can_be_kept_from_being_made_again(database: sa.Engine) -> None:
    first = Process(database, _task(try_number=1))
    first.ask("a")
    assert _later(first, 1, _task(try_number=2), options=KEEP).ask("a", "b") == [UNKNOWN, GRANTED]
    assert _later(first, 151, _task("run 2"), options=KEEP).ask("a") == [UNKNOWN]
    assert [row.image_key for row in rows_of(database) if row.code is None] == ["a", "b"]


def test_kept_call_may_still_be_under_way_elsewhere(database: sa.Engine) -> None:
    first = Process(database, _task())
    first.ask("a")
    assert _later(first, 149, options=KEEP).ask("a") == [ELSEWHERE]


def test_kept_call_was_for_an_earlier_picture(database: sa.Engine) -> None:
    first = Process(database, _task())
    first.ask("a", digest="1" * 64)
    assert _later(first, 151, options=KEEP).ask("a", digest="2" * 64) == [GRANTED]
    assert _later(first, 151, _task("run 3"), options=KEEP).ask("b", digest="2" * 64) == [GRANTED]


def test_call_that_was_made_again_is_unknown_no_longer(database: sa.Engine) -> None:
    first = Process(database, _task(try_number=1))
    first.ask("a")
    second = _later(first, 1, _task(try_number=2))
    second.call("a", "InternalError", billed=False)
    assert _later(second, 1, _task(try_number=3), options=KEEP).ask("a") == [GRANTED]


def test_unknown_call_uses_up_no_cap_again_until_it_is_made_again(database: sa.Engine) -> None:
    first = Process(database, _task(try_number=1))
    first.ask("a")
    _later(first, 1, _task(try_number=2), options=KEEP).ask("a")
    assert len(rows_of(database)) == 1
