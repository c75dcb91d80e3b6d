"""All result tables of a run, each filled independently: one that is down does not hold up the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from airflow_provider_permitocr.engine.delivery.delivery import Deliverer
from airflow_provider_permitocr.engine.delivery.ports import ResultTarget
from airflow_provider_permitocr.engine.ledger.ports import Ledger
from airflow_provider_permitocr.engine.observer import NOBODY, Observers
from airflow_provider_permitocr.engine.progress.facts import TargetFacts
from airflow_provider_permitocr.errors import PermitOcrError, RunStoppedError
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.permit.columns import Column


class Deliveries:
    """The result tables of a run; there may be none.

    :param tables: by their names in the ledger.
    :param is_rebuilt: deliver everything from the first row on.
    :param observers: are notified of each batch.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        tables: Mapping[str, ResultTarget],
        batch: Batch,
        *,
        is_rebuilt: bool = False,
        observers: Observers = NOBODY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_over = False
        self._patience_seconds = batch.patience_seconds
        self._deliverers = [
            Deliverer(
                ledger.delivery(name, keeps_history=table.keeps_history),
                table,
                batch,
                is_rebuilt=is_rebuilt,
                observers=observers,
                clock=clock,
            )
            for name, table in tables.items()
        ]

    @property
    def refused(self) -> int:
        """Rows that a table refuses, of this run and earlier ones."""
        return sum(each.refused for each in self._deliverers)

    @property
    def delivered(self) -> dict[str, int]:
        """Rows that were written, by the names that the ledger knows the tables by."""
        return {each.target: each.delivered for each in self._deliverers}

    def count_undelivered(self) -> int | None:
        """Count rows missing from the tables, by any run; None if the ledger cannot be read now."""
        try:
            return sum(each.count_undelivered() for each in self._deliverers)
        except PermitOcrError:  # a count for monitoring, at the end of a run
            return None

    def facts(self) -> tuple[TargetFacts, ...]:
        """Return how far each table has been filled, in the given order."""
        return tuple(each.facts() for each in self._deliverers)

    def prepare(self, columns: Sequence[Column]) -> None:
        """Create tables that are missing, and make sure that all rows are this ledger's.

        :raises TargetError: naming what to change.
        """
        for each in self._deliverers:
            each.prepare(columns, self._patience_seconds)

    def import_frame(self) -> None:
        """Import what writing needs."""
        if self._deliverers:
            Deliverer.import_frame()

    def start(self) -> None:
        """Deliver from now on."""
        for each in self._deliverers:
            each.start()

    def notice(self, images: int) -> None:
        """Add to the number of images that need delivery, and check on the tables.

        :raises PermitOcrError: the error that ended a delivery, such as a table that refuses all rows.
        """
        for each in self._deliverers:
            each.notice(images)
            each.watch()
            each.raise_if_failed()

    def finish(self, patience_seconds: float, *, stop: threading.Event | None = None) -> None:
        """Deliver everything that is left, to each table as far as possible. Further calls do nothing.

        :param patience_seconds: how long to wait for a table that is down, counted without progress.
        :param stop: set it to end without delivering.
        :raises PermitOcrError: why some tables could not be filled, once all others are.
        :raises RunStoppedError: when asked to stop.
        """
        if self._is_over:  # what failed then would fail again
            return
        self._is_over = True
        for each in self._deliverers:
            each.finish()
        left, failures = list(self._deliverers), []
        while left:
            if stop is not None and stop.is_set():
                self.close()
                raise RunStoppedError(
                    "The run stopped before everything was delivered. Every answer is in the ledger; the"
                    " next run delivers the rest without a call."
                )
            for each in list(left):
                each.watch()
                try:
                    if each.is_finished(patience_seconds):
                        left.remove(each)
                except PermitOcrError as error:
                    failures.append(error)
                    left.remove(each)
        raise_first(failures)

    def close(self) -> None:
        """End without delivering what is left."""
        for each in self._deliverers:
            each.close()


def raise_first(failures: Sequence[PermitOcrError]) -> None:
    """Raise the first of these errors, with the others added to its message."""
    if failures:
        first, *others = failures
        for each in others:
            first.also(str(each))
        raise first
