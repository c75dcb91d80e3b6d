"""The whole run on one page: image list, recognition, ledger, deliveries, summary."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Final

from airflow_provider_permitocr.core.attempts import to_attempt
from airflow_provider_permitocr.core.call_ledger import CallLedger
from airflow_provider_permitocr.core.calls import NOT_SENT
from airflow_provider_permitocr.core.columns import Column, result_columns
from airflow_provider_permitocr.core.delivery import Deliverer
from airflow_provider_permitocr.core.drain import drain
from airflow_provider_permitocr.core.errors import CalledElsewhereError, CapReachedError, RunStoppedError
from airflow_provider_permitocr.core.exchanges import Exchanges
from airflow_provider_permitocr.core.export import write_file
from airflow_provider_permitocr.core.failure_limits import FailureWatch
from airflow_provider_permitocr.core.grants import LEDGER_REFUSES_KEY
from airflow_provider_permitocr.core.models import ImageRow, ListedImage, Outcome, RunSummary, Status
from airflow_provider_permitocr.core.options import RunOptions
from airflow_provider_permitocr.core.ports import Ports
from airflow_provider_permitocr.core.progress import Log, Progress
from airflow_provider_permitocr.core.recognize import Recognizer
from airflow_provider_permitocr.core.selection import fetched_rows, still_wanted, wanted_rows
from airflow_provider_permitocr.core.shown_key import shown_key
from airflow_provider_permitocr.core.spending import AtCap
from airflow_provider_permitocr.core.stream import UnderWay, completed
from airflow_provider_permitocr.core.tally import Tally

#: How long to leave rows to another run that calls for them, before looking at them again.
_ELSEWHERE_SECONDS: Final = 5.0
#: Of keys that the ledger cannot hold, so many are shown.
_MOST_SHOWN: Final = 10


class Pipeline:
    """One run over one image list.

    :param stop: set it to end the run early; calls in flight are closed first.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        ports: Ports,
        options: RunOptions,
        *,
        log: Log,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ports, self._options = ports, options
        self._source, self._ledger = ports.source, ports.ledger
        self._log, self._stop, self._clock = log, stop, clock
        patience = options.batch.patience_seconds
        self._calls = CallLedger(
            Exchanges(ports.ledger, ports.journal, stop=stop, patience_seconds=patience, clock=clock)
        )
        self._recognizer = Recognizer(
            ports.image_loader,
            ports.client,
            options,
            stop,
            ledger=self._calls,
            answers=ports.ledger,
            clock=clock,
        )
        self._deliverer = (
            Deliverer(ports.ledger, ports.target, options.batch, clock=clock) if ports.target else None
        )
        self._failures = FailureWatch(options.failure_limits)
        self._tally = Tally()
        self._under_way = UnderWay(self._recognize_row)
        self._held: list[ListedImage] = []
        self._skipped = self._settled_elsewhere = 0
        self._is_drained = False

    @property
    def so_far(self) -> str:
        """What this run has done by now, in numbers: for the log of one that ends early."""
        return (
            f"{self._recognizer.calls:,} calls, {self._recognizer.billed:,} of them billed;"
            f" {self._tally.done:,} images done"
        )

    def run(self) -> RunSummary:
        """Recognize every row that needs it, and deliver what the ledger then holds.

        :raises SourceError, TargetError: before the first call.
        :raises AccountError, ThrottledTooLongError, TooManyFailuresError, LedgerError, RunStoppedError: after
            closing what was called for.
        :raises CapReachedError: where no more calls are allowed and that is to be a failure.
        """
        started_at = self._clock()
        listed = self._source.check()
        columns = result_columns(self._source.carried())
        self._prepare(columns)
        with ExitStack() as at_end:
            # Twice: a task is interrupted anywhere, and more than once, so that one may be cut short.
            at_end.push(self._drain)
            at_end.push(self._drain)
            self._calls.start()
            if self._deliverer and not (self._ports.target and self._ports.target.is_filled_at_end):
                self._deliverer.start()
            self._recognize_list(listed)
            self._calls.flush()
            summary = self._finish(listed, columns, started_at)
        return summary

    def _drain(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None and not self._is_drained:
            self._stop.set()
            drain(self._under_way, self._calls, self._deliverer, error)
            self._is_drained = True

    def _prepare(self, columns: Sequence[Column]) -> None:
        """Make sure that everything works before the first call, and take what earlier runs have kept."""
        self._ledger.prepare(self._source.key_type())
        journal = self._ports.journal
        journal.use(self._ledger.ledger_id)
        for name, closed in journal.pending():
            # Calls that were not made, and that the ledger has never heard of, are nothing to wait for.
            left = [each for each in self._ledger.hand_in(closed) if each.code != NOT_SENT]
            self._log.info(f"Handed in {len(closed) - len(left):,} of {len(closed):,} calls kept in {name}")
            if not left:
                journal.remove(name)
        if self._ports.file:
            self._ports.file.prepare()
        if self._deliverer:
            self._deliverer.prepare(columns)

    def _recognize_list(self, listed: int) -> None:
        self._skipped = self._source.settled()
        self._progress = Progress(listed, self._log, clock=self._clock)
        self._progress.skipped(self._skipped)
        pace = self._options.pace
        self._log.info(
            f"{listed:,} images listed, {self._skipped:,} of them known to be settled; at most"
            f" {pace.max_per_second:g} requests per second, {pace.at_once} at once"
        )
        if self._skipped < listed:
            if self._deliverer:
                self._deliverer.require_not_ahead()
            self._recognize(
                wanted_rows(
                    self._source,
                    self._ledger,
                    is_over=self._is_over,
                    skip=self._skip,
                    reject=self._reject,
                    before_images=self._before_images,
                )
            )
        self._recognize_held()

    def _recognize_held(self) -> None:
        """Look again at images that other runs were calling for, and at these alone."""
        told = 0
        while self._held and not self._is_over():
            self._calls.flush()
            self._recognize(self._held_rows())
            if not self._held or self._is_over():
                return
            if len(self._held) != told:
                told = len(self._held)
                self._log.info(f"{told:,} images are held by another run's calls; looking again")
            self._stop.wait(_ELSEWHERE_SECONDS)

    def _recognize(self, rows: Iterator[ImageRow | None]) -> None:
        stream = completed(
            self._under_way, rows, max_at_once=lambda: self._recognizer.rows_wanted, stop=self._stop
        )
        try:
            for outcomes in stream:
                self._calls.raise_if_failed()
                if self._stop.is_set():  # what has stopped it is raised when nothing is in flight
                    continue
                self._failures.add(outcomes)
                if self._deliverer:
                    self._deliverer.notice(len(outcomes))
                    self._deliverer.raise_if_failed()
                self._progress.processed(len(outcomes), failed=self._tally.failed)
        finally:
            stream.close()

    def _recognize_row(self, row: ImageRow) -> Outcome:
        try:
            outcome = self._recognizer.recognize(row)
        except CalledElsewhereError:
            self._held.append(row.listed)
            raise
        attempt = to_attempt(outcome, max_runs=self._options.max_runs_per_image)
        self._tally.add(attempt)
        has_own_answer = outcome.status is Status.RECOGNIZED and outcome.reused_from is None
        if not has_own_answer and outcome.error_code != LEDGER_REFUSES_KEY:
            self._calls.note(attempt)
        return outcome

    def _held_rows(self) -> Iterator[ImageRow]:
        """Take up again what other runs were calling for, as far as they have left it."""
        held, self._held = self._held, []
        wanted = still_wanted(held, self._ledger)
        self._settled_elsewhere += len(held) - len(wanted)
        still_held = self._ledger.held([listed.row_key for listed in wanted])
        self._held += [listed for listed in wanted if listed.row_key in still_held]
        free = {listed: tries for listed, tries in wanted.items() if listed.row_key not in still_held}
        return fetched_rows(self._source, free, is_over=self._is_over, skip=self._skip)

    def _finish(self, listed: int, columns: Sequence[Column], started_at: float) -> RunSummary:
        left = self._left(listed)
        if self._stop.is_set():
            raise RunStoppedError(
                "Run stopped early (worker shutdown, or the task was marked). Every answer so far is in the"
                " ledger; the next run continues."
            )
        if self._deliverer:
            self._deliverer.finish(self._options.batch.patience_seconds)
        if left and self._options.spending.at_cap is AtCap.FAIL:
            raise CapReachedError(left)
        if self._ports.file and self._ports.whole_list:
            if left:
                self._log.info("The file is not written, as images are left for a later run")
            else:
                write_file(self._ports.file, self._ports.whole_list, self._ledger, columns, stop=self._stop)
        summary = self._summary(listed, left, started_at)
        self._ledger.close_run(summary, whole=not left)
        if kept := self._calls.end():
            self._log.info(kept)
        return summary

    def _summary(self, listed: int, left: str | None, started_at: float) -> RunSummary:
        return RunSummary(
            listed=listed,
            skipped=self._skipped,
            statuses=dict(self._tally.statuses.most_common()),
            error_codes=dict(self._tally.error_codes.most_common()),
            calls=self._recognizer.calls,
            throttled=self._recognizer.throttled,
            elapsed_seconds=self._clock() - started_at,
            reused=self._tally.reused,
            elsewhere=self._settled_elsewhere + self._calls.settled_elsewhere,
            billed=self._recognizer.billed,
            cost=self._options.spending.cost(self._recognizer.billed),
            left=left,
        )

    def _left(self, listed: int) -> str | None:
        """Say what is left where no more calls are allowed."""
        if not self._calls.is_capped:
            return None
        rows = listed - self._skipped - self._tally.done
        return (
            f"stopped as no more calls are allowed (Spending); up to {rows:,} images are left for a later run"
        )

    def _is_over(self) -> bool:
        return self._stop.is_set() or self._calls.is_capped

    def _skip(self, rows: int) -> None:
        self._skipped += rows
        self._progress.skipped(rows)

    def _reject(self, listed: ListedImage, fault: str) -> None:
        self._tally.reject(LEDGER_REFUSES_KEY)
        self._progress.processed(1, failed=self._tally.failed)
        if self._tally.error_codes[LEDGER_REFUSES_KEY] <= _MOST_SHOWN:
            self._log.info(f"The key {shown_key(listed.image_key)} is rejected before any call: {fault}")

    def _before_images(self) -> None:
        if self._deliverer:
            self._deliverer.import_frame()
