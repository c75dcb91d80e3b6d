"""Outcomes to the result table: records, in small batches, through a DataFrame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from airflow_provider_permitocr.core.columns import COLUMNS, Column
from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.core.models import Outcome, Record
from airflow_provider_permitocr.core.options import Batch
from airflow_provider_permitocr.core.ports import ResultTarget
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
    ) -> None:
        self._target, self._batch = target, batch
        self._max_tries, self._run_id = max_tries, run_id
        self._clock, self._now = clock, now
        self._columns: Sequence[Column] = COLUMNS
        self._waiting: list[Record] = []
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
        """Take outcomes over, without writing them; their images are let go of."""
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
        :raises TargetError: when the table takes some rows in no form; all others are written first.
        """
        self._written_at = self._clock()
        written, unwritable = 0, None
        while self._waiting:
            try:
                written += self._write_batch()
            except TargetError as error:
                unwritable = unwritable or error
        if unwritable:
            raise unwritable
        return written

    def _write_batch(self) -> int:
        self._written_at = self._clock()
        records = self._waiting[: self._batch.rows]
        refused = self._write_records(records)
        if len(refused) == len(records) >= _ALL_REFUSED:
            del self._waiting[: len(records)]
            raise TargetError(
                f"the result table refuses every row of a batch of {len(records):,}, such as that of key"
                f" {records[0]['image_key']!r}: {refused[0]}. None of them was written; correct"
                " its constraints or triggers and run again"
            )
        written = [record for place, record in enumerate(records) if place not in refused]
        try:
            written += self._write_refused(
                [(records[place], reason) for place, reason in sorted(refused.items())]
            )
        except TargetError:
            del self._waiting[: len(records)]
            self._count(written)
            raise
        # Let go only now: a write that failed is tried again, as these answers are paid for.
        del self._waiting[: len(records)]
        self._count(written)
        return len(records)

    def _write_refused(self, refused: Sequence[tuple[Record, str]]) -> list[Record]:
        """Write that these rows were refused: every listed image ends as one row.

        :return: the rows that say so.
        """
        if not refused:
            return []
        stand_ins = [refused_record(record, reason) for record, reason in refused]
        again = self._write_records(stand_ins)
        if again:
            # It may be the time of the image's change that cannot be kept.
            for place in again:
                stand_ins[place] = refused_record(*refused[place], with_provenance=False)
            places = list(again)
            again = self._write_records([stand_ins[place] for place in places])
        if again:
            place, reason = next(iter(again.items()))
            raise TargetError(
                f"the result table takes {len(again):,} rows neither with their values nor without, such as"
                f" that of key {stand_ins[places[place]]['image_key']!r}: {reason}; correct its constraints"
                " or triggers and run again"
            )
        return stand_ins

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
