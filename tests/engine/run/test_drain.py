"""No answer is lost by whatever ends a run: each is closed in the ledger, or is in the journal."""

from __future__ import annotations

import itertools
import linecache
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_permitocr.engine.call import retries
from airflow_provider_permitocr.engine.ledger import call_ledger
from airflow_provider_permitocr.engine.ledger.calls import OK
from airflow_provider_permitocr.engine.run.list_run import ListRun
from airflow_provider_permitocr.errors import (
    AccountError,
    CallError,
    Decision,
    LedgerUnreachableError,
    RunStoppedError,
    TooManyFailuresError,
)
from airflow_provider_permitocr.options.run import Batch, FailureLimits
from tests.support.waiting import comes_true

if TYPE_CHECKING:
    from tests.engine.conftest import Bench, FakeClient

ARREARS = CallError("ResourceUnavailable.InArrears", "pay first", Decision.ACCOUNT)
NO_CARD = CallError("FailedOperation.ImageNoSpecifiedCard", "no card", Decision.IMAGE, "r-4")
DOWN = LedgerUnreachableError("The ledger is down.")


class TimedOutError(BaseException):
    """As Airflow's timeout of a task: raised by a signal, wherever the main thread is."""


def answered(client: FakeClient) -> set[str]:
    return {asked.rpartition("/")[2] for asked in client.asked}


def kept(bench: Bench) -> set[str]:
    """Keys of the images whose answers are in the ledger or in the journal."""
    closed = [*bench.ledger.closed.values(), *itertools.chain(*bench.journal.files.values())]
    return {each.attempt.row_key[0] for each in closed if each.code == OK and each.attempt and each.answer}


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_ACCOUNT_WAITS", (0.0, 0.0))
    monkeypatch.setattr(call_ledger, "_FIRST_WAIT_SECONDS", 0.01)


def test_once_stopped_each_answer_is_closed_as_it_comes(bench: Bench, new_client: type[FakeClient]) -> None:
    def answer(asked: str) -> None:
        if asked == bench.url(0):
            assert comes_true(lambda: {"1", "2", "3"} <= kept(bench))
        if asked == bench.url(3):
            assert comes_true(lambda: len(client.asked) == 4)
            bench.stop.set()

    client = new_client(before=answer)
    with pytest.raises(RunStoppedError, match="Run stopped early"):
        bench.run(bench.images(4), client)
    assert set(bench.ledger.statuses) == {"0", "1", "2", "3"}


def test_a_slow_call_does_not_keep_others_from_the_ledger_when_the_run_fails(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    def answer(asked: str) -> None:
        if asked == bench.url(0):
            assert comes_true(lambda: {"1", "2", "3"} <= kept(bench))
        if asked == bench.url(4):
            assert comes_true(lambda: len(set(client.asked)) == 5)

    client = new_client({bench.url(4): ARREARS}, before=answer)
    with pytest.raises(AccountError):
        bench.run(bench.images(5), client, max_in_flight=8)
    assert set(bench.ledger.statuses) == {"0", "1", "2", "3"}


def test_a_ledger_that_is_down_does_not_hide_what_has_ended_the_run(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    def take_down(asked: str) -> None:
        if asked == bench.url(4):
            bench.ledger.failing = DOWN

    client = new_client({bench.url(4): NO_CARD}, before=take_down)
    with pytest.raises(TooManyFailuresError, match=r"could not be recorded in the ledger.*/journal/1"):
        bench.run(bench.images(5), client, max_in_flight=1, failure_limits=FailureLimits(stop_after=1))
    assert kept(bench) == answered(client) - {"4"}


def test_an_interruption_says_where_answers_are_beside_its_own_words(
    bench: Bench, new_client: type[FakeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    def take_down(asked: str) -> None:
        bench.ledger.failing = DOWN

    def time_out(*_: Any) -> None:
        assert comes_true(lambda: bench.journal.files)
        raise TimedOutError

    monkeypatch.setattr("airflow_provider_permitocr.engine.run.failure_breaker.FailureWatch.add", time_out)
    with pytest.raises(TimedOutError) as raised:
        bench.run(bench.images(1), new_client(before=take_down))
    assert "It is kept in /journal/1" in "".join(raised.value.__notes__)


class Interrupter:
    """Raises at the given lines, counted from where the main thread works on rows.

    Not where a ``with`` or ``try`` begins or ends: no signal is heard between the block and what guards it.
    """

    FILES = (
        *("engine/run/pipeline.py", "engine/run/hand_over.py", "engine/run/drain.py"),
        *("engine/ledger/call_ledger.py", "engine/ledger/unwritten.py"),
    )

    def __init__(self, *at: int) -> None:
        self._at, self.lines, self.raised = at, 0, 0

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.endswith(self.FILES):
            return None
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip()
        if (
            event == "line"
            and not line.startswith(("with ", "try:"))
            and threading.current_thread() is threading.main_thread()
        ):
            self.lines += 1
            if self.lines in self._at:
                self.raised += 1
                raise TimedOutError
        return self

    def begin(self) -> None:
        """Trace the main thread; Python has ended that when the first interruption was raised."""
        if threading.current_thread() is threading.main_thread():
            frame: FrameType | None = sys._getframe(1)
            while frame:
                if frame.f_code.co_filename.endswith(self.FILES):
                    frame.f_trace = self
                frame = frame.f_back
            sys.settrace(self)


class TracedStop(threading.Event):
    """Traces on once it is set, which is the first thing that whatever ends a run does."""

    def __init__(self, interrupter: Interrupter) -> None:
        super().__init__()
        self._interrupter = interrupter

    def set(self) -> None:
        super().set()
        self._interrupter.begin()


@pytest.mark.slow
@pytest.mark.parametrize("is_down", [False, True], ids=["ledger up", "ledger down"])
@pytest.mark.parametrize(
    "second_after", [None, *(pytest.param(lines, marks=pytest.mark.slow) for lines in (1, 3, 17, 40))]
)
def test_an_interruption_at_any_line_loses_no_answer(
    new_bench: type[Bench],
    new_client: type[FakeClient],
    monkeypatch: pytest.MonkeyPatch,
    second_after: int | None,
    is_down: bool,
) -> None:
    recognize_list = ListRun.recognize
    interrupter = Interrupter()

    def traced(rows: ListRun, listed: int) -> None:
        interrupter.begin()
        recognize_list(rows, listed)

    monkeypatch.setattr(ListRun, "recognize", traced)
    before = sys.gettrace()
    interrupted = twice = 0
    for line in itertools.chain(range(1, 80), range(80, 400, 13)):
        interrupter = Interrupter(line, *([] if second_after is None else [line + second_after]))
        bench = new_bench(stop=TracedStop(interrupter))

        def take_down(asked: str, bench: Bench = bench) -> None:
            if is_down and asked == bench.url(5):
                bench.ledger.failing = DOWN

        client = new_client(before=take_down)
        try:
            bench.run(
                bench.images(12),
                client,
                max_in_flight=3,
                batch=Batch(rows=4, patience_seconds=0.1),
            )
        except (TimedOutError, LedgerUnreachableError) as error:
            interrupted += isinstance(error, TimedOutError)
        finally:
            sys.settrace(before)
        twice += interrupter.raised == 2
        assert kept(bench) == answered(client), f"interrupted at line {line}"
    assert interrupted > 60
    assert second_after is None or twice > 10
