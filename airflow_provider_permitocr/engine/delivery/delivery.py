"""A result table is filled from the ledger, by its own thread; calls never wait for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum, auto
from typing import Final

from airflow_provider_permitocr.engine.delivery.ports import ResultTarget
from airflow_provider_permitocr.engine.delivery.table_filler import Step, TableFiller
from airflow_provider_permitocr.engine.ledger.deliveries import Delivery
from airflow_provider_permitocr.engine.observer import NOBODY, DeliveryFacts, Observers
from airflow_provider_permitocr.engine.progress.facts import TargetFacts
from airflow_provider_permitocr.errors import (
    PermitOcrError,
    TargetError,
    UnreachableError,
)
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.permit.columns import Column

#: How long one run delivers before it lets another, which then delivers this one's rows, too.
_TURN_SECONDS: Final = 15.0
_BETWEEN_TURNS_SECONDS: Final = 0.5
#: How often a run that is ending, or waiting for its table's first row, checks for more.
_ASK_SECONDS: Final = 0.25
_FIRST_WAIT_SECONDS: Final = 0.5
_LONGEST_WAIT_SECONDS: Final = 5.0
#: An hour: infinity overflows in the operating system's timers.
_LONGEST_PAUSE_SECONDS: Final = 3600.0
#: A statement that waits for a lock gives no sign: log it after the first time, and wait at least the second.
_LONG_SECONDS: Final = 10.0
_SILENT_SECONDS: Final = 60.0
_CLOSE_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 0.1
_NOTHING_LOST: Final = (
    "Nothing is lost: the answers are in the ledger. Clear the task to deliver them without a call"
)
_log = logging.getLogger(__name__)


class _Turn(Enum):
    DONE = auto()  #: nothing is left to deliver
    MORE = auto()
    ELSEWHERE = auto()  #: another run delivers
    DOWN = auto()  #: the table or the ledger cannot be used now


class Deliverer:
    """Fills one result table from the ledger, in order of version.

    Runs that share a table take turns; each delivers what any of them has left.

    :param batch: rows at once, and how long an answer waits at most.
    :param is_rebuilt: deliver everything from the first row on, over the existing rows.
    :param observers: are notified of each batch.
    :param clock: monotonic seconds.
    :param wait: waits for an event, at most for the given seconds.
    """

    def __init__(
        self,
        delivery: Delivery,
        target: ResultTarget,
        batch: Batch,
        *,
        is_rebuilt: bool = False,
        observers: Observers = NOBODY,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self._delivery, self._target, self._batch = delivery, target, batch
        self._is_rebuilt, self._clock, self._wait = is_rebuilt, clock, wait
        self._observers = observers
        self._wake, self._finishing, self._closing, self._ended = (threading.Event() for _ in range(4))
        self._is_ready, self._is_begun = threading.Event(), threading.Event()
        self._filler = self._filler_of(())
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._trouble: UnreachableError | None = None
        self._is_on_hold = False
        self._backoff = _FIRST_WAIT_SECONDS
        self._noticed, self._is_any_noticed = 0, False
        self._progress_at = clock()
        self._is_reported = False

    @property
    def target(self) -> str:
        """What the ledger calls the table."""
        return self._delivery.target

    @property
    def delivered(self) -> int:
        """Rows that were written."""
        return self._filler.delivered

    @property
    def refused(self) -> int:
        """Rows that the table refuses, of this run and earlier ones."""
        return self._filler.refused

    def count_undelivered(self) -> int:
        """Count the images whose latest result is missing from the table, by any run.

        :raises PermitOcrError: when the ledger cannot be read now.
        """
        return self._delivery.count_undelivered()

    def facts(self) -> TargetFacts:
        """Return how far the table has been filled. From any thread."""
        return TargetFacts(
            name=self.target, delivered=self.delivered, refused=self.refused, is_on_hold=self._is_on_hold
        )

    @property
    def _is_eager(self) -> bool:
        """Whether the table has accepted no row yet: each image costs money, and it may refuse them all."""
        return self._is_any_noticed and not self.delivered

    def prepare(self, columns: Sequence[Column], patience_seconds: float = _SILENT_SECONDS) -> None:
        """Create the table if it is missing, and make sure that its rows are this ledger's.

        A table that was filled before may be down or locked: that is logged, and calls continue.

        :param columns: of the result.
        :param patience_seconds: how long to wait for a table that was never filled and does not answer.
        :raises TargetError: naming what to change.
        :raises UnreachableError: when a table that was never filled cannot be reached.
        """
        self._filler = self._filler_of(columns)
        began = self._clock()
        self._thread = threading.Thread(target=self._run, name="permit-ocr-delivery", daemon=True)
        self._thread.start()
        while not (self._is_ready.is_set() or self._ended.is_set()):
            self.watch()
            if self._is_reported and self._filler.was_filled:
                return
            if self._clock() - began > max(patience_seconds, _SILENT_SECONDS):
                self.close()
                raise UnreachableError(
                    f"The result table {self.target!r} does not answer; is it locked? If another session"
                    f" locks it, {self._target.when_locked}"
                )
            self._wait(self._is_ready, _ASK_SECONDS)
        self.raise_if_failed()

    @staticmethod
    def import_frame() -> None:
        """Import pandas in advance: at the first write, the import would delay calls by a second.

        A run with nothing to do needs no frame.
        """
        import airflow_provider_permitocr.engine.delivery.frame  # noqa: F401

    def start(self) -> None:
        """Start delivering; a table that prefers one large delivery waits until the end."""
        if not self._target.is_filled_at_end:
            self._is_begun.set()

    def notice(self, images: int) -> None:
        """Add to the number of images that need delivery. From any thread."""
        # If two threads add at once, one may be lost: a batch is then delivered a little later.
        self._noticed += images
        self._is_any_noticed = self._is_any_noticed or images > 0
        if self._noticed >= self._batch.rows or self._is_eager:
            self._wake.set()

    def raise_if_failed(self) -> None:
        """Raise the error that ended the delivery, such as a table that refuses all rows."""
        if self._failure:
            raise self._failure

    def watch(self) -> None:
        """Log a warning if the table has not answered for a long time, for instance because it is locked."""
        since = self._filler.busy_since
        if since is None:
            self._is_reported = False
        elif not self._is_reported and self._clock() - since > _LONG_SECONDS:
            self._is_reported = self._is_on_hold = True
            _log.warning(
                "The result table %r has not answered for %.0f s; is it locked? Calls continue; the"
                " ledger keeps their answers, and they are delivered later. If another session locks it, %s",
                *(self.target, _LONG_SECONDS, self._target.when_locked),
            )

    def finish(self) -> None:
        """Deliver everything that is left, then end; ``is_finished`` returns whether it has."""
        self._progress_at, self._trouble = self._clock(), None
        self._finishing.set()
        self._is_begun.set()
        self._wake.set()

    def is_finished(self, patience_seconds: float) -> bool:
        """Return whether all is delivered.

        :param patience_seconds: how long to wait for a table that is down, counted without progress.
        :raises UnreachableError: when patience runs out.
        :raises DatabaseError, TargetError: as ``raise_if_failed``.
        """
        if self._ended.is_set():
            self.raise_if_failed()
            return True
        if stalled := self._stalled(patience_seconds):
            self.close()
            raise stalled
        self._wait(self._ended, _ASK_SECONDS)
        return False

    def close(self) -> None:
        """End without delivering what is left; a batch that is being written may still complete.

        A thread that hangs in a database is abandoned with its claim, which expires.
        """
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._wait(self._ended, _CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            self._get_ready()
            self._wait_for(self._is_begun)
            while not self._closing.is_set():
                is_last = self._finishing.is_set()
                turn = self._take_turn()
                if turn is not _Turn.ELSEWHERE:
                    self._release()
                if turn is _Turn.DONE and is_last:
                    return
                self._pause(turn, is_last=is_last)
        except BaseException as error:  # noqa: BLE001  raised later, where the run can be stopped
            self._failure = _with_comfort(error)
            self._release()
        finally:
            self._ended.set()

    def _get_ready(self) -> None:
        """Prepare the table; one that was filled before is waited for, while calls go on."""
        while not self._closing.is_set():
            try:
                self._filler.prepare()
            except UnreachableError as error:
                if not self._filler.was_filled:
                    raise
                self._note_down(error)
                self._is_ready.set()
                self._pause(_Turn.DOWN, is_last=False)
            else:
                self._is_ready.set()
                return

    def _filler_of(self, columns: Sequence[Column]) -> TableFiller:
        return TableFiller(
            self._delivery,
            self._target,
            columns,
            self._batch.rows,
            is_rebuilt=self._is_rebuilt,
            is_over=self._closing.is_set,
            clock=self._clock,
        )

    def _wait_for(self, event: threading.Event) -> None:
        while not (event.is_set() or self._closing.is_set()):
            event.wait(_LOOK_SECONDS)

    def _take_turn(self) -> _Turn:
        self._noticed = 0
        self._filler.begin_turn()
        until = self._clock() + _TURN_SECONDS
        try:
            while not self._closing.is_set():
                began_at, before = self._clock(), self.delivered
                step = self._filler.step()
                if step is Step.ELSEWHERE:
                    return _Turn.ELSEWHERE
                if step is Step.DELIVERED:
                    self._report(self.delivered - before, self._clock() - began_at)
                if step in (Step.DELIVERED, Step.NOTHING):
                    self._note_up(has_written=step is Step.DELIVERED)
                if step is Step.NOTHING:
                    return _Turn.DONE
                if self._clock() >= until:
                    break
        except UnreachableError as error:
            self._note_down(error)
            return _Turn.DOWN
        return _Turn.MORE

    def _report(self, rows: int, seconds: float, *, has_failed: bool = False) -> None:
        self._observers.on_delivery(DeliveryFacts(self.target, rows, seconds, has_failed))

    def _note_up(self, *, has_written: bool) -> None:
        self._trouble, self._backoff = None, _FIRST_WAIT_SECONDS
        if has_written:
            self._progress_at = self._clock()
            if self._is_on_hold:
                self._is_on_hold = False
                _log.info("The result table %r accepts rows again", self.target)

    def _note_down(self, error: UnreachableError) -> None:
        self._trouble = error
        self._report(0, 0.0, has_failed=True)
        if not self._is_on_hold:
            self._is_on_hold = True
            _log.warning(
                "%s. Calls continue; the ledger keeps their answers, and they are delivered later", error
            )

    def _pause(self, turn: _Turn, *, is_last: bool) -> None:
        if turn is _Turn.DOWN:
            self._wait(self._closing, self._backoff)
            self._backoff = min(2 * self._backoff, _LONGEST_WAIT_SECONDS)
            return
        if turn is _Turn.MORE:
            self._wait(self._closing, _BETWEEN_TURNS_SECONDS)
            return
        began = self._clock()
        seconds = min(self._batch.seconds, _LONGEST_PAUSE_SECONDS)
        self._wait(self._wake, min(seconds, _ASK_SECONDS) if is_last or self._is_eager else seconds)
        self._wake.clear()
        if turn is _Turn.ELSEWHERE:
            # The claim of a run that is stuck expires, and other runs deliver this run's rows.
            self._progress_at += self._clock() - began

    def _stalled(self, patience_seconds: float) -> UnreachableError | None:
        seconds = self._clock() - self._progress_at
        if (trouble := self._trouble) and seconds >= patience_seconds:
            trouble.also(_NOTHING_LOST)
            return trouble
        if seconds >= max(patience_seconds, _SILENT_SECONDS):
            return UnreachableError(
                f"The result table {self.target!r} has accepted no rows for {seconds:.0f} s; is it locked? If"
                f" another session locks it, {self._target.when_locked}. {_NOTHING_LOST}"
            )
        return None

    def _release(self) -> None:
        with suppress(PermitOcrError):  # a claim also expires without this
            self._delivery.release()


def _with_comfort(error: BaseException) -> BaseException:
    if isinstance(error, PermitOcrError) and not isinstance(error, TargetError):
        error.also(_NOTHING_LOST)
    return error
