"""Writes a run's file from the ledger, once the run has reached its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Final

from airflow_provider_permitocr.core.columns import Column
from airflow_provider_permitocr.core.errors import RunStoppedError
from airflow_provider_permitocr.core.models import Record
from airflow_provider_permitocr.core.ports import ImageSource, Ledger, RowsFile
from airflow_provider_permitocr.core.record import to_record

#: Rows in memory; each may hold a portrait.
_ROWS_AT_ONCE: Final = 500


def write_file(
    file: RowsFile,
    whole_list: ImageSource,
    ledger: Ledger,
    columns: Sequence[Column],
    *,
    stop: threading.Event,
) -> None:
    """Write the rows of a whole list, in the list's order. It may be repeated after an error.

    An image that was listed only after the run, and so stands nowhere, is left to the next run's file.

    :param whole_list: settled images included.
    :param columns: of the result.
    :param stop: set it to end early; the file is then as it was.
    :raises RunStoppedError: when the run was asked to stop before the file was complete.
    :raises PermitOcrError: when the list or the ledger cannot be read, or the file cannot be written.
    """
    file.write(columns, _listed_rows(whole_list, ledger, columns, stop))


def _listed_rows(
    whole_list: ImageSource, ledger: Ledger, columns: Sequence[Column], stop: threading.Event
) -> Iterator[Sequence[Record]]:
    for page in whole_list.pages():
        for start in range(0, len(page), _ROWS_AT_ONCE):
            if stop.is_set():
                raise RunStoppedError("the run was asked to stop before its file was complete")
            keys = [listed.row_key for listed in page[start : start + _ROWS_AT_ONCE]]
            found = ledger.delivered(keys)
            yield [
                to_record(found[key], columns)
                for key in keys
                if key in found and found[key].standing.status is not None
            ]
