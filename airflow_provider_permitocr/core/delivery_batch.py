"""One batch into the result table; where it refuses a row, another that says so."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from airflow_provider_permitocr.core.columns import Column
from airflow_provider_permitocr.core.errors import RowsRefusedError
from airflow_provider_permitocr.core.models import Record
from airflow_provider_permitocr.core.ports import Delivered, ResultTarget
from airflow_provider_permitocr.core.record import lacks_answer, refused_record, to_record
from airflow_provider_permitocr.core.shown_key import shown_key

#: If this many rows are refused and no other is taken, the table is at fault, not the rows. Going on would
#: pay for images whose answers the table cannot hold.
_ALL_REFUSED: Final = 20
_log = logging.getLogger(__name__)


def write_delivered(target: ResultTarget, delivered: Sequence[Delivered], columns: Sequence[Column]) -> int:
    """Write images, sorted by key, so that two runs never wait for each other's rows.

    An image whose answer is gone from the ledger keeps the one that the table has.

    :param columns: of the result.
    :return: how many rows the table refused; rows without fields are there in their place.
    :raises UnreachableError: when it may be tried again, with the same images.
    :raises RowsRefusedError: when the table refuses all rows, or some in any form.
    """
    ordered = sorted(delivered, key=lambda each: each.row_key)
    refused = 0
    for with_answers in (True, False):
        records = [to_record(each, columns) for each in ordered if lacks_answer(each) is not with_answers]
        if records:
            refused += _Batch(target, columns, with_answers=with_answers).write(records)
    return refused


class _Batch:
    def __init__(self, target: ResultTarget, columns: Sequence[Column], *, with_answers: bool) -> None:
        self._target, self._columns, self._with_answers = target, columns, with_answers

    def write(self, records: Sequence[Record]) -> int:
        refused = self._write(records)
        if not refused:
            return 0
        place, reason = min(refused.items())
        key = shown_key(records[place]["image_key"])
        if len(refused) == len(records) >= _ALL_REFUSED:
            raise RowsRefusedError(
                f"The result table refuses all {len(records):,} rows of a batch, for example key {key}:"
                f" {reason}. None was written; their answers are in the ledger. Fix the table's constraints"
                " or triggers and clear the task: it delivers them without a call"
            )
        self._write_stand_ins(records, refused)
        _log.warning(
            "The result table refused %d of %d rows, for example key %s: %s. They are there without fields,"
            " as ResultRowRefused",
            *(len(refused), len(records), key, reason),
        )
        return len(refused)

    def _write_stand_ins(self, records: Sequence[Record], refused: Mapping[int, str]) -> None:
        left = list(refused)
        # At the second attempt without the time of the image's change, which may be what is refused.
        for with_provenance in (True, False):
            stand_ins = [
                refused_record(records[place], refused[place], with_provenance=with_provenance)
                for place in left
            ]
            again = self._write(stand_ins)
            if not again:
                return
            reasons = {left[number]: reason for number, reason in again.items()}
            left = list(reasons)
        place, reason = next(iter(reasons.items()))
        raise RowsRefusedError(
            f"The result table refuses {len(left):,} rows even without their fields, for example key"
            f" {shown_key(records[place]['image_key'])}: {reason}. All others were written, and their"
            " answers are in the ledger. Fix the table's constraints or triggers and clear the task: it"
            " delivers them without a call"
        )

    def _write(self, records: Sequence[Record]) -> dict[int, str]:
        """Write what can be written, and return the reason for each record that cannot, by its place."""
        from airflow_provider_permitocr.core.frame import refused_by_frame, to_frame

        refused: dict[int, str] = {}
        fitting = list(range(len(records)))
        try:
            frame = to_frame(records, self._columns)
        except ValueError:
            refused = refused_by_frame(records, self._columns)
            fitting = [place for place in fitting if place not in refused]
            frame = to_frame([records[place] for place in fitting], self._columns)
        by_target = self._target.write(frame, with_answers=self._with_answers)
        return refused | {fitting[place]: reason for place, reason in by_target.items()}
