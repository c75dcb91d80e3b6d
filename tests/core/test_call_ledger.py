"""The ledger as threads see it: gathered, nobody forgotten, and no error that nobody hears of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.call_ledger import CallLedger, new_call_id
from airflow_provider_permitocr.core.calls import NOT_SENT, OK, CallIntent, CallResult, Grant
from airflow_provider_permitocr.core.errors import (
    CalledElsewhereError,
    CapReachedError,
    ImageRejectedError,
    OutcomeUnknownError,
    PermitOcrError,
    RunStoppedError,
)

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class LostError(PermitOcrError):
    """A database that is away."""


@dataclass
class FakeTable:
    """Keeps what is written; grants by image key, where not everything is granted."""

    grants: dict[str, Grant] = field(default_factory=dict)
    exchanges: list[tuple[list[str], list[str]]] = field(default_factory=list)
    results: list[CallResult] = field(default_factory=list)
    before: Callable[[], None] = lambda: None
    at_once: int = 0

    def prepare(self) -> None: ...

    def exchange(self, intents: Sequence[CallIntent], results: Sequence[CallResult]) -> Sequence[Grant]:
        self.at_once += 1
        assert self.at_once == 1
        try:
            self.before()
        finally:
            self.at_once -= 1
        self.exchanges.append(
            ([intent.row_key[0] for intent in intents], [result.call_id for result in results])
        )
        self.results += results
        return [self.grants.get(intent.row_key[0], Grant.GRANTED) for intent in intents]


class Gathering:
    """A sleep that lasts until it is let go."""

    def __init__(self) -> None:
        self.begun, self.over = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, _seconds: float) -> None:
        self.begun.release()
        assert self.over.acquire(timeout=30)


def _ledger(table: FakeTable, sleep: Callable[[float], object] = lambda _: None) -> CallLedger:
    return CallLedger(table, now=lambda: NOON, sleep=sleep)


def _open(ledger: CallLedger, key: str) -> str:
    call_id = new_call_id()
    ledger.open(call_id, (key, CardSide.FRONT), None)
    return call_id


def _wait_for_intents(ledger: CallLedger, number: int) -> None:
    for _ in range(3000):
        gathering = ledger._gathering
        if gathering and len(gathering.intents) == number:
            return
        threading.Event().wait(0.01)
    pytest.fail(f"{number} intents were not gathered")


def _gathered(
    ledger: CallLedger, gathering: Gathering, pool: ThreadPoolExecutor, *keys: str
) -> list[Future[str]]:
    """Have threads open calls that are written together; the first of them writes."""
    first = pool.submit(_open, ledger, keys[0])
    assert gathering.begun.acquire(timeout=30)
    others = [pool.submit(_open, ledger, key) for key in keys[1:]]
    _wait_for_intents(ledger, len(keys))
    return [first, *others]


def test_call_ids_are_unlike_each_other() -> None:
    assert len({new_call_id() for _ in range(1000)}) == 1000
    assert {len(new_call_id()) for _ in range(10)} == {32}


def test_intents_that_come_together_are_written_together() -> None:
    table, gathering = FakeTable(), Gathering()
    ledger = _ledger(table, gathering)
    with ThreadPoolExecutor(8) as pool:
        opened = _gathered(ledger, gathering, pool, *"abcdefgh")
        gathering.over.release()
        assert len({future.result(30) for future in opened}) == 8
    assert [sorted(keys) for keys, _ in table.exchanges] == [list("abcdefgh")]


def test_results_go_along_with_intents_and_are_written_once() -> None:
    table = FakeTable()
    ledger = _ledger(table)
    first = _open(ledger, "a")
    ledger.close(first, OK, billed=True, request_id="request-1")
    second = _open(ledger, "b")
    assert table.exchanges == [(["a"], []), (["b"], [first])]
    ledger.close(second, "InternalError", billed=None, request_id="")
    ledger.flush()
    ledger.flush()
    assert table.exchanges[2:] == [([], [second])]
    assert table.results == [
        CallResult(first, OK, True, "request-1", NOON),
        CallResult(second, "InternalError", None, None, NOON),
    ]


def test_flush_writes_results_while_intents_are_gathered() -> None:
    table, gathering = FakeTable(), Gathering()
    ledger = _ledger(table, gathering)
    ledger.close_unsent("c" * 32)
    with ThreadPoolExecutor(1) as pool:
        (opened,) = _gathered(ledger, gathering, pool, "a")
        ledger.flush()
        assert table.results == [CallResult("c" * 32, NOT_SENT, False, None, NOON)]
        gathering.over.release()
        opened.result(30)


def test_thread_whose_intent_is_written_does_not_wait_for_the_next_gathering() -> None:
    table, gathering = FakeTable(), Gathering()
    ledger = _ledger(table, gathering)
    with ThreadPoolExecutor(3) as pool:
        opened = _gathered(ledger, gathering, pool, "a", "b")
        writing, may_write = threading.Event(), threading.Event()

        def hold() -> None:
            writing.set()
            assert may_write.wait(30)

        table.before = hold
        gathering.over.release()
        assert writing.wait(30)
        next_one = pool.submit(_open, ledger, "c")
        assert gathering.begun.acquire(timeout=30)  # gathered while the others are being written
        may_write.set()
        assert all(future.result(30) for future in opened)
        assert not next_one.done()
        gathering.over.release()
        next_one.result(30)
    assert [sorted(keys) for keys, _ in table.exchanges] == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("grant", "error", "says"),
    [
        (Grant.CAPPED, CapReachedError, "no more calls are allowed"),
        (Grant.CALLED_ELSEWHERE, CalledElsewhereError, "another run is calling"),
        (Grant.UNKNOWN, OutcomeUnknownError, "may have been paid for"),
        (Grant.REFUSED, ImageRejectedError, "cannot hold this image's key"),
    ],
)
def test_intent_that_is_not_granted_says_why(grant: Grant, error: type[Exception], says: str) -> None:
    ledger = _ledger(FakeTable({"a": grant}))
    with pytest.raises(error, match=says):
        _open(ledger, "a")
    _open(ledger, "b")
    assert ledger.is_capped is (grant is Grant.CAPPED)
    assert ledger.take_called_elsewhere() == (grant is Grant.CALLED_ELSEWHERE)
    assert ledger.take_called_elsewhere() == 0


def test_each_of_a_gathering_gets_its_own_grant() -> None:
    table, gathering = FakeTable({"b": Grant.CAPPED, "c": Grant.UNKNOWN}), Gathering()
    ledger = _ledger(table, gathering)
    with ThreadPoolExecutor(4) as pool:
        opened = _gathered(ledger, gathering, pool, *"abcd")
        gathering.over.release()
        errors = [type(future.exception(30)) for future in opened]
    assert errors == [type(None), CapReachedError, OutcomeUnknownError, type(None)]


def _lose() -> None:
    raise LostError("the database is away")


def test_failure_is_raised_once_and_the_others_leave_their_rows() -> None:
    table, gathering = FakeTable(before=_lose), Gathering()
    ledger = _ledger(table, gathering)
    with ThreadPoolExecutor(3) as pool:
        opened = _gathered(ledger, gathering, pool, *"abc")
        gathering.over.release()
        errors = [type(future.exception(30)) for future in opened]
    assert errors == [LostError, RunStoppedError, RunStoppedError]


def test_after_a_failure_results_are_kept_and_intents_taken_back() -> None:
    table = FakeTable()
    ledger = _ledger(table)
    first = _open(ledger, "a")
    ledger.close(first, OK, billed=True)
    table.before = _lose
    with pytest.raises(LostError):
        _open(ledger, "b")
    with pytest.raises(LostError):
        ledger.flush()
    table.before = lambda: None
    ledger.flush()
    assert [(result.code, result.billed) for result in table.results] == [(OK, True), (NOT_SENT, False)]
    assert table.results[0].call_id == first
    _open(ledger, "c")
    assert table.exchanges[-1] == (["c"], [])


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_gatherer_that_is_interrupted_leaves_nobody_waiting(error: type[BaseException]) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def sleep(_seconds: float) -> None:
        begun.set()
        assert go_on.wait(30)
        raise error

    table = FakeTable()
    ledger = _ledger(table, sleep)
    outcomes: dict[str, Any] = {}

    def open_one(key: str) -> None:
        with pytest.raises((error, RunStoppedError)) as raised:
            _open(ledger, key)
        outcomes[key] = raised.type

    threads = [threading.Thread(target=open_one, args=(key,)) for key in "ab"]
    threads[0].start()
    assert begun.wait(30)
    threads[1].start()
    _wait_for_intents(ledger, 2)
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert outcomes == {"a": error, "b": RunStoppedError}
    assert table.exchanges == []
    ledger._sleep = lambda _: None
    _open(ledger, "c")


def test_many_threads_are_all_served_and_every_result_is_written_once() -> None:
    table = FakeTable()
    ledger = CallLedger(table, gather_seconds=0.001)

    def call(number: int) -> str:
        call_id = _open(ledger, f"{number}")
        ledger.close(call_id, OK, billed=True)
        if number % 7 == 0:
            ledger.flush()
        return call_id

    with ThreadPoolExecutor(32) as pool:
        called = list(pool.map(call, range(2000)))
    ledger.flush()
    assert sorted(key for keys, _ in table.exchanges for key in keys) == sorted(map(str, range(2000)))
    assert sorted(result.call_id for result in table.results) == sorted(called)
