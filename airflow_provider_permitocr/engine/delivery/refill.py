"""Brings what a ledger has to a list's targets, without a call: for rebuilds, erasures and reviews."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from airflow_provider_permitocr.engine.delivery.deliveries import Deliveries
from airflow_provider_permitocr.engine.delivery.files_due import DueFiles
from airflow_provider_permitocr.engine.ports import TargetPorts
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.permit.columns import Column, result_columns

#: For all rows of a list: larger than in a run, where answers arrive one by one.
_ROWS_AT_ONCE: Final = 2_000


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What the targets have got, in numbers.

    :param tables: rows that tables have taken, by the names that the ledger knows them by.
    :param refused: rows that they do not take.
    :param files: rows of files that were written again, by their paths.
    """

    tables: Mapping[str, int]
    refused: int
    files: Mapping[str, int] = field(default_factory=dict)

    @property
    def written(self) -> int:
        """Rows that tables have taken."""
        return sum(self.tables.values())

    @property
    def delivered(self) -> dict[str, int]:
        """Rows that were written, by target; tables that did not change are left out."""
        return {name: rows for name, rows in self.tables.items() if rows} | dict(self.files)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values, fit for XCom."""
        return {"written": self.written, "refused": self.refused, "delivered": self.delivered, "calls": 0}


class Refill:
    """Fills the targets of a list from its ledger.

    :param of_all: all rows are delivered, or most of them.
    :param is_rebuilt: also those that tables have already.
    :param stop: set it to end early; what was written stays.
    """

    def __init__(
        self,
        ports: TargetPorts,
        batch: Batch,
        *,
        of_all: bool = True,
        is_rebuilt: bool = False,
        stop: threading.Event,
    ) -> None:
        self._ports, self._stop = ports, stop
        self._patience_seconds = batch.patience_seconds
        rows = max(batch.rows, _ROWS_AT_ONCE) if of_all else batch.rows
        self._deliveries = Deliveries(
            ports.ledger,
            ports.tables,
            Batch(rows=rows, seconds=batch.seconds, patience_seconds=batch.patience_seconds),
            is_rebuilt=is_rebuilt,
        )
        self._files: dict[str, int] = {}
        self.source, self.ledger = ports.source, ports.ledger
        #: Of the result; empty before they are known.
        self.columns: Sequence[Column] = ()

    @property
    def delivered(self) -> dict[str, int]:
        """Rows that were written so far, by table and file."""
        return self._deliveries.delivered | self._files

    def _look_at_list(self) -> None:
        """Find out the columns of the result, without which nothing may be written.

        :raises SourceError: when the list cannot be read.
        """
        carried = self.source.within([]).carried()  # there need be no interval
        self.columns = self._ports.reading.protection.columns(result_columns(carried))

    def _fill_tables(self) -> None:
        """Deliver everything that is left, to each table as far as possible.

        :raises PermitOcrError: why some tables could not be filled, once all others are.
        """
        self._deliveries.finish(self._patience_seconds, stop=self._stop)

    def _due_files(self) -> DueFiles:
        """Return what writes files of runs, and counts their rows as delivered."""
        files = DueFiles(self._ports, self.columns, stop=self._stop)
        self._files = files.written
        return files
