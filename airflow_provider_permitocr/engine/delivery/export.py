"""Writes a run's file from the ledger, once the run has reached its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.engine.delivery.ports import RowsFile
from airflow_provider_permitocr.engine.delivery.record import lacks_answer, to_records
from airflow_provider_permitocr.engine.ledger.deliveries import Delivered
from airflow_provider_permitocr.engine.ledger.ports import Ledger
from airflow_provider_permitocr.engine.ports import ImageSource
from airflow_provider_permitocr.errors import RunStoppedError, TargetError
from airflow_provider_permitocr.permit.columns import Column, Record

if TYPE_CHECKING:
    import pandas as pd

#: Rows in memory; each may hold a portrait.
_ROWS_AT_ONCE: Final = 500


def write_file(
    file: RowsFile,
    whole_list: ImageSource,
    ledger: Ledger,
    columns: Sequence[Column],
    *,
    stop: threading.Event,
) -> int:
    """Write the rows of a whole list, in the list's order; return the number of rows.

    Safe to repeat after an error.

    An image that was added to the list after the run is left to the next run's file.

    :param whole_list: includes settled images.
    :param columns: of the result.
    :param stop: set it to end early; the file is then as it was.
    :raises RunStoppedError: when the run was asked to stop before the file was complete.
    :raises TargetError: naming a column that cannot hold one of its values.
    :raises PermitOcrError: when the list or the ledger cannot be read, or the file cannot be written.
    """
    rows = 0

    def frames() -> Iterator[pd.DataFrame]:
        nonlocal rows
        rows = 0
        for frame in _listed_frames(whole_list, ledger, columns, stop):
            rows += len(frame)
            yield frame

    file.write(columns, frames())
    return rows


def _listed_frames(
    whole_list: ImageSource, ledger: Ledger, columns: Sequence[Column], stop: threading.Event
) -> Iterator[pd.DataFrame]:
    for page in whole_list.pages():
        for start in range(0, len(page), _ROWS_AT_ONCE):
            if stop.is_set():
                raise RunStoppedError("the run stopped before its file was complete")
            keys = [listed.row_key for listed in page[start : start + _ROWS_AT_ONCE]]
            found = ledger.delivered(keys)
            standing = (found[key] for key in keys if key in found)
            some = [each for each in standing if each.standing.status is not None]
            _require_answers(some)
            yield _frame(to_records(some, columns), columns)


def _require_answers(some: Sequence[Delivered]) -> None:
    """Refuse to write a file that lacks fields which an earlier one may have."""
    if missing := sum(map(lacks_answer, some)):
        raise TargetError(
            f"A file is not written: the answers of {missing} of its images are gone from the ledger, so it"
            " would lack their fields. A file that is there stays as it is. Have these images recognized"
            " again (airflow permitocr redo), or erase them (airflow permitocr erase)"
        )


def _frame(records: Sequence[Record], columns: Sequence[Column]) -> pd.DataFrame:
    from airflow_provider_permitocr.engine.delivery.frame import to_frame

    try:
        return to_frame(records, columns)
    except ValueError as error:
        raise TargetError(
            f"a value does not fit its column: {error}; if you copy it from the image list, cast it"
            " there or leave it out"
        ) from None
