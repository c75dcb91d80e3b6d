"""The whole run on one page: image list, recognition, records, result table, summary."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

from airflow_provider_permitocr.core.errors import RunStoppedError
from airflow_provider_permitocr.core.models import ImageRow, Outcome, RunSummary
from airflow_provider_permitocr.core.options import RunOptions
from airflow_provider_permitocr.core.ports import ImageSource, PermitClient, ResultTarget
from airflow_provider_permitocr.core.progress import Log, Progress
from airflow_provider_permitocr.core.recognize import Recognizer
from airflow_provider_permitocr.core.record import to_record
from airflow_provider_permitocr.core.selection import needs_recognition, tries_before
from airflow_provider_permitocr.core.stream import completed


class Pipeline:
    """One run over one image list.

    :param run_id: kept in each row that this run writes.
    :param stop: set it to end the run early; what has been answered is written first.
    :param clock: monotonic seconds. :param now: the time of day, in UTC.
    """

    def __init__(
        self,
        source: ImageSource,
        client: PermitClient,
        target: ResultTarget,
        options: RunOptions,
        *,
        run_id: str,
        log: Log,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._source, self._target, self._options = source, target, options
        self._run_id, self._log, self._stop = run_id, log, stop
        self._clock, self._now = clock, now
        self._recognizer = Recognizer(client, options, stop, clock=clock)
        self._batch: list[Outcome] = []
        self._written_at = clock()
        self._statuses: Counter[str] = Counter()
        self._error_codes: Counter[str] = Counter()
        self._skipped = 0

    def run(self) -> RunSummary:
        """Recognize every row that needs it and write each as one row of the result.

        :raises SourceError, TargetError: before the first call.
        :raises AccountError, ThrottledTooLongError, RunStoppedError: after writing what was answered.
        """
        started_at = self._clock()
        listed = self._source.check()
        self._target.prepare()
        self._progress = Progress(listed, self._log, clock=self._clock)
        rows, threads = self._wanted_rows(), self._options.pace.threads
        stream = completed(self._recognizer.recognize, rows, max_at_once=threads, stop=self._stop)
        try:
            with closing(stream):
                self._write_batches(stream)
        finally:
            self._write_batch()
        if self._stop.is_set():
            raise RunStoppedError("the run was asked to stop; what was answered is written, the rest is left")
        return self._summary(listed, self._clock() - started_at)

    def _wanted_rows(self) -> Iterator[ImageRow | None]:
        for page in self._source.pages():
            if self._stop.is_set():
                return
            previous = self._target.previous([row.row_key for row in page])
            wanted = [row for row in page if needs_recognition(row, previous.get(row.row_key))]
            self._skipped += len(page) - len(wanted)
            self._progress.skipped(len(page) - len(wanted))
            for row in wanted:
                yield replace(row, tries=tries_before(row, previous.get(row.row_key)))
            # Pages of settled rows may follow for long, and answers should not wait for their end.
            yield None

    def _write_batches(self, stream: Iterator[list[Outcome]]) -> None:
        try:
            for outcomes in stream:
                self._batch.extend(outcomes)
                if self._is_due():
                    self._write_batch()
        except BaseException:
            # What is in flight is paid for, so it is waited for and goes into the last batch.
            self._stop.set()
            for outcomes in stream:
                self._batch.extend(outcomes)
            raise

    def _is_due(self) -> bool:
        overdue = self._clock() - self._written_at >= self._options.batch.seconds
        return len(self._batch) >= self._options.batch.rows or overdue

    def _write_batch(self) -> None:
        self._written_at = self._clock()
        if not self._batch:
            return
        # pandas takes most of a second to import, and a run with nothing to do needs no frame.
        from airflow_provider_permitocr.core.frame import to_frame

        records = [
            to_record(
                outcome,
                max_tries=self._options.max_tries,
                run_id=self._run_id,
                processed_at=self._now(),
            )
            for outcome in self._batch
        ]
        # The batch is let go only once it is written: a write that fails is tried again at the end.
        self._target.write(to_frame(records))
        self._batch = []
        self._statuses.update(str(record["status"]) for record in records)
        self._error_codes.update(str(record["error_code"]) for record in records if record["error_code"])
        self._progress.processed(len(records), failed=self._error_codes.total())

    def _summary(self, listed: int, elapsed_seconds: float) -> RunSummary:
        return RunSummary(
            listed=listed,
            skipped=self._skipped,
            statuses=dict(self._statuses),
            error_codes=dict(self._error_codes),
            calls=self._recognizer.calls,
            throttled=self._recognizer.throttled,
            elapsed_seconds=elapsed_seconds,
        )
