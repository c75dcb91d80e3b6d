"""Fills targets again from the answers that a ledger has kept, as this version reads them; makes no call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.delivery.deliveries import Deliveries, raise_first
from airflow_provider_permitocr.engine.delivery.files_due import DueFiles
from airflow_provider_permitocr.engine.ledger.ports import KeptAnswers, Ledger
from airflow_provider_permitocr.engine.ports import ImageSource, TargetPorts
from airflow_provider_permitocr.engine.run.progress import Log
from airflow_provider_permitocr.errors import PermitOcrError, TargetError
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.permit.columns import ANSWER_COLUMNS, Column, result_columns

#: Larger than in a run, where answers arrive one by one.
_ROWS_AT_ONCE: Final = 2_000


@dataclass(frozen=True)
class Rebuilt:
    """What was done, in numbers.

    :param tables: rows that tables have taken, by the names that the ledger knows them by.
    :param refused: rows that they do not take.
    :param files: rows of files that were written again, by their paths.
    """

    kept: KeptAnswers
    tables: Mapping[str, int]
    refused: int
    files: Mapping[str, int]

    @property
    def written(self) -> int:
        """Rows that tables have taken."""
        return sum(self.tables.values())

    @property
    def delivered(self) -> dict[str, int]:
        """Rows that were written, by target."""
        return {**self.tables, **self.files}

    @property
    def unread_columns(self) -> list[str]:
        """What could not be read again, in words."""
        return _unread(self.kept)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values, fit for XCom."""
        return {
            "images": self.kept.images,
            "erased": self.kept.erased,
            "adopted": self.kept.adopted,
            "protected": self.kept.protected,
            "written": self.written,
            "refused": self.refused,
            "files": len(self.files),
            "delivered": self.delivered,
            "calls": 0,
        }


class Rebuild:
    """One rebuild of the targets of a list.

    :param stop: set it to end early; what was written stays.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        ports: TargetPorts,
        batch: Batch,
        *,
        log: Log,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ports, self._log, self._stop = ports, log, stop
        self._patience_seconds = batch.patience_seconds
        self._files: dict[str, int] = {}
        self.source, self.ledger = ports.source, ports.ledger
        #: Of the result; empty before they are known.
        self.columns: Sequence[Column] = ()
        self._deliveries = Deliveries(
            ports.ledger,
            ports.tables,
            Batch(
                rows=max(batch.rows, _ROWS_AT_ONCE),
                seconds=batch.seconds,
                patience_seconds=batch.patience_seconds,
            ),
            is_rebuilt=True,
            clock=clock,
        )

    @property
    def delivered(self) -> dict[str, int]:
        """Rows that were written so far, by table and file."""
        return self._deliveries.delivered | self._files

    def run(self) -> Rebuilt:
        """Fill all tables from the first row on, and write the files of this run and of complete windows.

        :raises TargetError: when the ledger has no answers of the list, saying what to do.
        :raises UnreachableError: when a target cannot be filled now; all others are.
        """
        source, ledger = self.source, self.ledger
        everywhere = source.within([])  # there need be no interval
        ledger.prepare(everywhere.key_type())
        kept = ledger.kept_answers()
        if not kept.images:
            raise TargetError(
                "The ledger has no answers for this list; nothing can be rebuilt. A run recognizes its"
                " images; `airflow permitocr adopt DAG TASK` takes over a table that another ledger filled"
            )
        self._log.info(
            f"{many(kept.images, 'image is', 'images are')} written again from the ledger, without a call"
        )
        for line in _unread(kept):
            self._log.info(line)
        self.columns = self._ports.reading.protection.columns(result_columns(everywhere.carried()))
        try:
            self._deliveries.prepare(self.columns)
            failures = self._fill(self.columns, source, ledger)
            ledger.examine_again()
        finally:
            self._deliveries.close()
        raise_first(failures)
        return Rebuilt(kept, self._deliveries.delivered, self._deliveries.refused, self._files)

    def _fill(self, columns: Sequence[Column], source: ImageSource, ledger: Ledger) -> list[PermitOcrError]:
        failures: list[PermitOcrError] = []
        try:
            self._deliveries.finish(self._patience_seconds, stop=self._stop)
        except PermitOcrError as error:
            if self._stop.is_set():
                raise
            failures.append(error)
        files = DueFiles(self._ports, columns, stop=self._stop)
        self._files = files.written
        own_is_whole = bool(self._ports.files) and not has_new(source, ledger)
        files.rewrite(ledger.whole_runs(), own_is_whole=own_is_whole)
        return [*failures, *files.failures]


def has_new(source: ImageSource, ledger: Ledger) -> bool:
    """Return whether a list has images that no run has ever tried."""
    for page in source.pages():
        keys = [listed.row_key for listed in page]
        if len(ledger.previous(keys)) < len(set(keys)):
            return True
    return False


def _unread(kept: KeptAnswers) -> list[str]:
    said = []
    columns = ", ".join(ANSWER_COLUMNS)
    if kept.erased:
        said.append(
            f"for {many(kept.erased, 'image')} the answer was erased: a table keeps its values of these"
            " columns,"
            f" and a new row has none: {columns}"
        )
    if kept.adopted:
        said.append(
            f"for {many(kept.adopted, 'image')} the answer was adopted from a result table, so these"
            " columns stay"
            f" as they were there: {columns}"
        )
    if kept.protected:
        said.append(
            f"for {many(kept.protected, 'image')} the answer was stored under a privacy policy, so what"
            " it hid is"
            " missing, as is what a newer version would read from it"
        )
    return said
