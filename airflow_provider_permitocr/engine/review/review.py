"""Has people decide about readings, and delivers their decisions to the targets, without a call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_permitocr.engine.delivery.refill import Filled, Refill
from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.engine.ports import TargetPorts
from airflow_provider_permitocr.engine.review.entries import read_entries
from airflow_provider_permitocr.engine.review.ports import AskedReading, LedgerReview, Reviewed
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.permit.replacement import Method


@dataclass(frozen=True)
class Recorded:
    """What an answer came to.

    :param unreadable: how many entries could not be read, by the reason; no values.
    :param has_text: whether something was typed that may be a person's data.
    """

    reviewed: Reviewed
    unreadable: Mapping[str, int]
    has_text: bool


class Review(Refill):
    """One question, and its outcome.

    :param in_ledger: the part of it that the ledger does.
    """

    def __init__(
        self,
        ports: TargetPorts,
        in_ledger: LedgerReview,
        batch: Batch,
        *,
        stop: threading.Event,
    ) -> None:
        super().__init__(ports, batch, of_all=False, stop=stop)
        self._in_ledger = in_ledger

    def question(
        self, *, is_new: bool, waiting: Callable[[Collection[RunIdentity]], Collection[RunIdentity]]
    ) -> Sequence[AskedReading] | None:
        """Return the readings to ask about: those of this task's open question, or new ones.

        :param is_new: nothing has been shown to anyone yet.
        :param waiting: returns which of the other tasks still wait for an answer.
        :return: None: an earlier try of this task got its answer.
        :raises ConfigurationError: if the policy drops the flags that say which readings are doubtful.
        :raises TargetError: when the ledger does not know the list.
        """
        if self._ports.reading.protection.method("quality_flags") is Method.DROP:
            raise ConfigurationError(
                "The policy of the recognizing task drops quality flags, so that no reading is known to be"
                " doubtful; keep them: Privacy(..., quality_flags='keep')"
            )
        self.ledger.prepare(None)
        if not is_new:
            if pending := self._in_ledger.pending():
                return pending
            if self._in_ledger.is_over():
                return None
        others = self._in_ledger.others_waiting()
        self._in_ledger.retire(set(others) - set(waiting(others)))
        return self._in_ledger.ask()

    def record(
        self, given: Mapping[str, Any], *, confirms_rest: bool, decided_by: str, decided_at: datetime
    ) -> Recorded:
        """Read an answer and write its decisions into the ledger; targets get them by ``deliver``.

        :param given: what was entered, by the names of the question's rows.
        :param confirms_rest: whether rows without an entry are confirmed.
        :raises LedgerUnreachableError, DatabaseError: when the ledger cannot be reached.
        """
        self.ledger.prepare(None)
        entries = read_entries(given, self._in_ledger.sides(), confirms_rest=confirms_rest)
        reviewed = self._in_ledger.answer(entries.by_review, decided_by=decided_by, decided_at=decided_at)
        return Recorded(reviewed, entries.unreadable, entries.has_text)

    def deliver(self) -> Filled:
        """Bring all that the ledger has to the result tables; files get it when they are next written.

        :raises UnreachableError: when a table cannot be filled now; all others are, and the next run of the
            list fills it, too.
        """
        self.ledger.prepare(None)
        self._look_at_list()
        try:
            self._deliveries.prepare(self.columns)
            self._fill_tables()
        finally:
            self._deliveries.close()
        return Filled(tables=self._deliveries.delivered, refused=self._deliveries.refused)
