"""The whole run on one page: image list, recognition, ledger, deliveries, summary."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.delivery.deliveries import Deliveries, raise_first
from airflow_provider_permitocr.engine.delivery.files_due import DueFiles
from airflow_provider_permitocr.engine.ledger.call_ledger import CallLedger
from airflow_provider_permitocr.engine.ledger.calls import Grant
from airflow_provider_permitocr.engine.ledger.journal import hand_in_waiting
from airflow_provider_permitocr.engine.ports import ImageSource, Ports
from airflow_provider_permitocr.engine.progress.facts import LedgerSums, Phase, RunFacts
from airflow_provider_permitocr.engine.run.drain import drain
from airflow_provider_permitocr.engine.run.list_run import ListRun
from airflow_provider_permitocr.engine.run.progress import Log
from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.errors import CapReachedError, PermitOcrError, RunStoppedError
from airflow_provider_permitocr.options.budget import OnExhausted
from airflow_provider_permitocr.options.run import RunOptions
from airflow_provider_permitocr.permit.columns import Column, result_columns


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
            *(ports.ledger, ports.journal),
            stop=stop,
            patience_seconds=patience,
            observers=ports.observers,
            clock=clock,
        )
        self._deliveries = Deliveries(
            ports.ledger, ports.tables, options.batch, observers=ports.observers, clock=clock
        )
        self._rows = ListRun(ports, options, self._calls, self._deliveries, log=log, stop=stop, clock=clock)
        self._files: dict[str, int] = {}
        #: Of the result; none before the list was looked at.
        self.columns: Sequence[Column] = ()
        self._listed = 0
        self._is_drained = self._is_closed = False
        self._phase = Phase.PREPARING

    def facts(self) -> RunFacts:
        """Return this run's progress, for monitoring. From any thread."""
        rows, budget, pace = self._rows, self._options.budget, self._options.pace
        statuses, error_codes, flags = rows.tally.snapshot()
        cap = self._calls.cap
        return RunFacts(
            phase=self._phase,
            total=rows.total,
            skipped=rows.settled_before,
            statuses=statuses,
            error_codes=error_codes,
            flags=flags,
            calls=rows.recognizer.calls,
            billed=rows.recognizer.billed,
            throttled=rows.recognizer.throttled,
            reused=rows.tally.reused,
            elsewhere=rows.settled_elsewhere,
            taken_up=rows.taken_up,
            in_flight=rows.recognizer.in_flight,
            max_in_flight=pace.at_once,
            quota=pace.max_per_second,
            pace=rows.recognizer.pace,
            targets=self._deliveries.facts(),
            price_per_call=budget.price.per_call if budget.price else None,
            currency=budget.currency,
            cap_of_run=budget.cap_of_run,
            cap_of_day=budget.cap_of_day,
            at_cap=cap and ("day" if cap is Grant.DAY_CAPPED else "run"),
        )

    def sums(self) -> LedgerSums | None:
        """Read the ledger's sums beyond this run. From any thread."""
        return self._ledger.sums()

    @property
    def source(self) -> ImageSource:
        """The list that it reads."""
        return self._source

    @property
    def delivered(self) -> dict[str, int]:
        """Rows that it has written so far, by table and file."""
        return self._deliveries.delivered | self._files

    @property
    def so_far(self) -> str:
        """What this run has done by now, in numbers: for the log of one that ends early."""
        return (
            f"{many(self._rows.recognizer.calls, 'call')}, {self._rows.recognizer.billed:,} of them billed;"
            f" {many(self._rows.tally.done, 'image')} done"
        )

    def run(self) -> RunSummary:
        """Recognize every row that needs it, and deliver the ledger's results.

        :raises SourceError, TargetError: before the first call.
        :raises AccountError, ThrottledTooLongError, TooManyFailuresError, LedgerError, RunStoppedError: after
            closing what was called for.
        :raises UnreachableError: when a target cannot be filled now; all others are.
        :raises CapReachedError: when no more calls are allowed and that counts as a failure.
        """
        self._started_at = self._clock()
        self._listed = self._source.check()
        self.columns = self._ports.reading.protection.columns(result_columns(self._source.carried()))
        try:
            self._prepare()
        except BaseException:
            self._deliveries.close()
            self._calls.end()
            raise
        with ExitStack() as at_end:
            # Twice, because interruptions may come at any point, even during the first attempt.
            at_end.push(self._drain)
            at_end.push(self._drain)
            self._deliveries.start()
            self._phase = Phase.RECOGNIZING
            self._rows.recognize(self._listed)
            self._phase = Phase.DELIVERING
            self._rows.hand_over.close()
            summary = self._finish()
        return summary

    def _prepare(self) -> None:
        """Make sure that everything works before the first call, and take what earlier runs have kept."""
        self._ledger.prepare(self._source.key_type(), self._listed)
        self._calls.start()  # it also tells other runs that this one lives: what follows may take minutes
        hand_in_waiting(self._ledger, self._ports.journal, self._log)
        for file in self._ports.files:
            file.prepare()
        if self._ports.portraits:
            self._ports.portraits.prepare()
        self._deliveries.prepare(self.columns)
        if self._options.redo:
            marked = self._ledger.mark_redone(self._options.redo)
            self._log.info(f"{many(marked, 'image')} will be recognized again because of redo")

    def _drain(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None and not self._is_drained:
            self._stop.set()
            drain(self._rows.hand_over, self._calls, self._deliveries, error)
            if not self._is_closed:
                with suppress(PermitOcrError):  # the next run then waits until this one is taken for dead
                    self._close(is_whole=False, ended_by=type(error).__name__)
            self._is_drained = True

    def _finish(self) -> RunSummary:
        """Fill every target that can be filled, record how the run ended, then raise what failed."""
        if self._stop.is_set():
            raise RunStoppedError(
                "Run stopped early (worker shutdown, or the task was marked). Every answer so far is in the"
                " ledger; the next run continues."
            )
        failures: list[PermitOcrError] = []
        try:
            self._deliveries.finish(self._options.batch.patience_seconds, stop=self._stop)
        except RunStoppedError:
            raise
        except PermitOcrError as error:
            failures.append(error)
        files = DueFiles(self._ports, self.columns, stop=self._stop)
        self._files = files.written
        for part in self._rows.whole_parts:
            files.write_left(part)
        is_whole = files.write_own(is_whole=self._rows.is_own_whole)
        failures += files.failures
        summary = self._close(is_whole=is_whole)
        self._ledger.delete_delivered()
        if summary.cap and self._options.budget.on_exhausted is OnExhausted.FAIL:
            is_of_day = self._calls.cap is Grant.DAY_CAPPED
            day_ends_in = self._options.budget.timezone if is_of_day else None
            failures.append(
                CapReachedError(f"Stopped at a cap. {summary.left_words}", day_ends_in=day_ends_in)
            )
        raise_first(failures)
        if kept := self._calls.end():
            self._log.info(kept)
        return summary

    def _close(self, *, is_whole: bool, ended_by: str | None = None) -> RunSummary:
        rows, budget, cap = self._rows, self._options.budget, None
        if ended_by is None and self._calls.cap:
            cap = budget.reached(is_of_day=self._calls.cap is Grant.DAY_CAPPED)
        summary = RunSummary(
            listed=self._listed,
            skipped=rows.skipped,
            statuses=dict(rows.tally.statuses.most_common()),
            error_codes=dict(rows.tally.error_codes.most_common()),
            calls=rows.recognizer.calls,
            throttled=rows.recognizer.throttled,
            elapsed_seconds=self._clock() - self._started_at,
            doubtful=rows.tally.doubtful,
            reused=rows.tally.reused,
            elsewhere=rows.settled_elsewhere,
            billed=rows.recognizer.billed,
            cost=budget.cost(rows.recognizer.billed),
            currency=budget.currency if budget.price else None,
            left=rows.rows_left if cap else 0,
            cap=cap,
            taken_up=rows.taken_up,
            unread=rows.unread,
            refused=self._deliveries.refused,
            undelivered=self._deliveries.count_undelivered(),
            delivered=self.delivered,
            ended_by=ended_by,
        )
        self._ports.observers.on_end(summary)
        self._ledger.close_run(summary, whole=is_whole, left=rows.rows_left)
        self._is_closed = True
        return summary
