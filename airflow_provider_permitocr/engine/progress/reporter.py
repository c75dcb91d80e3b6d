"""Hands a run's progress on every few seconds, from its own thread: a run waits for it only at its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Protocol, Self

from airflow_provider_permitocr.engine.progress.facts import LedgerSums, ObservedRun, RunFacts
from airflow_provider_permitocr.engine.progress.record import End, Recorded, Reporting, as_record
from airflow_provider_permitocr.engine.progress.timeline import Point, Timeline

#: A short run should be seen to move; one of hours need not write a row every two seconds.
_SHORTEST_SECONDS: Final = 2.0
_LONGEST_SECONDS: Final = 5.0
_PART_OF_RUN: Final = 0.01
#: Between two that fail, at most.
_PATIENCE_SECONDS: Final = 60.0
#: Adding up takes at most this part of the ledger's time.
_PART_OF_LEDGER: Final = 0.005
#: How long a run that has ended waits for its last record.
_END_SECONDS: Final = 5.0

#: Takes one record; may raise anything, and is then asked again later.
Push = Callable[[Mapping[str, Any]], object]


class Log(Protocol):
    """What is asked of a logger."""

    def warning(self, event: str) -> object:
        """Log one line."""
        ...


class ProgressReporter:
    """Pushes a run's progress inside its ``with`` block, and once more at its end.

    Its own errors never reach the run; each is logged once.

    :param run: read from another thread.
    :param clock: monotonic seconds.
    :param now: the current date and time.
    """

    def __init__(
        self,
        run: ObservedRun,
        push: Push,
        recorded: Recorded,
        log: Log,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._run, self._push, self._recorded, self._log = run, push, recorded, log
        self._clock, self._now = clock, now
        self._timeline, self._reporting = Timeline(), Reporting()
        self._began_at, self._started_at = clock(), now()
        self._sums: LedgerSums | None = None
        self._sums_due_at = self._began_at
        self._failed_pushes = 0
        self._warned_about: set[str] = set()
        self._end: End | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="permitocr-progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end = End(why=kind.__name__ if kind else None, code=getattr(error, "code", None))
        self._ending.set()
        self._thread.join(_END_SECONDS)

    @property
    def pause_seconds(self) -> float:
        """How long until the next record."""
        elapsed = self._clock() - self._began_at
        usual = min(_LONGEST_SECONDS, max(_SHORTEST_SECONDS, _PART_OF_RUN * elapsed))
        return min(_PATIENCE_SECONDS, usual * 2.0 ** min(self._failed_pushes, 10))

    def report(self, end: End | None = None) -> None:
        """Push one record now; read the ledger's sums if they are due.

        :param end: how the run ended; the record then includes the sums at that time.
        """
        facts = self._run.facts()
        seconds = self._clock() - self._began_at
        self._timeline.add(Point(seconds, facts.done, facts.calls, facts.throttled, facts.in_flight))
        self._push_record(facts, end)
        if end is not None or self._clock() >= self._sums_due_at:
            self._read_sums()
            if end is not None:
                self._push_record(facts, end)

    def _work(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._ending.is_set()
            began_at, began_cpu = self._clock(), time.thread_time()
            try:
                self.report(self._end if is_over else None)
            except Exception as error:  # noqa: BLE001  the run must continue in any case
                self._warn_once("The run's progress cannot be counted for its page", error)
            self._reporting = self._reporting.plus(self._clock() - began_at, time.thread_time() - began_cpu)
            if not is_over:
                self._ending.wait(self.pause_seconds)

    def _push_record(self, facts: RunFacts, end: End | None) -> None:
        record = as_record(
            self._recorded,
            facts,
            self._timeline,
            started_at=self._started_at,
            now=self._now(),
            reporting=self._reporting,
            sums=self._sums,
            end=end,
        )
        try:
            self._push(record)
        except Exception as error:  # noqa: BLE001  of Airflow's API, or of an XCom backend
            self._failed_pushes += 1
            self._warn_once("The run's progress could not be pushed to XCom, so its page is behind", error)
        else:
            self._failed_pushes = 0

    def _read_sums(self) -> None:
        began_at = self._clock()
        try:
            sums = self._run.sums()
        except Exception as error:  # noqa: BLE001  the ledger may be down, which the run itself reports
            self._warn_once("The ledger's sums could not be read for the run's page", error)
            self._sums_due_at = self._clock() + _PATIENCE_SECONDS
            return
        self._sums = sums or self._sums
        took = self._clock() - began_at
        self._sums_due_at = self._clock() + (took / _PART_OF_LEDGER if sums else 0.0)

    def _warn_once(self, what: str, error: Exception) -> None:
        """Log it once, by its type only, because messages of other libraries may quote values."""
        if what not in self._warned_about:
            self._warned_about.add(what)
            self._log.warning(f"{what} ({type(error).__name__}); the run itself is not affected")
