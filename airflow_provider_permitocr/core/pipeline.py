"""The whole run on one page: image list, recognition, records, result table, summary."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from airflow_provider_permitocr.core.call_ledger import CallLedger
from airflow_provider_permitocr.core.columns import result_columns
from airflow_provider_permitocr.core.errors import CapReachedError, RunStoppedError
from airflow_provider_permitocr.core.failure_limits import FailureWatch
from airflow_provider_permitocr.core.landing import land, write_at_once
from airflow_provider_permitocr.core.load import Loader
from airflow_provider_permitocr.core.models import ImageRow, Outcome, RunSummary
from airflow_provider_permitocr.core.options import RunOptions
from airflow_provider_permitocr.core.ports import Ports
from airflow_provider_permitocr.core.progress import Log, Progress
from airflow_provider_permitocr.core.recognize import Recognizer
from airflow_provider_permitocr.core.selection import wanted_rows
from airflow_provider_permitocr.core.spending import AtCap
from airflow_provider_permitocr.core.spilled import load_spilled
from airflow_provider_permitocr.core.stream import UnderWay, completed

#: How long to leave rows to another run that calls for them, before looking at the list again.
_ELSEWHERE_SECONDS: Final = 10.0


class Pipeline:
    """One run over one image list.

    :param run_id: kept in each row that this run writes.
    :param stop: set it to end the run early; what has been answered is written first.
    :param clock: monotonic seconds.
    :param now: the time of day, in UTC.
    """

    def __init__(
        self,
        ports: Ports,
        options: RunOptions,
        *,
        run_id: str | None,
        log: Log,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._source, self._target, self._options = ports.source, ports.target, options
        self._stop, self._clock = stop, clock
        self._ledger = CallLedger(ports.ledger, now=now) if ports.ledger else None
        self._same_images = ports.same_images
        self._recognizer = Recognizer(
            ports.image_loader,
            ports.client,
            options,
            stop,
            ledger=self._ledger,
            same_images=ports.same_images,
            clock=clock,
        )
        self._failures = FailureWatch(options.failure_limits)
        self._spill = ports.spill
        self._loader = Loader(
            ports.target,
            options.batch,
            max_tries=options.max_tries,
            run_id=run_id,
            clock=clock,
            now=now,
            spill=ports.spill,
        )
        self._log = log
        self._skipped = 0

    @property
    def so_far(self) -> str:
        """What this run has done by now, in numbers: for the log of one that ends early."""
        return (
            f"{self._recognizer.calls:,} calls, {self._recognizer.billed:,} of them billed;"
            f" {self._loader.statuses.total():,} images have their row"
        )

    def run(self) -> RunSummary:
        """Recognize every row that needs it and write each as one row of the result.

        :raises SourceError, TargetError: before the first call.
        :raises AccountError, ThrottledTooLongError, TooManyFailuresError, RunStoppedError: after writing
            what was answered.
        :raises CapReachedError: likewise, where no more calls are allowed and that is to be a failure.
        """
        started_at = self._clock()
        listed = self._source.check()
        columns = result_columns(self._source.carried())
        self._target.prepare(columns)
        self._loader.prepare(columns)
        if self._same_images:
            self._same_images.prepare()
        if self._spill and load_spilled(self._spill, self._target, self._loader, columns, self._log):
            self._target.prepare(columns)  # a file looks at its rows then
        if self._ledger:
            self._ledger.prepare()
        self._skipped = self._source.settled()
        self._progress = Progress(listed, self._log, clock=self._clock)
        self._progress.skipped(self._skipped)
        pace = self._options.pace
        self._log.info(
            f"{listed:,} images listed, {self._skipped:,} of them known to be settled; at most"
            f" {pace.max_per_second:g} requests per second, {pace.at_once} at once"
        )
        if self._skipped < listed:
            self._recognize(self._wanted_rows(self._skip))
        while self._are_left_elsewhere():
            self._log.info(
                "another run is calling for some of these images; looking again for what it leaves"
            )
            self._stop.wait(_ELSEWHERE_SECONDS)
            self._recognize(self._wanted_rows(lambda _settled: None))
        left = self._left(listed)
        if not left and self._stop.is_set():
            raise RunStoppedError(
                "the run was asked to stop, as when its worker shuts down or its task is marked; what was"
                " answered is written, the rest is left for the next run"
            )
        self._target.finish()
        return RunSummary(
            listed=listed,
            skipped=self._skipped,
            statuses=dict(self._loader.statuses.most_common()),
            error_codes=dict(self._loader.error_codes.most_common()),
            calls=self._recognizer.calls,
            throttled=self._recognizer.throttled,
            elapsed_seconds=self._clock() - started_at,
            reused=self._loader.reused,
            elsewhere=self._elsewhere(listed),
            billed=self._recognizer.billed,
            cost=self._options.spending.cost(self._recognizer.billed),
            left=left,
        )

    def _recognize(self, rows: Iterator[ImageRow | None]) -> None:
        under_way = UnderWay(self._recognize_row)
        stream = completed(under_way, rows, max_at_once=lambda: self._recognizer.rows_wanted, stop=self._stop)
        try:
            for outcomes in stream:
                if self._stop.is_set():  # what has stopped it is raised when nothing is in flight
                    write_at_once(self._loader, self._ledger)
                else:
                    self._failures.add(outcomes)
                    self._write_if_due()
            self._loader.write_all()
            if self._ledger:
                self._ledger.flush()
        except BaseException as error:
            self._stop.set()
            land(under_way, self._loader, self._ledger, error)
            raise
        finally:
            stream.close()

    def _recognize_row(self, row: ImageRow) -> Outcome:
        outcome = self._recognizer.recognize(row)
        # In here, where nothing can come between: the main thread is interrupted anywhere, by a timeout.
        self._loader.add([outcome])
        return outcome

    def _write_if_due(self) -> None:
        if rows := self._loader.write_if_due():
            if self._ledger:
                self._ledger.flush()
            self._progress.processed(rows, failed=self._loader.error_codes.total())

    def _are_left_elsewhere(self) -> bool:
        if not self._ledger or self._ledger.is_capped or self._stop.is_set():
            return False
        return self._ledger.take_called_elsewhere() > 0

    def _elsewhere(self, listed: int) -> int:
        if not self._ledger or self._is_capped:
            return 0
        return max(0, listed - self._skipped - self._loader.statuses.total())

    @property
    def _is_capped(self) -> bool:
        return self._ledger is not None and self._ledger.is_capped

    def _left(self, listed: int) -> str | None:
        """Say what is left where no more calls are allowed.

        :raises CapReachedError: where that is to be a failure.
        """
        if not self._is_capped:
            return None
        rows = listed - self._skipped - self._loader.statuses.total()
        left = (
            f"stopped as no more calls are allowed (Spending); up to {rows:,} images are left for a later run"
        )
        if self._options.spending.at_cap is AtCap.FAIL:
            raise CapReachedError(left)
        return left

    def _wanted_rows(self, skip: Callable[[int], None]) -> Iterator[ImageRow | None]:
        return wanted_rows(
            self._source,
            self._target,
            is_over=lambda: self._stop.is_set() or self._is_capped,
            skip=skip,
            before_images=self._loader.import_frame,
        )

    def _skip(self, rows: int) -> None:
        self._skipped += rows
        self._progress.skipped(rows)
