"""The result table is filled from the ledger, by a thread of its own; calls never wait for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum, auto
from typing import Final

from airflow_provider_permitocr.core.columns import Column
from airflow_provider_permitocr.core.delivery_batch import write_delivered
from airflow_provider_permitocr.core.delivery_check import reconcile, require_not_ahead
from airflow_provider_permitocr.core.errors import PermitOcrError, TargetError, UnreachableError
from airflow_provider_permitocr.core.options import Batch
from airflow_provider_permitocr.core.ports import Delivered, Ledger, ResultTarget

#: How long one run delivers until it lets another, which waits for its end with this one's rows included.
_TURN_SECONDS: Final = 15.0
_BETWEEN_TURNS_SECONDS: Final = 0.5
#: How often a run that is about to end asks for its turn, and whether it is through.
_ASK_SECONDS: Final = 0.25
_FIRST_WAIT_SECONDS: Final = 0.5
_LONGEST_WAIT_SECONDS: Final = 5.0
#: An hour: what is infinite overflows in the operating system's timers.
_LONGEST_PAUSE_SECONDS: Final = 3600.0
#: A statement that waits for a lock says nothing; so long is it given, however short patience is.
_SILENT_SECONDS: Final = 60.0
_CLOSE_SECONDS: Final = 2.0
_NOTHING_LOST: Final = (
    "Nothing is lost: the answers are in the ledger. Clear the task, and it delivers them without a call"
)
_log = logging.getLogger(__name__)


class _Turn(Enum):
    DONE = auto()  #: nothing is left to deliver
    MORE = auto()
    ELSEWHERE = auto()  #: another run delivers
    DOWN = auto()  #: the table or the ledger cannot be used at the moment


class Deliverer:
    """Fills one result table from the ledger, in order of version.

    Runs that share a table take turns; each delivers what any of them has left.

    :param batch: rows at once, and how long an answer waits at most.
    :param clock: monotonic seconds.
    :param wait: waits for an event, for so many seconds at most.
    """

    def __init__(
        self,
        ledger: Ledger,
        target: ResultTarget,
        batch: Batch,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self._ledger, self._target, self._batch = ledger, target, batch
        self._clock, self._wait = clock, wait
        self._columns: Sequence[Column] = ()
        self._wake, self._finishing, self._closing, self._ended = (threading.Event() for _ in range(4))
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._trouble: UnreachableError | None = None
        self._is_reconciled = self._is_on_hold = False
        self._backoff = _FIRST_WAIT_SECONDS
        self._noticed = 0
        self._progress_at = clock()
        self.delivered = 0
        self.refused = 0

    def prepare(self, columns: Sequence[Column]) -> None:
        """Create the table where it is missing, and make sure that its rows are this ledger's.

        :param columns: of the result.
        :raises TargetError: naming what to change.
        :raises UnreachableError: when it may be tried again.
        """
        self._columns = columns
        delivered = self._ledger.claim_delivery()
        try:
            is_new = self._target.prepare(columns)
            # Otherwise another run delivers, and may have made rows since; this is looked into at our turn.
            if delivered is not None:
                reconcile(self._ledger, delivered, is_new=is_new)
                self._is_reconciled = True
        finally:
            if delivered is not None:
                self._release()

    def require_not_ahead(self) -> None:
        """Make sure that the table has nothing newer than the ledger; left out where nothing is to be done.

        :raises TargetError: naming what to do.
        :raises UnreachableError: when it may be tried again.
        """
        delivered = self._ledger.claim_delivery()
        if delivered is None:  # the run that delivers has made sure
            return
        try:
            require_not_ahead(self._ledger, self._target, delivered)
        finally:
            self._release()

    @staticmethod
    def import_frame() -> None:
        """Import what writing needs: at the first write, that would keep calls from their turns for a second.

        pandas takes that long, and a run with nothing to do needs no frame.
        """
        import airflow_provider_permitocr.core.frame  # noqa: F401

    def start(self) -> None:
        """Deliver from now on; left out where the table is to be filled at the end alone."""
        self._thread = threading.Thread(target=self._run, name="permit-ocr-delivery", daemon=True)
        self._thread.start()

    def notice(self, images: int) -> None:
        """Take note that more images are to be delivered. From any thread."""
        # Two threads that add at once may lose one of them: a batch is then delivered a little later.
        self._noticed += images
        if self._noticed >= self._batch.rows:
            self._wake.set()

    def raise_if_failed(self) -> None:
        """Raise what has ended delivery, such as a table that refuses all rows."""
        if self._failure:
            raise self._failure

    def finish(self, patience_seconds: float) -> None:
        """Deliver all that is left, then end.

        :param patience_seconds: how long to wait for a table that is down, counted without progress.
        :raises UnreachableError: when patience is at its end.
        :raises DatabaseError, TargetError: as ``raise_if_failed``.
        """
        self._progress_at, self._trouble = self._clock(), None
        self._finishing.set()
        self._wake.set()
        if self._thread is None:
            self.start()
        while not self._ended.is_set():
            if stalled := self._stalled(patience_seconds):
                self.close()
                raise stalled
            self._wait(self._ended, _ASK_SECONDS)
        self.raise_if_failed()

    def close(self) -> None:
        """End without delivering what is left; a batch that is being written may still be.

        A thread that hangs in a database is left behind, and so is its claim, which lapses by itself.
        """
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._wait(self._ended, _CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                is_last = self._finishing.is_set()
                turn = self._take_turn()
                if turn is not _Turn.ELSEWHERE:
                    self._release()
                if turn is _Turn.DONE and is_last:
                    return
                self._pause(turn, is_last=is_last)
        except BaseException as error:  # noqa: BLE001  it is raised where the run can be stopped for it
            self._failure = _with_comfort(error)
            self._release()
        finally:
            self._ended.set()

    def _take_turn(self) -> _Turn:
        self._noticed, is_first = 0, True
        until = self._clock() + _TURN_SECONDS
        try:
            while not self._closing.is_set():
                delivered = self._ledger.claim_delivery()
                if delivered is None:
                    return _Turn.ELSEWHERE
                if not self._is_reconciled:
                    reconcile(self._ledger, delivered, is_new=self._target.prepare(self._columns))
                    self._is_reconciled = True
                elif not self._deliver(delivered, is_first=is_first):
                    self._trouble, self._backoff = None, _FIRST_WAIT_SECONDS
                    return _Turn.DONE
                elif self._clock() >= until:
                    break
                else:
                    is_first = False
        except UnreachableError as error:
            self._trouble = error
            return _Turn.DOWN
        return _Turn.MORE

    def _deliver(self, delivered: int, *, is_first: bool) -> bool:
        """Deliver a batch of what comes after a version; return whether there was anything.

        :param is_first: since the last turn, the table may have been emptied, or filled from elsewhere.
        """
        changed = self._ledger.changes(delivered, self._batch.rows)
        if not changed:
            return False
        if is_first and reconcile(self._ledger, delivered, is_new=self._target.is_empty()):
            return True
        if not delivered:
            # Should this run die after it has written, these rows are known to be the ledger's own.
            self._ledger.note_delivery(changed[0].version - 1)
        self.refused += self._write(changed)
        self._ledger.note_delivery(changed[-1].version)
        self.delivered += len(changed)
        self._trouble, self._backoff = None, _FIRST_WAIT_SECONDS
        self._progress_at = self._clock()
        return True

    def _write(self, changed: Sequence[Delivered]) -> int:
        try:
            refused = write_delivered(self._target, changed, self._columns)
        except UnreachableError as error:
            if not self._is_on_hold:
                self._is_on_hold = True
                _log.warning(
                    "%s. Calls go on; their answers are in the ledger, and are delivered later", error
                )
            raise
        if self._is_on_hold:
            self._is_on_hold = False
            _log.info("The result table takes rows again")
        return refused

    def _pause(self, turn: _Turn, *, is_last: bool) -> None:
        if turn is _Turn.DOWN:
            self._wait(self._closing, self._backoff)
            self._backoff = min(2 * self._backoff, _LONGEST_WAIT_SECONDS)
            return
        if turn is _Turn.MORE:
            self._wait(self._closing, _BETWEEN_TURNS_SECONDS)
            return
        began = self._clock()
        self._wait(self._wake, _ASK_SECONDS if is_last else min(self._batch.seconds, _LONGEST_PAUSE_SECONDS))
        self._wake.clear()
        if turn is _Turn.ELSEWHERE:
            # The claim of a run that is stuck lapses by itself, and all others deliver this run's rows, too.
            self._progress_at += self._clock() - began

    def _stalled(self, patience_seconds: float) -> UnreachableError | None:
        seconds = self._clock() - self._progress_at
        if (trouble := self._trouble) and seconds >= patience_seconds:
            trouble.also(_NOTHING_LOST)
            return trouble
        if seconds >= max(patience_seconds, _SILENT_SECONDS):
            return UnreachableError(
                f"The result table has taken no rows for {seconds:.0f} s; is it locked? {_NOTHING_LOST}"
            )
        return None

    def _release(self) -> None:
        with suppress(PermitOcrError):  # a claim lapses by itself, too
            self._ledger.release_delivery()


def _with_comfort(error: BaseException) -> BaseException:
    if isinstance(error, PermitOcrError) and not isinstance(error, TargetError):
        error.also(_NOTHING_LOST)
    return error
