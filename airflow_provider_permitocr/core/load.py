"""Outcomes to the result table: records, in small batches, through a DataFrame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from airflow_provider_permitocr.core.columns import COLUMNS, Column
from airflow_provider_permitocr.core.errors import PermitOcrError, RowsRefusedError
from airflow_provider_permitocr.core.models import Outcome, Record
from airflow_provider_permitocr.core.options import Batch
from airflow_provider_permitocr.core.ports import ResultTarget, Spill
from airflow_provider_permitocr.core.record import refused_record, to_record

#: So many rows in a row are no poison: it is the table that does not take them, and going on would pay for
#: images whose rows are then settled without their answers.
_ALL_REFUSED: Final = 20


class Loader:
    """Collects outcomes and writes each batch in one transaction, after so many rows or seconds.

    :param max_tries: runs that try an image before a passing fault counts as failed.
    :param run_id: kept in each row.
    :param clock: monotonic seconds.
    :param now: the time of day, in UTC.
    :param spill: where rows are kept that the target does not take.
    """

    def __init__(
        self,
        target: ResultTarget,
        batch: Batch,
        *,
        max_tries: int,
        run_id: str | None,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        spill: Spill | None = None,
    ) -> None:
        self._target, self._batch, self._spill = target, batch, spill
        self._max_tries, self._run_id = max_tries, run_id
        self._clock, self._now = clock, now
        self._columns: Sequence[Column] = COLUMNS
        # Added to by the threads that call, at its end; taken from by the one that writes, at its start.
        self._waiting: list[Record] = []
        self._refused: list[Record] = []
        self._failure: Exception | None = None
        self._kept: Counter[str] = Counter()
        self._not_kept: str | None = None
        self._written_at = clock()
        self.reused = 0
        self.statuses: Counter[str] = Counter()
        self.error_codes: Counter[str] = Counter()

    def prepare(self, columns: Sequence[Column]) -> None:
        """Say which columns the records have, before the first of them."""
        self._columns = columns

    @staticmethod
    def import_frame() -> None:
        """Import what writing needs: at the first write, that would keep calls from their turns for a second.

        pandas takes that long, and a run with nothing to do needs no frame.
        """
        import airflow_provider_permitocr.core.frame  # noqa: F401

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes over, without writing them; their images are let go of. From any thread."""
        self._waiting.extend(
            to_record(
                outcome,
                max_tries=self._max_tries,
                run_id=self._run_id,
                processed_at=self._now(),
                columns=self._columns,
            )
            for outcome in outcomes
        )

    def write_if_due(self) -> int:
        """Write whole batches, and all that is waiting if the last write is long enough ago.

        :return: rows written.
        """
        if self._clock() - self._written_at >= self._batch.seconds:
            return self.write()
        return sum(self._write_batch() for _ in range(len(self._waiting) // self._batch.rows))

    def write(self) -> int:
        """Write what is waiting, and return how many rows that was.

        :raises DatabaseError: when the table cannot take it; it goes on waiting then.
        :raises RowsRefusedError: when it takes some rows in no form; all others are written first.
        """
        self._written_at = self._clock()
        written, unwritable = 0, None
        while self._waiting:
            try:
                written += self._write_batch()
            except RowsRefusedError as error:
                unwritable = unwritable or error
        if unwritable:
            raise unwritable
        return written

    def write_or_keep(self) -> None:
        """Write what is waiting, or else keep it for the next run; ``unwritten`` tells what became of it."""
        # What arrives after rows that were refused is written; a table that is away is not asked again.
        if self._failure is None or isinstance(self._failure, RowsRefusedError):
            try:
                self.write()
            except Exception as error:  # noqa: BLE001  whatever it is, answers must not be lost for it
                self._failure = error
        self._keep()

    def write_all(self) -> None:
        """Write what is waiting, and make sure that all before was written.

        :raises DatabaseError, RowsRefusedError: also for what ``write_or_keep`` could not write.
        """
        self.write()
        if self._failure:
            raise self._failure

    def unwritten(self) -> str | None:
        """Say what became of rows that the target did not take; None: it took all."""
        words = []
        if self._kept:
            words.append(
                f"{self._kept.total():,} results that could not be written are kept in"
                f" {', '.join(self._kept)}; the next run loads them"
            )
        if lost := len(self._refused) + len(self._waiting):
            reason = self._not_kept or "there is no place to keep them"
            words.append(f"{lost:,} results that could not be written are lost: {reason}")
        return ". ".join(words) or None

    def _keep(self) -> None:
        waiting = len(self._waiting)
        records = [*self._refused, *self._waiting[:waiting]]
        if not records or self._spill is None:
            return
        try:
            place = self._spill.save(self._columns, records)
        except Exception as error:  # noqa: BLE001  it is told with all that is lost
            self._not_kept = str(error) if isinstance(error, PermitOcrError) else type(error).__name__
            return
        self._refused.clear()
        del self._waiting[:waiting]
        self._kept[place] += len(records)

    def write_again(self, records: Sequence[Record]) -> None:
        """Write rows that an earlier run has kept; they do not count as this one's.

        :raises DatabaseError, RowsRefusedError: when the table does not take them.
        """
        for start in range(0, len(records), self._batch.rows):
            self._write_rows(records[start : start + self._batch.rows])

    def _write_batch(self) -> int:
        self._written_at = self._clock()
        records = self._waiting[: self._batch.rows]
        try:
            written = self._write_rows(records)
        except RowsRefusedError as error:
            self._refused.extend(error.refused)
            del self._waiting[: len(records)]
            self._count(error.written)
            raise
        # Let go only now: a write that failed is tried again, as these answers are paid for.
        del self._waiting[: len(records)]
        self._count(written)
        return len(records)

    def _write_rows(self, records: Sequence[Record]) -> list[Record]:
        """Write rows, or in place of those that are refused others that say so.

        :return: what was written.
        """
        refused = self._write_records(records)
        if len(refused) == len(records) >= _ALL_REFUSED:
            raise RowsRefusedError(
                f"the result table refuses every row of a batch of {len(records):,}, such as that of key"
                f" {records[0]['image_key']!r}: {refused[0]}. None of them was written; correct"
                " its constraints or triggers and run again",
                records,
            )
        written = [record for place, record in enumerate(records) if place not in refused]
        if not refused:
            return written
        places = sorted(refused)
        stand_ins = {place: refused_record(records[place], refused[place]) for place in places}
        again = self._write_stand_ins(stand_ins)
        if again:
            # It may be the time of the image's change that cannot be kept.
            for place in again:
                stand_ins[place] = refused_record(records[place], refused[place], with_provenance=False)
            again = self._write_stand_ins({place: stand_ins[place] for place in again})
        written += [stand_in for place, stand_in in stand_ins.items() if place not in again]
        if again:
            place, reason = next(iter(again.items()))
            raise RowsRefusedError(
                f"the result table takes {len(again):,} rows neither with their values nor without, such as"
                f" that of key {records[place]['image_key']!r}: {reason}; correct its constraints"
                " or triggers and run again",
                [records[place] for place in again],
                written,
            )
        return written

    def _write_stand_ins(self, stand_ins: Mapping[int, Record]) -> dict[int, str]:
        refused = self._write_records(list(stand_ins.values()))
        places = list(stand_ins)
        return {places[number]: reason for number, reason in refused.items()}

    def _write_records(self, records: Sequence[Record]) -> dict[int, str]:
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
        return refused | {fitting[place]: reason for place, reason in self._target.write(frame).items()}

    def _count(self, records: Sequence[Record]) -> None:
        self.reused += sum(record["reused_from"] is not None for record in records)
        self.statuses.update(str(record["status"]) for record in records)
        self.error_codes.update(str(record["error_code"]) for record in records if record["error_code"])
