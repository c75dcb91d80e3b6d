"""Closed calls that the ledger does not have yet, and the journal that keeps them meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.ledger.calls import NOT_SENT, ClosedCall
from airflow_provider_permitocr.engine.ledger.ports import Journal
from airflow_provider_permitocr.errors import JournalError

_log = logging.getLogger(__name__)


class UnwrittenCalls:
    """Remembers each closed call until the ledger has it. Used from any thread."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        #: Also held while the journal is written: nothing is added to a file that is about to be removed.
        self._state = threading.Lock()
        self._calls: dict[str, ClosedCall] = {}
        self._in_file: set[str] = set()
        self._refused: list[ClosedCall] = []
        self._file = ""
        self._fault: JournalError | None = None

    def add(self, closed: ClosedCall) -> None:
        """Remember a call that is closed."""
        with self._state:
            self._calls[closed.call_id] = closed

    def keep(self) -> None:
        """Put all of them into the journal that are not there.

        A journal that cannot be written is logged; the next time tries again.
        """
        with self._state:
            try:
                new = [each for call_id, each in self._calls.items() if call_id not in self._in_file]
                if new:
                    self._file = self._journal.append(new)
                    self._in_file |= {each.call_id for each in new}
                if self._refused:
                    self._keep_refused()
                self._fault = None
            except JournalError as error:
                if self._fault is None:
                    _log.error("%s", error)
                self._fault = error

    def written(self, closed: Sequence[ClosedCall], refused: Sequence[ClosedCall] = ()) -> None:
        """Forget calls that the ledger has, and remove the journal's file once the ledger has all its calls.

        :param refused: those of them whose answers the ledger's database refuses.
        """
        with self._state:
            self._refused += refused
            for each in closed:
                self._calls.pop(each.call_id, None)
            try:
                if self._refused:  # first, as the file below may have the only copy
                    self._keep_refused()
            except JournalError as error:
                _log.error("%s", error)
                self._fault = error
                return
            if self._in_file and self._in_file.isdisjoint(self._calls):
                self._journal.discard()
                self._in_file.clear()

    def __str__(self) -> str:
        """Describe what the ledger lacks, and where it is; empty if it lacks nothing."""
        with self._state:
            made = [call_id for call_id, each in self._calls.items() if each.code != NOT_SENT]
            kept = sum(call_id in self._in_file for call_id in made)
            lost = len(made) - kept + len(self._refused)
        said = []
        if kept:
            said.append(
                f"The outcome of {_calls(kept)} could not be recorded in the ledger. It is kept in"
                f" {self._file}; the next run on this machine records it."
            )
        if lost:
            said.append(
                f"The outcome of {_calls(lost)} could be recorded neither in the ledger nor in the journal,"
                f" and is lost. {self._fault or ''}"
            )
        return " ".join(said).rstrip()

    def _keep_refused(self) -> None:
        file = self._journal.append(self._refused, refused=True)
        for each in self._refused:
            _log.error(
                "The ledger's database cannot store the answer of call %s (%s). The call is closed as"
                " billed. Its answer is kept in %s, and each run tries again to store it",
                *(each.call_id, each.reason, file),
            )
        self._refused = []


def _calls(number: int) -> str:
    return many(number, "call")
