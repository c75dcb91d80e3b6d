"""The ledger as threads see it: gathered, nobody forgotten, and no answer only in memory while it is down."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from airflow_provider_permitocr.engine.call.outcomes import of_grant
from airflow_provider_permitocr.engine.ledger import call_ledger
from airflow_provider_permitocr.engine.ledger.call_ledger import CallLedger
from airflow_provider_permitocr.engine.ledger.calls import (
    NOT_SENT,
    OK,
    Attempt,
    CallIntent,
    ClosedCall,
    Exchanged,
    Grant,
    new_call_id,
)
from airflow_provider_permitocr.engine.models import ImageFacts, ImageRow, Left, Outcome
from airflow_provider_permitocr.errors import (
    FencedError,
    JournalError,
    LedgerError,
    LedgerUnreachableError,
)
from airflow_provider_permitocr.permit.answers import KeptAnswer
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from tests.support.fake_ledger import FakeJournal, FakeLedger
from tests.support.waiting import SOON, comes_true

DOWN = LedgerUnreachableError("The ledger is down.")


@dataclass
class FakeTable(FakeLedger):
    """Keeps what is written in each exchange; grants by image key, where not everything is granted."""

    grants: dict[str, Grant] = field(default_factory=dict)
    written: list[tuple[list[str], list[str], list[str]]] = field(default_factory=list)
    at_once: int = 0

    def exchange(
        self, intents: Sequence[CallIntent], closed: Sequence[ClosedCall], attempts: Sequence[Attempt]
    ) -> Exchanged:
        self.at_once += 1
        assert self.at_once == 1
        try:
            self.before_exchange()
            if self.failing:
                raise self.failing
        finally:
            self.at_once -= 1
        keys = [intent.row_key[0] for intent in intents]
        tried = [attempt.row_key[0] for attempt in attempts]
        self.written.append((keys, [each.call_id for each in closed], tried))
        self.closed |= {each.call_id: each for each in closed}
        return Exchanged(tuple(self.grants.get(key, Grant.GRANTED) for key in keys))


class Bench:
    """A ledger that may be used once it is begun, and that is ended in any case."""

    def __init__(self) -> None:
        self.table, self.journal, self.stop = FakeTable(), FakeJournal(), threading.Event()
        self.ledger = self.new()
        self.is_begun = False

    def new(self, *, patience_seconds: float = SOON, gather_seconds: float = 0.0) -> CallLedger:
        self.ledger = CallLedger(
            self.table,
            self.journal,
            stop=self.stop,
            patience_seconds=patience_seconds,
            gather_seconds=gather_seconds,
        )
        return self.ledger

    def begin(self) -> CallLedger:
        self.ledger.start()
        self.is_begun = True
        return self.ledger

    def ask(self, key: str) -> Grant | None:
        return self.ledger.open(CallIntent(new_call_id(), (key, CardSide.FRONT)))

    def open(self, key: str) -> str:
        call_id = new_call_id()
        assert self.ledger.open(CallIntent(call_id, (key, CardSide.FRONT))) is Grant.GRANTED
        return call_id


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(call_ledger, "_FIRST_WAIT_SECONDS", 0.01)
    bench = Bench()
    yield bench
    bench.stop.set()
    if bench.is_begun:
        bench.ledger.end()


def assert_set(event: threading.Event) -> None:
    assert event.wait(SOON)


def attempt(key: str) -> Attempt:
    return Attempt((key, CardSide.FRONT), Status.RECOGNIZED)


def gathered(bench: Bench, pool: ThreadPoolExecutor, *keys: str) -> list[Future[Grant | None]]:
    """Have threads open calls that are written in one exchange: the thread that writes begins only now."""
    opened = [pool.submit(bench.ask, key) for key in keys]
    assert comes_true(lambda: bench.ledger.gathered == len(keys))
    bench.begin()
    return opened


def test_what_comes_together_is_written_together(bench: Bench) -> None:
    bench.ledger.close("c" * 32, OK, billed=True)
    bench.ledger.note(attempt("n"))
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(bench.open, key) for key in "abcdefgh"]
        assert comes_true(lambda: bench.ledger.gathered == 10)
        bench.begin()
        assert len({future.result(SOON) for future in futures}) == 8
    assert [(sorted(keys), *rest) for keys, *rest in bench.table.written] == [
        (list("abcdefgh"), ["c" * 32], ["n"])
    ]


def test_what_comes_while_others_are_written_is_written_next(bench: Bench) -> None:
    writing, may_write = threading.Event(), threading.Event()

    def hold() -> None:
        writing.set()
        assert may_write.wait(SOON)

    bench.table.before_exchange = hold
    with ThreadPoolExecutor(2) as pool:
        (first,) = gathered(bench, pool, "a")
        assert writing.wait(SOON)
        second = pool.submit(bench.open, "b")
        bench.ledger.close("c" * 32, OK, billed=True)
        assert comes_true(lambda: bench.ledger.gathered == 2)
        may_write.set()
        first.result(SOON)
        second.result(SOON)
    assert bench.table.written == [(["a"], [], []), (["b"], ["c" * 32], [])]


@pytest.mark.slow
def test_an_answer_that_waits_for_a_slow_exchange_is_in_the_journal_meanwhile(bench: Bench) -> None:
    bench.begin()
    first, second = bench.open("a"), bench.open("b")
    may_write = threading.Event()
    bench.table.before_exchange = lambda: may_write.wait(SOON)
    bench.ledger.close(first, OK, billed=True)
    assert comes_true(lambda: bench.journal.files)
    bench.ledger.close(second, OK, billed=True)
    assert comes_true(lambda: [each.call_id for each in bench.journal.files["/journal/1"]] == [first, second])
    may_write.set()
    bench.ledger.flush()
    assert set(bench.table.closed) == {first, second}
    assert bench.journal.files == {}


def test_a_ledger_that_goes_silent_is_given_up_after_patience_and_its_calls_are_in_the_journal(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_ledger, "_SILENT_SECONDS", 0.1)
    monkeypatch.setattr(call_ledger, "_END_SECONDS", 0.1)
    bench.new(patience_seconds=0)
    bench.begin()
    granted = bench.open("a")
    answers = threading.Event()
    bench.table.before_exchange = lambda: answers.wait(SOON)
    bench.ledger.close(granted, OK, billed=True)
    with pytest.raises(LedgerUnreachableError, match="has not answered"):
        bench.ledger.flush()
    assert bench.ask("b") is None
    said = bench.ledger.end()
    assert said is not None
    assert [each.call_id for each in bench.journal.files["/journal/1"]] == [granted]
    answers.set()


def test_very_many_attempts_are_written_in_several_exchanges(bench: Bench) -> None:
    for number in range(2500):
        bench.ledger.note(attempt(str(number)))
    bench.begin()
    bench.ledger.flush()
    assert [len(tried) for _, _, tried in bench.table.written] == [1000, 1000, 500]


def test_a_close_is_written_without_any_intent_and_once(bench: Bench) -> None:
    bench.begin()
    call_id = bench.open("a")
    bench.ledger.close(
        call_id, OK, billed=True, request_id="r", answer=KeptAnswer({"Number": "1"}), attempt=attempt("a")
    )
    bench.ledger.flush()
    bench.ledger.flush()
    assert bench.table.written == [(["a"], [], []), ([], [call_id], [])]
    assert bench.table.closed[call_id] == ClosedCall(
        call_id, OK, True, "r", KeptAnswer({"Number": "1"}), attempt("a")
    )
    assert bench.journal.files == {}


def test_a_call_that_was_not_made_is_closed_as_unpaid_and_without_a_request_id(bench: Bench) -> None:
    bench.begin()
    bench.ledger.close("c" * 32, NOT_SENT, billed=False)
    bench.ledger.close("d" * 32, "InternalError", billed=None, request_id="")
    bench.ledger.flush()
    assert bench.table.closed["c" * 32] == ClosedCall("c" * 32, NOT_SENT, billed=False)
    assert bench.table.closed["d" * 32].request_id is None


@pytest.mark.parametrize(
    ("grant", "means", "says"),
    [
        (Grant.CAPPED, Left.CAPPED, ""),
        (Grant.DAY_CAPPED, Left.CAPPED, ""),
        (Grant.HELD, Left.HELD, ""),
        (Grant.SETTLED, Left.SETTLED, ""),
        (Grant.UNKNOWN, Status.FAILED, "may have been paid for"),
        (Grant.REFUSED, Status.REJECTED, "cannot store this image's key"),
        (Grant.FENCED, Left.STOPPED, ""),
    ],
)
def test_an_intent_that_is_not_granted_says_why(
    bench: Bench, grant: Grant, means: Left | Status, says: str
) -> None:
    bench.table.grants = {"a": grant}
    bench.begin()
    assert bench.ask("a") is grant
    meant = of_grant(ImageRow("a", "https://x"), grant, ImageFacts())
    assert meant is means or (isinstance(meant, Outcome) and meant.status is means)
    assert says in str(meant)
    assert bench.ledger.cap == (grant if means is Left.CAPPED else None)
    if grant is Grant.FENCED:
        assert bench.ask("b") is None
        with pytest.raises(FencedError, match="this one stopped"):
            bench.ledger.raise_if_failed()
    else:
        bench.open("b")


def test_each_of_an_exchange_gets_its_own_grant(bench: Bench) -> None:
    bench.table.grants = {"b": Grant.CAPPED, "c": Grant.UNKNOWN}
    with ThreadPoolExecutor(4) as pool:
        grants = [future.result(SOON) for future in gathered(bench, pool, *"abcd")]
    assert grants == [Grant.GRANTED, Grant.CAPPED, Grant.UNKNOWN, Grant.GRANTED]


def test_five_intents_refused_in_a_row_stop_the_run_and_closes_are_still_taken(bench: Bench) -> None:
    bench.table.grants = dict.fromkeys("abcdefghi", Grant.REFUSED)
    bench.begin()
    for key in "abcd":
        assert bench.ask(key) is Grant.REFUSED
    granted = bench.open("z")  # a single one that is granted says that it is not the ledger
    for key in "efghi":
        bench.ledger.raise_if_failed()
        assert bench.ask(key) is Grant.REFUSED
    assert bench.ask("y") is None
    bench.ledger.close(granted, OK, billed=True)
    with pytest.raises(LedgerError, match="refused to record the last 5 calls"):
        bench.ledger.flush()
    assert bench.ledger.end() is None
    assert bench.table.closed[granted].code == OK


def test_an_answer_that_comes_while_the_ledger_is_down_is_in_the_journal_when_close_returns(
    bench: Bench,
) -> None:
    bench.begin()
    first, second = bench.open("a"), bench.open("b")
    bench.table.failing = DOWN
    bench.ledger.close(first, OK, billed=True, answer=KeptAnswer({"Number": "1"}), attempt=attempt("a"))
    assert comes_true(lambda: bench.journal.files)
    for call_id in (second, "e" * 32):
        bench.ledger.close(call_id, OK, billed=True)
        assert call_id in {each.call_id for each in bench.journal.files["/journal/1"]}
    assert [each.call_id for each in bench.journal.files["/journal/1"]] == [
        first,
        second,
        "e" * 32,
    ]
    bench.table.failing = None
    bench.ledger.flush()
    assert set(bench.table.closed) == {first, second, "e" * 32}
    assert bench.journal.files == {}
    assert bench.ledger.end() is None


def test_an_answer_does_not_wait_for_an_exchange_that_hangs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_ledger, "_SLOW_SECONDS", 0.01)
    monkeypatch.setattr(call_ledger, "_LOOK_SECONDS", 0.01)
    may_write = threading.Event()
    bench.begin()
    call_id = bench.open("a")
    bench.table.before_exchange = lambda: assert_set(may_write)
    bench.ledger.close(call_id, OK, billed=True)
    assert comes_true(lambda: bench.journal.files)
    bench.ledger.close("c" * 32, OK, billed=True)
    assert comes_true(lambda: len(bench.journal.files["/journal/1"]) == 2)
    may_write.set()
    bench.ledger.flush()
    assert set(bench.table.closed) == {call_id, "c" * 32}
    assert (bench.journal.files, bench.ledger.end()) == ({}, None)


def test_what_was_granted_before_is_not_sent_while_the_ledger_is_down(bench: Bench) -> None:
    bench.begin()
    bench.open("a")
    assert not bench.ledger.await_reachable()
    bench.table.failing = DOWN
    bench.ledger.close("c" * 32, OK, billed=True)
    assert comes_true(lambda: bench.journal.files)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(bench.ledger.await_reachable)
        with pytest.raises(TimeoutError):
            waiting.result(0.1)
        bench.table.failing = None
        assert waiting.result(SOON)


@pytest.mark.parametrize("end", ["stop", "patience"])
def test_waiting_for_a_ledger_that_is_down_ends_with_the_run(bench: Bench, end: str) -> None:
    bench.new(patience_seconds=0.2 if end == "patience" else SOON)
    bench.begin()
    bench.table.failing = DOWN
    bench.ledger.close("c" * 32, OK, billed=True)
    assert comes_true(lambda: bench.journal.files)
    if end == "stop":
        bench.stop.set()
    bench.ledger.await_reachable()
    assert bench.stop.is_set()
    with pytest.raises(LedgerUnreachableError):
        bench.ledger.flush()


def test_after_patience_intents_are_left_and_all_that_may_have_been_written_is_in_the_journal(
    bench: Bench,
) -> None:
    bench.new(patience_seconds=0.05)
    bench.table.failing = DOWN
    bench.ledger.close("c" * 32, OK, billed=True)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(bench.ask, key) for key in "ab"]
        assert comes_true(lambda: bench.ledger.gathered == 3)
        bench.begin()
        assert [each.result(SOON) for each in futures] == [None, None]
    with pytest.raises(LedgerUnreachableError, match="The ledger is down"):
        bench.ledger.flush()
    bench.ledger.close("d" * 32, OK, billed=True)
    kept = {each.call_id: each.code for each in bench.journal.files["/journal/1"]}
    assert sorted(kept.values()) == [NOT_SENT, NOT_SENT, OK, OK]
    said = bench.ledger.end()
    assert said is not None
    assert said.startswith(
        "The outcome of 2 calls could not be recorded in the ledger. It is kept in /journal/1"
    )


@pytest.mark.parametrize("error", [LedgerError("It refuses for good."), ZeroDivisionError("a fault of ours")])
def test_a_ledger_that_fails_for_good_is_not_waited_for_and_nobody_waits_for_ever(
    bench: Bench, error: Exception
) -> None:
    bench.table.failing = error
    with ThreadPoolExecutor(3) as pool:
        opened = gathered(bench, pool, *"abc")
        assert [future.result(SOON) for future in opened] == [None, None, None]
    bench.ledger.close("c" * 32, OK, billed=True)
    assert [each.call_id for each in bench.journal.files["/journal/1"]] == ["c" * 32]
    with pytest.raises(LedgerError, match=r"refuses for good|ZeroDivisionError"):
        bench.ledger.raise_if_failed()


def test_a_journal_that_is_full_for_a_moment_still_takes_all(bench: Bench) -> None:
    bench.begin()
    bench.journal.failing = JournalError("No space left on device")
    bench.table.failing = DOWN
    bench.ledger.close("c" * 32, OK, billed=True)
    bench.ledger.close("d" * 32, OK, billed=True)
    bench.journal.failing = None
    assert comes_true(lambda: len(bench.journal.files.get("/journal/1", ())) == 2)


@pytest.mark.slow
def test_many_threads_are_all_served_and_every_close_is_written_once(bench: Bench) -> None:
    bench.new(gather_seconds=0.001)
    bench.begin()

    def call(number: int) -> str:
        call_id = bench.open(f"{number}")
        bench.ledger.close(call_id, OK, billed=True)
        if number % 7 == 0:
            bench.ledger.flush()
        return call_id

    with ThreadPoolExecutor(32) as pool:
        called = list(pool.map(call, range(2000)))
    bench.ledger.flush()
    assert sorted(key for keys, *_ in bench.table.written for key in keys) == sorted(map(str, range(2000)))
    assert sorted(call_id for _, closed, _ in bench.table.written for call_id in closed) == sorted(called)


def test_an_end_writes_what_is_left_and_may_be_repeated(bench: Bench) -> None:
    bench.new(gather_seconds=SOON)
    bench.begin()
    bench.ledger.close("c" * 32, OK, billed=True)
    assert (bench.ledger.end(), bench.ledger.end()) == (None, None)
    assert list(bench.table.closed) == ["c" * 32]


def test_a_ledger_that_was_never_begun_ends(bench: Bench) -> None:
    assert bench.ledger.end() is None
