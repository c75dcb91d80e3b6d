"""One image, from its list to its outcome: what every face of the package shares, on one page."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.engine.call.concurrency import Place, Places
from airflow_provider_permitocr.engine.call.outcomes import (
    FailedCall,
    of_answer,
    of_failed_call,
    of_flight,
    of_grant,
    of_unfit_image,
    own_answer,
    verdict,
)
from airflow_provider_permitocr.engine.call.rate_limit import RateLimiter
from airflow_provider_permitocr.engine.call.retries import Breaker, Tries
from airflow_provider_permitocr.engine.call.single_flight import Flight, SingleFlight
from airflow_provider_permitocr.engine.ledger.calls import NOT_SENT, OK, CallIntent, new_call_id
from airflow_provider_permitocr.engine.models import (
    ImageFacts,
    ImageRow,
    Left,
    Outcome,
    PermitRequest,
    UnfitImage,
)
from airflow_provider_permitocr.engine.observer import NOBODY, CallFacts, Observers
from airflow_provider_permitocr.engine.ports import Call, PermitClient, RequestBuilder
from airflow_provider_permitocr.errors import OF_ALL, CallError, Decision, ThrottledTooLongError
from airflow_provider_permitocr.options.run import RunOptions
from airflow_provider_permitocr.permit.answers import KeptAnswer, Reading
from airflow_provider_permitocr.permit.quality.assessment import Subject

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.ledger.call_ledger import CallLedger
    from airflow_provider_permitocr.engine.ledger.ports import Answers

#: An intent that waited for its turn for longer is written again: it holds for the length of a call, and for
#: half a minute in all before and after.
_INTENT_SECONDS: Final = 20.0
#: Rows waiting for their turn cover this long, so that writing a batch delays nothing.
_AHEAD_SECONDS: Final = 1.0
_MOST_AHEAD: Final = 64


@dataclass(frozen=True)
class ReadyCall:
    """A call that is written down, and ready to be sent."""

    call_id: str
    send: Call
    facts: ImageFacts
    intended_at: float


class Recognizer:
    """Recognizes rows one at a time, from any number of threads, at one common pace.

    An image is in memory only from shortly before its turn until its answer. Rows that wait for another try
    or for another row's answer have released it.

    :param stop: once set, rows that have not been sent are left.
    :param ledger: records each call before it is made; None: calls are not recorded.
    :param answers: those that the ledger already has; used with ``reuse_identical`` only.
    :param reading: examines each answer, and protects it before anything else sees it.
    :param observers: are notified of each call.
    :param limiter: keeps one pace across several recognizers; by default a separate one.
    :param lock: held briefly to count calls; by default a separate one.
    :param now: the time that decides whether documents have expired.
    :param sleep: how to wait, in seconds; by default until then or until ``stop`` is set.
    :param uniform: draws from an interval; jitter keeps tasks from retrying in step.
    """

    def __init__(  # noqa: PLR0913  a run hands it all of its parts, by name
        self,
        builder: RequestBuilder,
        client: PermitClient,
        options: RunOptions,
        stop: threading.Event,
        *,
        ledger: CallLedger | None = None,
        answers: Answers | None = None,
        reading: Reading = Reading(),
        observers: Observers = NOBODY,
        limiter: RateLimiter | None = None,
        lock: threading.Lock | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], object] | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        pace = options.pace
        self._builder, self._client, self._policy = builder, client, options.call_retry
        self._stop, self._ledger, self._reading = stop, ledger, reading
        self._observers = observers
        self._limiter = limiter or RateLimiter(pace, clock=clock, sleep=sleep)
        self._clock, self._now = clock, now
        self._sleep, self._uniform = sleep or stop.wait, uniform
        self._places = Places(pace.max_per_second, pace.at_once, stop)
        self.flights = SingleFlight(stop, answers=answers, is_on=options.reuse_identical)
        self._breaker = Breaker(stop)
        self._ahead = min(_MOST_AHEAD, math.ceil(pace.max_per_second * _AHEAD_SECONDS) + 1)
        self._lock = lock or threading.Lock()
        #: Requests sent so far, including retries and throttled ones; how many of them are known to be
        #: billed; and how many the service throttled.
        self.calls = self.billed = self.throttled = 0

    @property
    def rows_wanted(self) -> int:
        """How many rows should be in progress so that no turn is missed: in flight, plus the next few."""
        return self._places.in_flight.inside + self._ahead + self.flights.rows_waiting

    @property
    def reading(self) -> int:
        """How many rows hold their image: after a stop, no one has to wait for these."""
        return self._places.reading

    @property
    def in_flight(self) -> int:
        """Requests in flight now."""
        return self._places.in_flight.inside

    @property
    def pace(self) -> float:
        """Requests per second that throttling leaves now."""
        return self._limiter.per_second

    def recognize(self, row: ImageRow) -> Outcome | Left:
        """Take one row from its image to its outcome, with as many calls as its errors and the policy allow.

        :return: its outcome; or why it is left to a later run, or to another that has it.
        :raises AccountError, ApiUnreachableError: when every call would end this way; ``stop`` is then set.
        :raises ThrottledTooLongError: when the service has throttled the run for longer than allowed.
        """
        tries = Tries(self._policy, Flight())
        outcome: Outcome | Left | None = None
        try:
            while outcome is None:
                # While it is probing, other rows occupy the slots and wait for it.
                with self._places.one(is_free=tries.is_probing) as place:
                    step = self._try(row, tries, place)
                outcome = self._next(row, step, tries) if isinstance(step, FailedCall) else step
            return outcome
        finally:
            self._breaker.end(tries)
            self.flights.land_with(tries.flight, outcome)

    def _try(self, row: ImageRow, tries: Tries, place: Place) -> Outcome | Left | FailedCall | None:
        """Make one call if the image needs one: image, single flight, intent, turn, send, close.

        :return: None if another row's answer did not come, so that this row must call.
        """
        if left := self._left():
            return left
        began_at = self._clock()
        with self._places.at_image():
            request = self._builder.build(row)
        if left := self._left():  # a run that was asked to stop meanwhile has not waited for this row
            return left
        if isinstance(request, UnfitImage):
            self._places.prepared(self._clock() - began_at, in_vain=True)
            return of_unfit_image(row, request)
        facts = request.facts
        tries.flight, flight = self.flights.board(row, facts, tries.flight)
        if flight is not tries.flight:
            del request
            self._places.prepared(self._clock() - began_at, in_vain=True)
            return self._share(row, flight, facts, place)
        call = self._write_intent(row, request)
        del request  # the call has the image, as it is sent
        if isinstance(call, ReadyCall):
            self._places.prepared(self._clock() - began_at)
            call = self._await_turn(row, call, tries, place)
        if not isinstance(call, ReadyCall):
            return call
        place.make_room()
        return self._send(row, call, tries)

    def _left(self) -> Left | None:
        if self._stop.is_set():
            return Left.STOPPED
        return Left.CAPPED if self._ledger and self._ledger.cap else None

    def _share(self, row: ImageRow, flight: Flight, facts: ImageFacts, place: Place) -> Outcome | Left | None:
        place.leave()
        self.flights.wait(flight)
        outcome = of_flight(row, flight, facts)
        if outcome is None:
            return Left.STOPPED if self._stop.is_set() else None
        fields = self._reading.reexamined(outcome.fields, self._subject(row, facts))
        return replace(outcome, fields=fields)

    def _subject(self, row: ImageRow, facts: ImageFacts) -> Subject:
        return Subject(row.card_side, self._now(), facts.width, facts.height, row.declared or row.carried)

    def _write_intent(self, row: ImageRow, request: PermitRequest) -> ReadyCall | Outcome | Left:
        call_id = new_call_id()
        send = self._client.prepare(replace(request, call_id=call_id))
        if self._ledger:
            intent = CallIntent(call_id, row.row_key, row.updated_at, request.facts.digest)
            if refused := of_grant(row, self._ledger.open(intent), request.facts):
                return refused
        return ReadyCall(call_id, send, request.facts, self._clock())

    def _await_turn(
        self, row: ImageRow, call: ReadyCall, tries: Tries, place: Place
    ) -> ReadyCall | Outcome | Left:
        """Wait until the call may be sent; close it if it is not sent after all."""
        place.board()
        while True:
            has_turn = self._limiter.acquire(self._stop)
            is_turn_gone = has_turn and self._was_held_up(tries)
            if not has_turn or self._stop.is_set():
                self._close_unsent(call)
                return Left.STOPPED
            if tries.fault and tries.is_late(self._clock()):
                self._close_unsent(call)
                return of_failed_call(row, FailedCall(tries.fault, call.facts))
            if self._ledger and self._clock() - call.intended_at > _INTENT_SECONDS:
                written = self._write_again(row, call)
                if not isinstance(written, ReadyCall):
                    return written
                # Without a hold-up, an intent gets this old only where turns are far apart. Its own turn may
                # then be used late: the next is not due yet.
                call = written
            if not is_turn_gone:
                return call

    def _write_again(self, row: ImageRow, call: ReadyCall) -> ReadyCall | Outcome | Left:
        """Replace an old intent: other runs might soon mistake it for a dead worker's."""
        self._close_unsent(call)
        request = self._builder.build(row)
        if isinstance(request, UnfitImage):
            return of_unfit_image(row, request)
        return self._write_intent(row, request)

    def _was_held_up(self, tries: Tries) -> bool:
        """Wait while no call may be sent, and return whether its turn is gone by then."""
        if not tries.is_probing and self._breaker.is_probing:
            self._breaker.wait()
            return True
        # After an outage of the ledger, all calls whose turns passed meanwhile would be sent at once.
        return self._ledger is not None and self._ledger.await_reachable()

    def _send(self, row: ImageRow, call: ReadyCall, tries: Tries) -> Outcome | FailedCall:
        with self._lock:
            self.calls += 1
        sent_at = self._clock()
        tries.sent(sent_at)
        try:
            response = call.send()
        except CallError as error:
            failed = FailedCall(error.bare(), call.facts)
            is_throttled = error.decision is Decision.THROTTLE
            call_facts = CallFacts(self._clock() - sent_at, error.code, error.billed, is_throttled)
            with self._lock:
                self.billed += error.billed is True
            if self._ledger:
                # It may be billed. If this process ends now, the next run must not pay for it again.
                self._ledger.close(
                    call.call_id,
                    error.code,
                    billed=error.billed,
                    request_id=error.request_id,
                    attempt=verdict(row, failed),
                )
            self._observers.on_call(call_facts)
            return failed
        self._breaker.has_worked = True
        call_facts = CallFacts(self._clock() - sent_at, OK, billed=True)
        with self._lock:
            self.billed += 1
        subject = self._subject(row, call.facts)
        answer = KeptAnswer.received(response.fields).protected(self._reading, subject)
        fields = answer.record(self._reading, subject)
        outcome = of_answer(row, response, call.facts, call.call_id, fields)
        if self._ledger:
            self._ledger.close(
                call.call_id,
                OK,
                billed=True,
                request_id=response.request_id,
                answer=answer,
                attempt=own_answer(outcome),
            )
        # Paid answers are stored first.
        self._observers.on_call(call_facts)
        return outcome

    def _close_unsent(self, call: ReadyCall) -> None:
        if self._ledger:
            self._ledger.close(call.call_id, NOT_SENT, billed=False)

    def _next(self, row: ImageRow, failed: FailedCall, tries: Tries) -> Outcome | None:
        """Wait until the next call; return the image's outcome if there is none."""
        tries.fault = failed.fault
        seconds = self._seconds_until_next(failed.fault, tries)
        if seconds is None:
            return of_failed_call(row, failed)
        if seconds:
            self._sleep(seconds)
        return None

    def _seconds_until_next(self, fault: CallError, tries: Tries) -> float | None:
        if fault.decision in OF_ALL:
            seconds = self._breaker.wait_seconds(fault, tries)
            if seconds is not None:
                return seconds
        else:
            self._breaker.end(tries)
        if fault.decision is Decision.THROTTLE:
            return self._slow_down(fault, tries)
        return tries.wait_seconds(fault, self._clock(), self._uniform)

    def _slow_down(self, fault: CallError, tries: Tries) -> float:
        with self._lock:
            self.throttled += 1
        # The pace recovers while a call waits for as long as its answer asked.
        seconds = max(self._limiter.throttled(), tries.throttled_seconds)
        if seconds > self._policy.max_throttled_seconds:
            raise ThrottledTooLongError(
                f"The API's rate limit has held this run below half of its pace for {seconds:.0f} s in total"
                f" ({fault.code}). Something else uses the account's quota, or the slots of all pools add up"
                " to more than the quota. Lower the slots (airflow permitocr check"
                " shows which) and run again; images that were not tried are left for that run."
            )
        tries.throttled_seconds += fault.retry_after or 0.0
        return fault.retry_after or 0.0
