"""Exports what the result table holds of a run's list, when the run has reached its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.core.columns import Column
from airflow_provider_permitocr.core.errors import RunStoppedError
from airflow_provider_permitocr.core.models import Previous, Record, RowKey
from airflow_provider_permitocr.core.ports import Export, ImageSource, ResultRows, ResultTarget

if TYPE_CHECKING:
    import pandas as pd

#: Rows in memory; each may hold a portrait.
_ROWS_AT_ONCE: Final = 500


class ExportedTarget:
    """A result table whose rows also go into an export, in the order of the list.

    :param source: the whole list, settled rows included.
    :param rows: reads the result table.
    :param stop: set it to end the export early; there is none then.
    """

    def __init__(
        self,
        target: ResultTarget,
        source: ImageSource,
        rows: ResultRows,
        export: Export,
        *,
        stop: threading.Event,
    ) -> None:
        self._target, self._source, self._rows, self._export = target, source, rows, export
        self._stop = stop
        self._columns: Sequence[Column] = ()

    def prepare(self, columns: Sequence[Column]) -> None:
        """Prepare the export first, as it asks less."""
        self._columns = columns
        self._export.prepare()
        self._target.prepare(columns)

    def previous(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Previous]:
        """Ask the table."""
        return self._target.previous(row_keys)

    def write(self, frame: pd.DataFrame) -> Mapping[int, str]:
        """Write to the table."""
        return self._target.write(frame)

    def finish(self) -> None:
        """Complete the table, then write the export.

        :raises RunStoppedError: when the run was asked to stop meanwhile.
        """
        self._target.finish()
        self._export.write(self._columns, self._listed_rows())

    def _listed_rows(self) -> Iterator[Sequence[Record]]:
        for page in self._source.pages():
            for start in range(0, len(page), _ROWS_AT_ONCE):
                if self._stop.is_set():
                    raise RunStoppedError("the run was asked to stop before its export was complete")
                keys = [listed.row_key for listed in page[start : start + _ROWS_AT_ONCE]]
                found = self._rows.read(keys, self._columns)
                # An image that was listed only after the run is in the next export.
                yield [found[key] for key in keys if key in found]
