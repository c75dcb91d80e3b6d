"""The whole run on one page: image list, recognition, records, result table, summary."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

from airflow_provider_permitocr.core.errors import RunStoppedError
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
        self._recognizer = Recognizer(client, options, stop, clock=clock)
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
        self._target.prepare()
        self._progress = Progress(listed, self._log, clock=self._clock)
        threads = self._options.pace.threads
        self._log.info(
            f"{listed:,} images listed; at most {self._options.pace.max_per_second:g} requests per second,"
            f" {threads} at once"
        )
        stream = completed(
            self._recognizer.recognize, self._wanted_rows(), max_at_once=threads, stop=self._stop
        )
        try:
            with closing(stream):
                self._load(stream)
        finally:
            self._loader.write()
        if self._stop.is_set():
            raise RunStoppedError("the run was asked to stop; what was answered is written, the rest is left")
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
            previous = self._target.previous([row.row_key for row in page])
            wanted = [row for row in page if needs_recognition(row, previous.get(row.row_key))]
            self._skipped += len(page) - len(wanted)
            self._progress.skipped(len(page) - len(wanted))
            for row in wanted:
                yield replace(row, tries=tries_before(row, previous.get(row.row_key)))
            # Pages of settled rows may follow for long, and answers should not wait for their end.
            yield None

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
