"""The ledger as the threads that call see it: written before, closed after.

One thread exchanges with the ledger for all of them, and loses nothing over it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from airflow_provider_permitocr.engine.ledger.calls import (
    LEDGER_REFUSES_ANSWER,
    NOT_SENT,
    Attempt,
    CallIntent,
    ClosedCall,
    Grant,
)
from airflow_provider_permitocr.engine.ledger.ports import Journal, Ledger
from airflow_provider_permitocr.engine.ledger.unwritten import UnwrittenCalls
from airflow_provider_permitocr.engine.observer import NOBODY, Observers
from airflow_provider_permitocr.errors import (
    FencedError,
    LedgerError,
    LedgerUnreachableError,
    PermitOcrError,
)
from airflow_provider_permitocr.permit.answers import KeptAnswer
from airflow_provider_permitocr.permit.status import Status

#: How long the first of an exchange waits for others. A call is closed, and its answer safe, at most this
#: long after it arrived, and one exchange later.
_GATHER_SECONDS: Final = 0.2
#: Answers that wait longer for an exchange are written to the journal: a frozen worker may hold the ledger's
#: lock, and this process may be killed before it gets the lock.
_SLOW_SECONDS: Final = 0.5
_FIRST_WAIT_SECONDS: Final = 0.5
_LONGEST_WAIT_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.25
#: Attempts in one exchange, as databases take some ten thousand parameters in a statement; and how many may
#: wait: images that are rejected without a call go on while the ledger is down.
_MOST_ATTEMPTS: Final = 1_000
_MOST_WAITING: Final = 5_000
#: A dead connection raises no error for a quarter of an hour: wait at least this long.
_SILENT_SECONDS: Final = 60.0
#: How often to send this run's heartbeat.
_ALIVE_SECONDS: Final = 20.0
#: How long the end of a run waits for it.
_END_SECONDS: Final = 15.0
#: Intents refused without one that was granted in between: then it is the ledger that is at fault.
_MOST_REFUSED: Final = 5
_log = logging.getLogger(__name__)


@dataclass
class Waiting:
    """An intent whose thread waits for its grant; the grant is None if the exchange failed permanently."""

    intent: CallIntent
    grant: Grant | None = None
    is_over: bool = False


@dataclass
class Batch:
    """What is written in one exchange."""

    waiting: list[Waiting] = field(default_factory=list)
    closed: list[ClosedCall] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.waiting) + len(self.closed) + len(self.attempts)


class CallLedger:
    """Records calls before they are made, and closes them with their answers.

    Everything that arrives within a short time is written in one exchange, with retries. While the ledger is
    unreachable or slow, closed calls are written to the journal.

    :param stop: once set, a failed exchange is tried once more, without waiting.
    :param patience_seconds: how long to wait for a ledger that cannot be reached.
    :param observers: are notified when a cap is nearly used up.
    :param clock: monotonic seconds.
    :param gather_seconds: how long the first item of an exchange waits for others.
    """

    def __init__(
        self,
        ledger: Ledger,
        journal: Journal,
        *,
        stop: threading.Event,
        patience_seconds: float,
        observers: Observers = NOBODY,
        clock: Callable[[], float] = time.monotonic,
        gather_seconds: float | None = None,
    ) -> None:
        self._ledger, self._stop, self._observers = ledger, stop, observers
        self._patience_seconds, self._clock = patience_seconds, clock
        self._gather_seconds = _GATHER_SECONDS if gather_seconds is None else gather_seconds
        self._unwritten = UnwrittenCalls(journal)
        #: Held only briefly, for the attributes below.
        lock = threading.RLock()
        self._state = threading.Condition(lock)
        #: Shares that lock: an exchange only wakes the threads that wait for its grants.
        self._granted = threading.Condition(lock)
        self._gathered = Batch()
        self._is_ending = self._is_over = False
        self._writing: Batch | None = None
        self._writing_since: float | None = None
        self._unreachable: LedgerUnreachableError | None = None
        #: Why no more calls are granted, though calls can be closed; and why nothing can be written.
        self._stopped_by: PermitOcrError | None = None
        self._failure: PermitOcrError | None = None
        self._refused_in_a_row = 0
        self._alive_at = time.monotonic()
        self._thread = threading.Thread(target=self._exchange_all, name="permitocr-ledger", daemon=True)
        self._watch = threading.Thread(target=self._keep_what_waits, name="permitocr-journal", daemon=True)

        #: Which cap has refused a call, once one has.
        self.cap: Grant | None = None

    def start(self) -> None:
        """Begin to exchange."""
        self._thread.start()
        self._watch.start()

    @property
    def gathered(self) -> int:
        """How much waits for the next exchange."""
        return len(self._gathered)

    def open(self, intent: CallIntent) -> Grant | None:
        """Wait until the intent to make a call is written.

        :return: the ledger's answer; None if it could not be written: ``raise_if_failed`` raises the reason.
        """
        waiting = Waiting(intent)
        with self._state:
            if not (self._failure or self._stopped_by):
                self._gathered.waiting.append(waiting)
                self._state.notify_all()
            else:
                waiting.is_over = True
            while not waiting.is_over:
                self._granted.wait()
        if waiting.grant in (Grant.CAPPED, Grant.DAY_CAPPED):
            self.cap = waiting.grant
        return waiting.grant

    def close(
        self,
        call_id: str,
        code: str,
        *,
        billed: bool | None,
        request_id: str | None = None,
        answer: KeptAnswer | None = None,
        attempt: Attempt | None = None,
    ) -> None:
        """Note what became of a call. Where the ledger cannot be written, it is on the disk on return."""
        closed = ClosedCall(call_id, code, billed, request_id or None, answer, attempt)
        self._unwritten.add(closed)
        with self._state:
            self._gathered.closed.append(closed)
            self._state.notify_all()
            is_kept = self._unreachable is not None or self._failure is not None
        if is_kept:
            self._unwritten.keep()

    def note(self, attempt: Attempt) -> None:
        """Record what was found out about an image without an answer of its own.

        Blocks while the backlog is very long.
        """
        with self._state:
            while len(self._gathered.attempts) >= _MOST_WAITING and not (self._failure or self._is_ending):
                self._state.wait(_LOOK_SECONDS)
        self._gather(attempt)

    def _gather(self, attempt: Attempt) -> None:
        with self._state:
            self._gathered.attempts.append(attempt)
            self._state.notify_all()

    def await_reachable(self) -> bool:
        """Wait while the last exchange has failed: calls that were granted before are not sent either.

        If the ledger can no longer be written, the run is asked to stop.

        :return: whether it had failed.
        """
        with self._state:
            has_failed = self._unreachable is not None
            while self._unreachable and not self._failure and not self._stop.is_set():
                self._state.wait(_LOOK_SECONDS)
            if self._unreachable or self._failure:
                self._stop.set()
        return has_failed

    def raise_if_failed(self) -> None:
        """Raise the reason why nothing more can be written, if there is one.

        :raises LedgerError, FencedError: permanently.
        """
        if error := self._failure or self._stopped_by:
            raise error

    def flush(self) -> None:
        """Wait until everything recorded is written, or in the journal and abandoned.

        :raises LedgerError, FencedError: when it could not be written.
        """
        with self._state:
            while self._is_busy() and not self._failure and self._thread.is_alive():
                self._state.wait(_LOOK_SECONDS)
        self.raise_if_failed()

    def end(self) -> str | None:
        """Write what is left, or keep it in the journal, and end the thread that exchanges.

        :return: what could not be written, and where it is, in words; None if everything is written.
        """
        with self._state:
            self._is_ending = True
            self._state.notify_all()
        for thread in (self._thread, self._watch):
            if thread.ident is not None:
                thread.join(_END_SECONDS)
        self._unwritten.keep()
        return str(self._unwritten) or None

    def _exchange_all(self) -> None:
        while True:
            with self._state:
                self._state.wait_for(lambda: len(self._gathered) or self._is_ending, _ALIVE_SECONDS)
                if not self._is_ending:
                    self._state.wait_for(lambda: self._is_ending, self._gather_seconds)
                batch, self._gathered = self._gathered, Batch()
                # The rest waits for the next.
                batch.attempts, self._gathered.attempts = (
                    batch.attempts[:_MOST_ATTEMPTS],
                    batch.attempts[_MOST_ATTEMPTS:],
                )
                self._writing, self._writing_since = batch, time.monotonic()
                self._state.notify_all()
            try:
                if len(batch):
                    self._exchange_patiently(batch)
                self._keep_alive()
            except PermitOcrError as error:
                self._give_up(batch, error)
            except Exception as error:  # noqa: BLE001  a thread that dies would leave all others waiting
                self._give_up(batch, LedgerError(f"Writing into the ledger failed: {type(error).__name__}."))
            finally:
                with self._state:
                    self._writing = self._writing_since = None
                    self._state.notify_all()
            with self._state:
                if self._failure or (self._is_ending and not len(self._gathered)):
                    self._is_over = True
                    self._state.notify_all()
                    return

    def _keep_alive(self) -> None:
        """Send this run's heartbeat periodically, whatever the run is waiting for."""
        if time.monotonic() - self._alive_at < _ALIVE_SECONDS:
            return
        self._alive_at = time.monotonic()
        try:
            self._ledger.keep_alive()
        except LedgerUnreachableError as error:  # the next exchange waits for it, or fails
            _log.debug("%s", error)

    def _keep_what_waits(self) -> None:
        """Journal what an exchange does not write quickly."""
        while self._thread.is_alive():
            with self._state:
                if self._state.wait_for(lambda: self._is_over, _LOOK_SECONDS):
                    return
                seconds, batch = self._writing_seconds(), self._writing
            if seconds > _SLOW_SECONDS:
                self._unwritten.keep()
            if batch and seconds > self._patience_seconds + _SILENT_SECONDS:
                self._give_up(
                    batch, LedgerUnreachableError(f"The ledger has not answered for {seconds:.0f} s")
                )
                return

    def _is_busy(self) -> bool:
        return len(self._gathered) > 0 or self._writing_since is not None

    def _writing_seconds(self) -> float:
        return 0.0 if self._writing_since is None else time.monotonic() - self._writing_since

    def _exchange_patiently(self, batch: Batch) -> None:
        failed_at: float | None = None
        longest = _FIRST_WAIT_SECONDS
        is_last = False
        while True:
            try:
                exchanged = self._ledger.exchange(
                    [each.intent for each in batch.waiting], batch.closed, batch.attempts
                )
            except LedgerUnreachableError as error:
                now = self._clock()
                failed_at = now if failed_at is None else failed_at
                self._note_unreachable(error)
                left = failed_at + self._patience_seconds - now
                if is_last or left <= 0:
                    raise
                self._pause(min(left, longest))
                longest = min(2 * longest, _LONGEST_WAIT_SECONDS)
                is_last = self._stop.is_set() or self._is_ending
                continue
            self._note_reachable()
            self._unwritten.written(batch.closed, exchanged.refused)
            self._note_refused(exchanged.refused)
            self._hand_out(batch.waiting, exchanged.grants)
            for near in exchanged.near:
                _log.warning("%s", near)
                self._observers.on_near_cap(near)
            return

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not (self._stop.is_set() or self._is_ending) and (left := until - time.monotonic()) > 0:
            self._stop.wait(min(left, _LOOK_SECONDS))

    def _note_unreachable(self, error: LedgerUnreachableError) -> None:
        with self._state:
            is_first, self._unreachable = self._unreachable is None, error
        if is_first:
            _log.warning(
                "%s; no call is sent until it can be written. Retrying for up to %.0f s",
                error,
                self._patience_seconds,
            )
        self._unwritten.keep()

    def _note_reachable(self) -> None:
        with self._state:
            was_unreachable, self._unreachable = self._unreachable is not None, None
            self._state.notify_all()
        if was_unreachable:
            _log.info("The ledger can be written again")

    def _note_refused(self, refused: Sequence[ClosedCall]) -> None:
        """Settle images whose answers wait in a journal; otherwise each run would pay for them again."""
        for each in refused:
            if each.attempt:
                self._gather(
                    replace(
                        each.attempt,
                        status=Status.FAILED,
                        is_verdict=False,
                        error_code=LEDGER_REFUSES_ANSWER,
                        error_message=f"The ledger's database cannot store the answer: {each.reason}",
                        request_id=each.request_id,
                    )
                )

    def _give_up(self, batch: Batch, error: PermitOcrError) -> None:
        with self._state:
            self._failure = self._failure or error
            waiting = [*batch.waiting, *self._gathered.waiting]
            self._gathered = Batch()
            self._state.notify_all()
        if isinstance(error, LedgerUnreachableError):
            # They may have been written even so, if the connection was lost meanwhile.
            for each in batch.waiting:
                self._unwritten.add(ClosedCall(each.intent.call_id, NOT_SENT, billed=False))
        try:
            self._unwritten.keep()
        finally:
            self._wake(waiting)

    def _hand_out(self, waiting: list[Waiting], grants: tuple[Grant, ...]) -> None:
        for each, grant in zip(waiting, grants, strict=True):
            each.grant = grant
        if Grant.FENCED in grants:
            self._stopped_by = FencedError(
                "A newer try of this task has started, so this one stopped. Its answers are in the ledger."
            )
        for grant in grants:
            if grant is Grant.REFUSED:
                self._refused_in_a_row += 1
            elif grant is Grant.GRANTED:
                self._refused_in_a_row = 0
        if self._refused_in_a_row >= _MOST_REFUSED:
            self._stopped_by = LedgerError(
                f"The ledger refused to record the last {self._refused_in_a_row} calls, so the"
                " run has stopped; none of them was made. Look for a trigger or constraint on"
                " its tables, correct it and run again."
            )
        self._wake(waiting)

    def _wake(self, waiting: Sequence[Waiting]) -> None:
        with self._state:
            for each in waiting:
                each.is_over = True
            self._granted.notify_all()
