"""Writes batches to a result table; a refused row is replaced by one that says so."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_permitocr.engine.delivery.ports import ResultTarget
from airflow_provider_permitocr.engine.delivery.record import lacks_answer, refused_record, to_records
from airflow_provider_permitocr.engine.key_text import shown_key
from airflow_provider_permitocr.engine.ledger.deliveries import Delivered, Refusal
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.permit.columns import Column, Record

#: If this many rows are refused and no other is taken, the table is at fault, not the rows.
ALL_REFUSED: Final = 20
_log = logging.getLogger(__name__)


@dataclass
class Written:
    """What became of rows.

    :param highest: highest version that was written.
    """

    taken: list[RowKey] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    highest: int = 0

    @property
    def rowless(self) -> int:
        """How many rows are refused, without a replacement."""
        return sum(not each.has_row for each in self.refused)


class TableWriter:
    """Writes images to one result table, and detects a table that refuses all of them.

    :param columns: of the result.
    """

    def __init__(self, target: ResultTarget, columns: Sequence[Column]) -> None:
        self._target, self._columns = target, columns
        self._has_taken = False
        self._refused = 0
        self.is_hopeless = False

    def write(self, delivered: Sequence[Delivered], *, rows_until: int) -> Written:
        """Write images, sorted by key, so that two runs never wait for each other's rows.

        An image whose answer is gone from the ledger keeps the table's answer. Until the table accepts a
        row, only as many rows are tried as it takes to detect that it refuses all. A table that prefers one
        large delivery gets all rows at once; if it refuses some, the same limit applies.

        :param rows_until: images up to this version already have a row.
        :raises UnreachableError: when a retry with the same images may succeed.
        """
        ordered = sorted(delivered, key=lambda each: each.row_key)
        written = Written()
        left: Sequence[Delivered] = ordered
        while left and not self.is_hopeless:
            some, later = self._sample(left)
            left = [*self._write(some, rows_until, written), *later]
        if written.refused:
            first = written.refused[0]
            _log.warning(
                "The result table refused %d of %d rows, for example key %s: %s. The next run tries them"
                " again. In place of %d of them the table has a row without fields (ResultRowRefused), or an"
                " older row",
                *(len(written.refused), len(ordered), shown_key(first.row_key[0]), first.reason),
                len(written.refused) - written.rowless,
            )
        return written

    def try_again(self, delivered: Sequence[Delivered], *, most_refused: int) -> Written:
        """Write images that were refused before; those that are refused again get no replacement.

        :param most_refused: stop once this many are refused; images that were not tried are in neither list.
        """
        written = Written()
        for with_answers, some in _by_answers(sorted(delivered, key=lambda each: each.row_key)):
            records = to_records(some, self._columns)
            left = max(0, most_refused - len(written.refused))
            reasons = self._put(records, with_answers=with_answers, most_refused=left)
            tried = _tried(some, reasons)
            self._sort_out([some[place] for place in tried], _of_tried(tried, reasons), written)
        return written

    def _sample(self, left: Sequence[Delivered]) -> tuple[Sequence[Delivered], Sequence[Delivered]]:
        """Return the next chunk to write, and the rest."""
        if self._has_taken or self._target.is_filled_at_end:
            return left, ()
        most = max(1, ALL_REFUSED - self._refused)
        return left[:most], left[most:]

    def _write(self, some: Sequence[Delivered], rows_until: int, written: Written) -> Sequence[Delivered]:
        """Write images; return those that were not tried, as too many before them were refused."""
        before = len(written.refused), len(written.taken)
        untried: list[Delivered] = []
        for with_answers, part in _by_answers(some):
            records = to_records(part, self._columns)
            refused = self._refused + len(written.refused) - before[0]
            most = None if self._has_taken else max(0, ALL_REFUSED - refused)
            reasons = self._put(records, with_answers=with_answers, most_refused=most)
            tried = _tried(part, reasons)
            untried += [part[place] for place, reason in reasons.items() if not reason]
            self._write_down(
                [part[place] for place in tried],
                [records[place] for place in tried],
                _of_tried(tried, reasons),
                rows_until,
                written,
            )
        refused, taken = len(written.refused) - before[0], len(written.taken) - before[1]
        self._refused += refused
        # One that took rows before may be changed in mid-run.
        self.is_hopeless = not taken and (refused if self._has_taken else self._refused) >= ALL_REFUSED
        self._has_taken = self._has_taken or taken > 0
        return untried

    def _write_down(
        self,
        some: Sequence[Delivered],
        records: Sequence[Record],
        reasons: Mapping[int, str],
        rows_until: int,
        written: Written,
    ) -> None:
        stand_ins = self._put_stand_ins(records, reasons)
        has_row = {place: place in stand_ins or some[place].first_version <= rows_until for place in reasons}
        self._sort_out(some, reasons, written, has_row)

    def _sort_out(
        self,
        some: Sequence[Delivered],
        reasons: Mapping[int, str],
        written: Written,
        has_row: Mapping[int, bool] | None = None,
    ) -> None:
        for place, each in enumerate(some):
            if (reason := reasons.get(place)) is not None:
                written.refused.append(Refusal(each.row_key, reason, bool(has_row and has_row[place])))
            else:
                written.taken.append(each.row_key)
                written.highest = max(written.highest, each.version)

    def _put_stand_ins(self, records: Sequence[Record], refused: Mapping[int, str]) -> set[int]:
        """Write rows without fields for refused images that have no row; return which were written."""
        left = list(refused)
        # The second attempt omits the image's change time, which may be the refused value.
        for with_provenance in (True, False):
            if not left:
                break
            stand_ins = [
                refused_record(records[place], refused[place], with_provenance=with_provenance)
                for place in left
            ]
            again = self._put(stand_ins, only_new=True)
            left = [left[number] for number in again]
        return set(refused).difference(left)

    def _put(
        self,
        records: Sequence[Record],
        *,
        with_answers: bool = True,
        only_new: bool = False,
        most_refused: int | None = None,
    ) -> dict[int, str]:
        """Write all acceptable records; return the reason for each refused one, as the target does."""
        from airflow_provider_permitocr.engine.delivery.frame import refused_by_frame, to_frame

        refused: dict[int, str] = {}
        fitting = list(range(len(records)))
        try:
            frame = to_frame(records, self._columns)
        except ValueError:
            refused = refused_by_frame(records, self._columns)
            fitting = [place for place in fitting if place not in refused]
            frame = to_frame([records[place] for place in fitting], self._columns)
        by_target = self._target.write(
            frame, with_answers=with_answers, only_new=only_new, most_refused=most_refused
        )
        return refused | {fitting[place]: reason for place, reason in by_target.items()}


def _tried(some: Sequence[Delivered], reasons: Mapping[int, str]) -> list[int]:
    return [place for place in range(len(some)) if reasons.get(place) != ""]


def _of_tried(tried: Sequence[int], reasons: Mapping[int, str]) -> dict[int, str]:
    """Return the reasons by the place among those that were tried."""
    return {number: reasons[place] for number, place in enumerate(tried) if place in reasons}


def _by_answers(delivered: Sequence[Delivered]) -> list[tuple[bool, list[Delivered]]]:
    """Separate images to write completely from those that keep the table's answer columns."""
    parts = [
        (which, [each for each in delivered if lacks_answer(each) is not which]) for which in (True, False)
    ]
    return [(which, part) for which, part in parts if part]
