"""Who may call for an image that another process has called for."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import Grant, RunIdentity
from airflow_provider_permitocr.errors import FencedError
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from tests.sql.ledger.ground import EACH_LEDGER
from tests.sql.ledger.processes import (
    HOLD_SECONDS,
    NOON,
    LedgerTime,
    Process,
    a_run,
    answered,
    attempt,
    calls_of,
    images_of,
    pass_the_hold,
    unsent,
)

GRANTED, HELD, SETTLED, UNKNOWN = Grant.GRANTED, Grant.HELD, Grant.SETTLED, Grant.UNKNOWN
KEEP = {"unknown_calls": "keep"}


@pytest.mark.slow
@EACH_LEDGER
@pytest.mark.parametrize(
    "other",
    [
        a_run("run 2"),
        a_run("run 2", try_number=2),
        a_run(map_index=3),
        a_run(try_number=2),
        a_run(),
        RunIdentity("dag", "other task", "run 1"),
        RunIdentity("other dag", "task", "run 1"),
        RunIdentity(),
    ],
    ids=["run", "run's second try", "shard", "own second try", "equal try", "task", "DAG", "no Airflow"],
)
def test_open_call_of_another_holds_until_it_says(
    database: sa.Engine, time: LedgerTime, other: RunIdentity
) -> None:
    first = Process(database, a_run())
    first.ask("a")
    second = Process(database, other)
    for _ in range(int(HOLD_SECONDS) // 50):
        time.pass_seconds(50)
        assert second.ask("a") == [HELD]
        assert second.ledger.held([("a", CardSide.FRONT)]) == {("a", CardSide.FRONT)}
    assert second.ask("b") == [GRANTED]
    time.pass_seconds(50)
    assert second.ask("a") == [GRANTED]


@EACH_LEDGER
def test_holder_decides_how_long_it_holds_and_not_the_one_who_asks(
    database: sa.Engine, time: LedgerTime
) -> None:
    slow = Process(database, call_seconds=600)
    slow.ask("a")
    quick = Process(database, call_seconds=5, patience_seconds=1)
    time.pass_seconds(600)
    quick.ask("somebody exchanges")
    time.pass_seconds(60)
    assert quick.ask("a") == [HELD]
    time.pass_seconds(30)
    assert quick.ask("a") == [GRANTED]


@EACH_LEDGER
def test_newer_try_fences_the_older_one_but_its_answers_are_taken(
    database: sa.Engine, time: LedgerTime
) -> None:
    first = Process(database, a_run(try_number=1))
    intent = first.intent("a")
    first.open(intent)
    second = Process(database, a_run(try_number=2))
    assert first.ask("b") == [Grant.FENCED]
    assert second.ask("a", "b") == [HELD, GRANTED]
    first.close(answered(intent))
    assert images_of(database)["a"].status == "recognized"
    assert second.ask("a") == [SETTLED]
    with pytest.raises(FencedError):
        Process(database, a_run(try_number=1))


def test_a_run_that_was_made_again_fences_what_is_alive_of_the_one_before(
    database: sa.Engine, time: LedgerTime
) -> None:
    before = Process(database, a_run(try_number=2))
    intent = before.intent("a")
    before.open(intent)
    with pytest.raises(FencedError):
        Process(database, a_run(try_number=1))
    before.close(answered(intent))

    again = Process(database, a_run(try_number=1))

    assert before.ask("b") == [Grant.FENCED]
    assert again.ask("a", "b") == [SETTLED, GRANTED]


@EACH_LEDGER
def test_other_shards_and_runs_are_not_fenced(database: sa.Engine) -> None:
    first = Process(database, a_run(map_index=0))
    Process(database, a_run(map_index=1, try_number=2))
    Process(database, a_run("run 2", try_number=3))
    assert first.ask("a") == [GRANTED]


@EACH_LEDGER
def test_own_calls_hold_nothing(database: sa.Engine) -> None:
    process = Process(database, ledger_options=KEEP)
    process.ask("a")
    assert process.ask("a") == [GRANTED]


def test_image_that_another_run_has_answered_meanwhile_is_settled(database: sa.Engine) -> None:
    first, second = Process(database), Process(database)
    first.call("a")
    assert second.ask("a", "b") == [SETTLED, GRANTED]


def test_image_that_has_changed_since_its_answer_is_called_for(database: sa.Engine, time: LedgerTime) -> None:
    Process(database).call("a", updated_at=NOON)
    second = Process(database)
    assert second.ask("a", updated_at=NOON) == [SETTLED]
    assert second.ask("a", updated_at=NOON + timedelta(seconds=1)) == [GRANTED]


@EACH_LEDGER
def test_image_that_was_given_up_for_now_is_called_for(database: sa.Engine) -> None:
    first = Process(database)
    first.ledger.exchange([], [], [attempt("a", Status.RETRY), attempt("b", Status.FAILED)])
    assert Process(database).ask("a", "b") == [GRANTED, SETTLED]


@EACH_LEDGER
@pytest.mark.parametrize("billed", [False, None, True])
def test_call_of_another_that_brought_no_answer_holds_nothing(
    database: sa.Engine, billed: bool | None
) -> None:
    Process(database).call("a", "InternalError", billed=billed)
    assert Process(database).ask("a") == [GRANTED]


@EACH_LEDGER
def test_call_that_was_not_sent_holds_nothing(database: sa.Engine) -> None:
    first = Process(database)
    intent = first.intent("a")
    first.open(intent)
    first.close(*unsent(intent))
    assert Process(database, ledger_options=KEEP).ask("a") == [GRANTED]


@EACH_LEDGER
def test_hold_that_ran_out_during_an_outage_lives_for_half_a_minute_after_it(
    database: sa.Engine, time: LedgerTime
) -> None:
    first = Process(database)
    intent = first.intent("a")
    first.open(intent)
    time.pass_seconds(HOLD_SECONDS * 2)  # nobody could write
    second = Process(database)
    assert second.ask("a", "b") == [HELD, GRANTED]
    time.pass_seconds(20)
    assert second.ask("a") == [HELD]
    first.close(answered(intent))
    assert second.ask("a") == [SETTLED]


@EACH_LEDGER
def test_half_a_minute_after_an_outage_a_dead_workers_image_is_free(
    database: sa.Engine, time: LedgerTime
) -> None:
    Process(database).ask("a")
    time.pass_seconds(HOLD_SECONDS * 2)
    second = Process(database)
    assert second.ask("a") == [HELD]
    time.pass_seconds(31)
    assert second.ask("a") == [GRANTED]


def test_open_call_of_a_dead_worker_can_be_kept_from_being_made_again(
    database: sa.Engine, time: LedgerTime
) -> None:
    Process(database).ask("a")
    second = Process(database, ledger_options=KEEP)
    assert second.ask("a") == [HELD]
    assert second.ledger.held([("a", CardSide.FRONT)]) == {("a", CardSide.FRONT)}
    pass_the_hold(second, time)
    assert second.ask("a", "b") == [UNKNOWN, GRANTED]
    assert [row.image_key for row in calls_of(database) if row.code is None and row.image_key == "a"] == ["a"]


@EACH_LEDGER
def test_kept_call_was_for_an_earlier_picture(database: sa.Engine, time: LedgerTime) -> None:
    Process(database).ask("a", digest="1" * 64)
    second = Process(database, ledger_options=KEEP)
    pass_the_hold(second, time)
    assert second.ask("a", digest="1" * 64) == [UNKNOWN]
    assert second.ask("a", digest="2" * 64) == [GRANTED]


@EACH_LEDGER
def test_call_that_was_made_again_is_unknown_no_longer(database: sa.Engine, time: LedgerTime) -> None:
    Process(database).ask("a")
    second = Process(database)
    pass_the_hold(second, time)
    second.call("a", "InternalError", billed=False)
    assert Process(database, ledger_options=KEEP).ask("a") == [GRANTED]


@EACH_LEDGER
def test_dead_call_of_one_list_concerns_no_other(database: sa.Engine, time: LedgerTime) -> None:
    Process(database).ask("1")
    other = Process(
        database,
        ledger_options=KEEP,
        list_options={"name": "other", "source_table": "other_images", "targets": ("lake:others",)},
    )
    assert other.ask("1") == [GRANTED]
    pass_the_hold(other, time)
    assert other.ask("2") == [GRANTED]


@EACH_LEDGER
@pytest.mark.parametrize("minutes", [-10, 10])
def test_clocks_of_workers_decide_nothing(
    database: sa.Engine, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    import time as system_time

    Process(database).ask("a")
    now = system_time.time()
    monkeypatch.setattr(system_time, "time", lambda: now + minutes * 60)
    assert Process(database).ask("a") == [HELD]
