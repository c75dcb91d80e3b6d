"""Outcomes to the result table: records, in small batches, through a DataFrame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from airflow_provider_permitocr.core.models import Outcome
from airflow_provider_permitocr.core.options import Batch
from airflow_provider_permitocr.core.ports import ResultTarget
from airflow_provider_permitocr.core.record import to_record


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
        self._waiting: list[Outcome] = []
        self._written_at = clock()
        self.statuses: Counter[str] = Counter()
        self.error_codes: Counter[str] = Counter()

    @staticmethod
    def prepare() -> None:
        """Import what writing needs: at the first write, that would keep calls from their turns for a second.

        pandas takes that long, and a run with nothing to do needs no frame.
        """
        import airflow_provider_permitocr.core.frame  # noqa: F401

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes over, without writing them; their images are let go of."""
        self._waiting.extend(replace(each, row=replace(each.row, image=None)) for each in outcomes)

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
        """
        self._written_at = self._clock()
        return sum(self._write_batch() for _ in range(0, len(self._waiting), self._batch.rows))

    def _write_batch(self) -> int:
        from airflow_provider_permitocr.core.frame import to_frame

        self._written_at = self._clock()
        records = [
            to_record(outcome, max_tries=self._max_tries, run_id=self._run_id, processed_at=self._now())
            for outcome in self._waiting[: self._batch.rows]
        ]
        self._target.write(to_frame(records))
        # Let go only now: a write that failed is tried again, as these answers are paid for.
        del self._waiting[: self._batch.rows]
        self.statuses.update(str(record["status"]) for record in records)
        self.error_codes.update(str(record["error_code"]) for record in records if record["error_code"])
        return len(records)
