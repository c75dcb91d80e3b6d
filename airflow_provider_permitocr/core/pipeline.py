"""The whole run on one page: image list, recognition, records, result table, summary."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

from airflow_provider_permitocr.core.columns import result_columns
from airflow_provider_permitocr.core.errors import RunStoppedError
from airflow_provider_permitocr.core.image_loader import ImageLoader
from airflow_provider_permitocr.core.load import Loader
from airflow_provider_permitocr.core.models import ImageRow, Outcome, RunSummary
from airflow_provider_permitocr.core.options import RunOptions
from airflow_provider_permitocr.core.ports import ImageSource, PermitClient, ResultTarget
from airflow_provider_permitocr.core.progress import Log, Progress
from airflow_provider_permitocr.core.recognize import Recognizer
from airflow_provider_permitocr.core.selection import needs_recognition, tries_before
from airflow_provider_permitocr.core.stream import completed


class Pipeline:
    """One run over one image list.

    :param run_id: kept in each row that this run writes.
    :param stop: set it to end the run early; what has been answered is written first.
    :param clock: monotonic seconds.
    :param now: the time of day, in UTC.
    """

    def __init__(
        self,
        source: ImageSource,
        image_loader: ImageLoader,
        client: PermitClient,
        target: ResultTarget,
        options: RunOptions,
        *,
        run_id: str | None,
        log: Log,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._source, self._target, self._options = source, target, options
        self._stop, self._clock = stop, clock
        self._recognizer = Recognizer(image_loader, client, options, stop, clock=clock)
        self._loader = Loader(
            target, options.batch, max_tries=options.max_tries, run_id=run_id, clock=clock, now=now
        )
        self._log = log
        self._skipped = 0

    def run(self) -> RunSummary:
        """Recognize every row that needs it and write each as one row of the result.

        :raises SourceError, TargetError: before the first call.
        :raises AccountError, ThrottledTooLongError, RunStoppedError: after writing what was answered.
        """
        started_at = self._clock()
        listed = self._source.check()
        columns = result_columns(self._source.carried())
        self._target.prepare(columns)
        self._loader.prepare(columns)
        self._skipped = self._source.settled()
        self._progress = Progress(listed, self._log, clock=self._clock)
        self._progress.skipped(self._skipped)
        pace = self._options.pace
        self._log.info(
            f"{listed:,} images listed, {self._skipped:,} of them known to be settled; at most"
            f" {pace.max_per_second:g} requests per second, {pace.at_once} at once"
        )
        rows = self._wanted_rows() if self._skipped < listed else iter(())
        stream = completed(
            self._recognizer.recognize,
            rows,
            max_at_once=lambda: self._recognizer.rows_wanted,
            stop=self._stop,
        )
        try:
            with closing(stream):
                self._load(stream)
        finally:
            self._loader.write()
        if self._stop.is_set():
            raise RunStoppedError("the run was asked to stop; what was answered is written, the rest is left")
        self._target.finish()
        return RunSummary(
            listed=listed,
            skipped=self._skipped,
            statuses=dict(self._loader.statuses.most_common()),
            error_codes=dict(self._loader.error_codes.most_common()),
            calls=self._recognizer.calls,
            throttled=self._recognizer.throttled,
            elapsed_seconds=self._clock() - started_at,
        )

    def _wanted_rows(self) -> Iterator[ImageRow | None]:
        for page in self._source.pages():
            if self._stop.is_set():
                return
            previous = self._target.previous([listed.row_key for listed in page])
            tries = {
                listed.row_key: tries_before(listed, previous.get(listed.row_key))
                for listed in page
                if needs_recognition(listed, previous.get(listed.row_key))
            }
            self._skip(len(page) - len(tries))
            if tries:
                self._loader.import_frame()
            for row in self._source.images([listed for listed in page if listed.row_key in tries]):
                yield replace(row, tries=tries.pop(row.row_key))
            self._skip(len(tries))  # no longer in the list
            # Pages of settled rows may follow for long, and answers should not wait for their end.
            yield None

    def _skip(self, rows: int) -> None:
        self._skipped += rows
        self._progress.skipped(rows)

    def _load(self, stream: Iterator[list[Outcome]]) -> None:
        try:
            for outcomes in stream:
                self._loader.add(outcomes)
                if rows := self._loader.write_if_due():
                    self._progress.processed(rows, failed=self._loader.error_codes.total())
        except BaseException:
            # What is in flight is paid for, so it is waited for and goes into the last batch.
            self._stop.set()
            for outcomes in stream:
                self._loader.add(outcomes)
            raise
