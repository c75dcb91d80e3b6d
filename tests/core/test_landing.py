"""What becomes of answers when something ends a run: in the table, or kept for the next run."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_permitocr.core.calls import CallIntent, CallResult, Grant
from airflow_provider_permitocr.core.errors import (
    AccountError,
    CallError,
    Decision,
    PermitOcrError,
    TargetError,
)
from airflow_provider_permitocr.core.options import Batch
from airflow_provider_permitocr.core.pipeline import Pipeline

if TYPE_CHECKING:
    import pandas as pd

    from tests.core.conftest import Bench, FakeClient, FakeSpill, FakeTarget

ARREARS = CallError("ResourceUnavailable.InArrears", "pay first", Decision.ACCOUNT)
SOON = 30


class TimedOutError(BaseException):
    """As Airflow's timeout of a task: raised by a signal, wherever the main thread is."""


class AwayError(PermitOcrError):
    """The database is away."""


@pytest.fixture
def spill(bench: Bench, new_spill: type[FakeSpill]) -> FakeSpill:
    bench.spill = new_spill()
    return bench.spill


def away() -> None:
    raise AwayError("writing 1 rows to the result table 'permits' failed: OperationalError")


def answered(client: FakeClient) -> set[str]:
    return {asked.rpartition("/")[2] for asked in client.asked}


def test_answers_that_the_table_does_not_take_are_kept_and_loaded_by_the_next_run(
    bench: Bench, spill: FakeSpill, new_client: type[FakeClient]
) -> None:
    bench.target.before_write = away
    client = new_client()
    with pytest.raises(AwayError) as raised:
        bench.run(bench.images(300), client, batch=Batch(rows=7))
    kept = {str(row["image_key"]) for row in spill.rows}
    assert kept == answered(client)
    assert len(spill.rows) == len(client.asked)
    said = str(raised.value)
    assert said.startswith("writing 1 rows to the result table 'permits' failed")
    assert f"{len(kept)} results that could not be written are kept in /spill/0" in said
    assert "the next run loads them" in said
    bench.target.before_write = lambda: None
    later = new_client()
    summary = bench.run(bench.images(300), later)
    assert not answered(later) & kept
    assert len(bench.statuses) == 300
    assert spill.files == {}
    assert summary.statuses == {"recognized": 300 - len(kept)}
    assert f"Loaded {len(kept)} of {len(kept)} results of an earlier run from /spill/0" in bench.lines


def test_a_fault_of_the_account_stays_the_error_where_the_table_is_away_too(
    bench: Bench, spill: FakeSpill, new_client: type[FakeClient]
) -> None:
    bench.target.before_write = away
    client = new_client({bench.url(20): ARREARS})
    with pytest.raises(
        AccountError, match=r"InArrears.*results that could not be written are kept in /spill"
    ):
        bench.run(bench.images(500), client, batch=Batch(rows=1000, seconds=3600))
    assert {row["image_key"] for row in spill.rows} == answered(client) - {"20"}


def test_where_nothing_takes_answers_the_error_says_how_many_are_lost_and_why(
    bench: Bench, spill: FakeSpill
) -> None:
    def full() -> None:
        raise PermitOcrError("keeping them in /spill/9 on worker-1 failed: OSError (No space left on device)")

    bench.target.before_write, spill.before_save = away, full
    with pytest.raises(AwayError, match=r"3 results.* are lost: keeping them in /spill/9.*No space left"):
        bench.run(bench.images(3))


def test_without_a_place_to_keep_them_the_error_says_how_many_are_lost(bench: Bench) -> None:
    bench.target.before_write = away
    with pytest.raises(AwayError, match="3 results that could not be written are lost: there is no place"):
        bench.run(bench.images(3))


def test_a_folder_that_is_full_for_a_moment_still_takes_all(
    bench: Bench, spill: FakeSpill, new_client: type[FakeClient]
) -> None:
    numbers = itertools.count()

    def full_at_first() -> None:
        if next(numbers) == 0:
            raise OSError

    bench.target.before_write, spill.before_save = away, full_at_first
    client = new_client()
    with pytest.raises(AwayError, match="are kept in"):
        bench.run(bench.images(300), client, batch=Batch(rows=5))
    assert {str(row["image_key"]) for row in spill.rows} == answered(client)


def test_batch_that_the_table_refuses_as_a_whole_is_kept_with_its_answers(
    bench: Bench, spill: FakeSpill, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = bench.target.write

    def refuse_all(frame: pd.DataFrame) -> dict[int, str]:
        return dict.fromkeys(range(len(frame)), "a trigger")

    monkeypatch.setattr(bench.target, "write", refuse_all)
    with pytest.raises(TargetError, match=r"refuses every row of a batch of 25.*kept in /spill/0"):
        bench.run(bench.images(25), batch=Batch(rows=25))
    assert {row["number"] for row in spill.rows} == {str(number) for number in range(25)}
    with pytest.raises(TargetError, match="results of an earlier run, kept in /spill/0"):
        bench.run(bench.images(25))
    assert len(spill.rows) == 25
    monkeypatch.setattr(bench.target, "write", write)
    assert bench.run(bench.images(25)).calls == 0
    assert len(bench.statuses) == 25


def test_kept_answer_leaves_a_newer_one_in_the_table_alone(bench: Bench, spill: FakeSpill) -> None:
    bench.run(bench.images(2))
    spill.files["/spill/a"] = [
        bench.target.rows["0", "FRONT"] | {"run_id": "older", "processed_at": bench.now - timedelta(1)},
        bench.target.rows["1", "FRONT"] | {"run_id": "newer", "processed_at": bench.now + timedelta(1)},
    ]
    bench.run(bench.images(2))
    assert {key: row["run_id"] for (key, _), row in bench.target.rows.items()} == {"0": "run 1", "1": "newer"}
    assert "Loaded 1 of 2 results of an earlier run from /spill/a" in bench.lines


def comes_true(condition: Callable[[], bool]) -> bool:
    waiting = threading.Event()
    return any(condition() or waiting.wait(0.01) for _ in range(SOON * 100))


def test_once_stopped_each_answer_is_written_as_it_comes(bench: Bench, new_client: type[FakeClient]) -> None:
    others = [(key, "FRONT") for key in "123"]

    def answer(asked: str) -> None:
        if asked == bench.url(0):
            assert comes_true(lambda: all(each in bench.target.rows for each in others))
        if asked == bench.url(3):
            assert comes_true(lambda: len(client.asked) == 4)
            bench.stop.set()

    client = new_client(before=answer)
    with pytest.raises(PermitOcrError, match="asked to stop"):
        bench.run(bench.images(4), client, max_at_once=4, batch=Batch(rows=1000, seconds=3600))
    assert set(bench.statuses) == {"0", "1", "2", "3"}


def test_a_slow_call_does_not_keep_others_from_the_table_when_the_run_fails(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    others_written = threading.Event()

    def answer(asked: str) -> None:
        if asked == bench.url(0):
            assert others_written.wait(SOON)

    def before_write() -> None:
        if len(bench.statuses) >= 3:
            others_written.set()

    client = new_client({bench.url(4): ARREARS}, before=answer)
    bench.target.before_write = before_write
    threading.Timer(1, others_written.set).start()
    with pytest.raises(AccountError):
        bench.run(bench.images(5), client, max_at_once=8, batch=Batch(rows=1000, seconds=3600))
    assert set(bench.statuses) == answered(client) - {"4"}


class LostLedger:
    """Takes intents, and no results when they come alone."""

    def prepare(self) -> None: ...

    def exchange(self, intents: Sequence[CallIntent], results: Sequence[CallResult]) -> Sequence[Grant]:
        if results and not intents:
            raise AwayError("writing to the calls table 'calls' failed")
        return [Grant.GRANTED] * len(intents)


def test_ledger_that_is_away_hides_neither_the_error_nor_where_answers_are(
    bench: Bench, spill: FakeSpill
) -> None:
    bench.target.before_write, bench.ledger = away, LostLedger()
    with pytest.raises(AwayError) as raised:
        bench.run(bench.images(3))
    said = str(raised.value)
    assert said.startswith("writing 1 rows to the result table 'permits' failed")
    assert "3 results that could not be written are kept in /spill/0" in said
    assert "missing from the ledger: writing to the calls table 'calls' failed" in said


class Interrupter:
    """Raises at the given lines, counted from where the main thread works on rows."""

    FILES = ("core/pipeline.py", "core/load.py", "core/stream.py", "core/landing.py")

    def __init__(self, *at: int) -> None:
        self._at, self.lines = at, 0

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.endswith(self.FILES):
            return None
        if event == "line" and threading.current_thread() is threading.main_thread():
            self.lines += 1
            if self.lines in self._at:
                raise TimedOutError
        return self


@pytest.mark.parametrize("second_after", [None, 3, 17, 40])
def test_an_interruption_at_any_line_loses_no_answer(
    new_bench: type[Bench],
    new_client: type[FakeClient],
    new_target: type[FakeTarget],
    monkeypatch: pytest.MonkeyPatch,
    second_after: int | None,
) -> None:
    recognize = Pipeline._recognize
    interrupter = Interrupter()

    def traced(*arguments: Any) -> None:
        before = sys.gettrace()
        sys.settrace(interrupter)
        try:
            recognize(*arguments)
        finally:
            sys.settrace(before)

    monkeypatch.setattr(Pipeline, "_recognize", traced)
    interrupted = 0
    for line in itertools.chain(range(1, 60), range(60, 400, 7)):
        interrupter = Interrupter(line, *([] if second_after is None else [line + second_after]))
        bench, client = new_bench(target=new_target()), new_client()
        try:
            bench.run(bench.images(12), client, max_at_once=3, batch=Batch(rows=4))
        except TimedOutError:
            interrupted += 1
        assert set(bench.statuses) == answered(client), f"interrupted at line {line}"
    assert interrupted > 70
