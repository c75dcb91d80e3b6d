from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_permitocr.engine.ledger.calls import NOT_SENT, OK, ClosedCall
from airflow_provider_permitocr.engine.ledger.unwritten import UnwrittenCalls
from airflow_provider_permitocr.errors import JournalError
from tests.support.fake_ledger import FakeJournal

SOON = 30
A, B, C = (ClosedCall(letter * 32, OK, billed=True) for letter in "abc")
UNSENT = ClosedCall("d" * 32, NOT_SENT, billed=False)
FULL = JournalError("Could not write the journal /journal/1: No space left on device.")


class SlowJournal(FakeJournal):
    """Takes its time to append, once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.is_slow = False

    def append(self, closed: Sequence[ClosedCall], *, refused: bool = False) -> str:
        name = super().append(closed, refused=refused)
        if self.is_slow:
            self.begun.set()
            assert self.go_on.wait(SOON)
        return name


@pytest.fixture
def journal() -> SlowJournal:
    return SlowJournal()


@pytest.fixture
def unwritten(journal: SlowJournal) -> UnwrittenCalls:
    return UnwrittenCalls(journal)


def test_each_call_is_in_the_file_once_and_the_file_goes_when_the_ledger_has_all(
    unwritten: UnwrittenCalls, journal: SlowJournal
) -> None:
    unwritten.add(A)
    unwritten.keep()
    unwritten.add(B)
    unwritten.keep()
    unwritten.keep()
    assert journal.files == {"/journal/1": [A, B]}
    unwritten.written([A])
    assert journal.files == {"/journal/1": [A, B]}
    assert str(unwritten).startswith("The outcome of 1 call could not be recorded in the ledger")
    unwritten.written([B])
    assert (journal.files, str(unwritten)) == ({}, "")


def test_what_the_ledger_has_already_is_not_put_into_the_file(
    unwritten: UnwrittenCalls, journal: SlowJournal
) -> None:
    unwritten.add(A)
    unwritten.written([A])
    unwritten.keep()
    assert journal.files == {}


def test_a_file_that_is_written_at_the_moment_is_not_removed(
    unwritten: UnwrittenCalls, journal: SlowJournal
) -> None:
    unwritten.add(A)
    unwritten.keep()
    unwritten.add(B)
    journal.is_slow = True
    with ThreadPoolExecutor(2) as pool:
        keeping = pool.submit(unwritten.keep)
        assert journal.begun.wait(SOON)
        forgetting = pool.submit(unwritten.written, [A])
        journal.go_on.set()
        keeping.result(SOON)
        forgetting.result(SOON)
    assert B in journal.files["/journal/1"]
    unwritten.written([B])
    assert journal.files == {}


def test_a_journal_that_fails_is_logged_once_and_tried_again(
    unwritten: UnwrittenCalls, journal: SlowJournal, caplog: pytest.LogCaptureFixture
) -> None:
    journal.failing = FULL
    unwritten.add(A)
    unwritten.keep()
    unwritten.keep()
    assert caplog.messages == [str(FULL)]
    assert str(unwritten) == (
        "The outcome of 1 call could be recorded neither in the ledger nor in the journal, and is lost."
        f" {FULL}"
    )
    journal.failing = None
    unwritten.keep()
    assert journal.files == {"/journal/1": [A]}
    assert "lost" not in str(unwritten)


def test_an_answer_that_is_refused_and_cannot_be_kept_is_said_to_be_lost_until_it_is_kept(
    unwritten: UnwrittenCalls, journal: SlowJournal
) -> None:
    journal.failing = FULL
    unwritten.add(A)
    unwritten.written([A], [A])
    assert "The outcome of 1 call could be recorded neither" in str(unwritten)
    journal.failing = None
    unwritten.keep()
    assert (journal.files, str(unwritten)) == ({"/journal/1-refused": [A]}, "")


def test_the_file_with_the_only_copy_of_a_refused_answer_is_removed_once_that_is_kept(
    unwritten: UnwrittenCalls, journal: SlowJournal
) -> None:
    unwritten.add(A)
    unwritten.keep()
    journal.failing = FULL
    unwritten.written([A], [A])
    assert journal.files == {"/journal/1": [A]}
    journal.failing = None
    unwritten.written([])
    assert journal.files == {"/journal/1-refused": [A]}


def test_calls_that_were_not_made_are_kept_and_not_counted(
    unwritten: UnwrittenCalls, journal: SlowJournal
) -> None:
    for each in (A, B, C, UNSENT):
        unwritten.add(each)
    unwritten.keep()
    assert journal.files == {"/journal/1": [A, B, C, UNSENT]}
    assert str(unwritten) == (
        "The outcome of 3 calls could not be recorded in the ledger. It is kept in /journal/1; the next run"
        " on this machine records it."
    )
