"""Fills targets again from the answers that a ledger has kept, as this version reads them; makes no call."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.delivery.deliveries import raise_first
from airflow_provider_permitocr.engine.delivery.refill import Filled, Refill
from airflow_provider_permitocr.engine.ledger.ports import KeptAnswers, Ledger
from airflow_provider_permitocr.engine.ports import ImageSource, TargetPorts
from airflow_provider_permitocr.engine.run.progress import Log
from airflow_provider_permitocr.errors import PermitOcrError, TargetError
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.permit.columns import ANSWER_COLUMNS


@dataclass(frozen=True, kw_only=True)
class Rebuilt(Filled):
    """What was done, in numbers."""

    kept: KeptAnswers

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
            **super().as_dict(),
            "files": len(self.files),
        }


class Rebuild(Refill):
    """One rebuild of the targets of a list."""

    def __init__(
        self,
        ports: TargetPorts,
        batch: Batch,
        *,
        log: Log,
        stop: threading.Event,
    ) -> None:
        super().__init__(ports, batch, is_rebuilt=True, stop=stop)
        self._log = log

    def run(self) -> Rebuilt:
        """Fill all tables from the first row on, and write the files of this run and of complete windows.

        :raises TargetError: when the ledger has no answers of the list, saying what to do.
        :raises UnreachableError: when a target cannot be filled now; all others are.
        """
        ledger = self.ledger
        ledger.prepare(self.source.within([]).key_type())  # there need be no interval
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
        self._look_at_list()
        try:
            self._deliveries.prepare(self.columns)
            failures = self._fill()
            ledger.examine_again()
        finally:
            self._deliveries.close()
        raise_first(failures)
        return Rebuilt(
            kept=kept,
            tables=self._deliveries.delivered,
            refused=self._deliveries.refused,
            files=self._files,
        )

    def _fill(self) -> list[PermitOcrError]:
        failures: list[PermitOcrError] = []
        try:
            self._fill_tables()
        except PermitOcrError as error:
            if self._stop.is_set():
                raise
            failures.append(error)
        own_is_whole = bool(self._ports.files) and not has_new(self.source, self.ledger)
        files = self._due_files()
        files.rewrite(self.ledger.whole_runs(), own_is_whole=own_is_whole)
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
