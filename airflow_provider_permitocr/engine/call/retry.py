"""Calls the API in turn, and repeats a call as far as its error and the policy allow."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.engine.call.breaker import Breaker
from airflow_provider_permitocr.engine.call.concurrency import Gate, Staffing
from airflow_provider_permitocr.engine.call.rate_limit import RateLimiter, raise_if_stopped
from airflow_provider_permitocr.engine.call.tries import Tries
from airflow_provider_permitocr.engine.ledger.attempts import verdict
from airflow_provider_permitocr.engine.ledger.calls import OK, Attempt, CallIntent, new_call_id
from airflow_provider_permitocr.engine.models import ImageFacts, ImageRow, PermitRequest, PermitResponse
from airflow_provider_permitocr.engine.ports import Call, PermitClient
from airflow_provider_permitocr.errors import OF_ALL, CallError, Decision, ThrottledTooLongError
from airflow_provider_permitocr.options.run import CallRetry, Pace
from airflow_provider_permitocr.permit.status import Status

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.ledger.call_ledger import CallLedger

_MOST_READY: Final = 32
#: An intent that waited for its turn for longer is written again: it holds for the length of a call, and for
#: half a minute in all before and after.
_INTENT_SECONDS: Final = 20.0
#: After an outage of the ledger all calls whose turn came meanwhile would be sent at once, so a turn that is
#: later than this is waited for again.
_LATE_SECONDS: Final = 1.0
#: Rows that wait for their turn are enough for this long, so that a write of a batch holds nothing up.
_AHEAD_SECONDS: Final = 1.0
_MOST_AHEAD: Final = 64


@dataclass(frozen=True)
class _Prepared:
    """A call that is ready to be sent."""

    call_id: str
    send: Call
    facts: ImageFacts
    opened_at: float


class PacedCaller:
    """Calls the API in turn, repeating what is worth repeating.

    An image is in memory from shortly before its turn until its answer, and no longer: what waits for
    another try has let go of it.

    :param stop: once set, no call is made any more.
    :param ledger: where each call is written down before it is made; None: nowhere.
    :param sleep: how to wait between tries, in seconds; by default until then or until ``stop`` is set.
    :param uniform: draws from an interval; jitter keeps tasks from repeating in step.
    """

    def __init__(
        self,
        client: PermitClient,
        limiter: RateLimiter,
        pace: Pace,
        policy: CallRetry,
        stop: threading.Event,
        *,
        ledger: CallLedger | None = None,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._client = client
        self._limiter = limiter
        self._policy = policy
        self._clock = clock
        self._stop = stop
        self._ledger = ledger
        self._sleep = sleep or stop.wait
        self._uniform = uniform
        self._preparing = Staffing(pace.max_per_second, most=_MOST_READY)
        self._ready = Gate(self._preparing.needed)
        self._in_flight = Gate(lambda: pace.at_once)
        self._ahead = min(_MOST_AHEAD, math.ceil(pace.max_per_second * _AHEAD_SECONDS) + 1)
        self._breaker = Breaker(stop)
        self._count = threading.Lock()
        self.calls = 0
        self.billed = 0
        self.throttled = 0

    @property
    def rows_wanted(self) -> int:
        """How many rows should be under way: those in flight, and the next few."""
        return self._in_flight.inside + self._ahead

    def call(self, row: ImageRow, load: Callable[[], PermitRequest]) -> PermitResponse:
        """Call for one image until it is answered or given up, no more often than ``CallRetry`` says.

        :param load: makes the request, image included; called before each try.
        :raises ImageError: from ``load``, or where the ledger grants no call because of the image.
        :raises CallError: the last one, when no more calls are left or none would help. One of the account is
            unconfirmed: it comes and goes.
        :raises AccountError, ApiUnreachableError: when every call would end so; ``stop`` is then set.
        :raises ThrottledTooLongError: when the service has held the run back for longer than the policy
            allows.
        :raises RowLeftError: when the run was asked to stop, or the ledger grants no call.
        """
        tries = Tries(self._policy)
        try:
            while True:
                answer = self._try(row, load, tries)
                if isinstance(answer, PermitResponse):
                    return answer
                tries.fault = answer
                if wait_seconds := self._wait_seconds(answer, tries):
                    self._sleep(wait_seconds)
        finally:
            self._breaker.end(tries)

    def _try(
        self, row: ImageRow, load: Callable[[], PermitRequest], tries: Tries
    ) -> PermitResponse | CallError:
        with ExitStack() as in_flight:
            with ExitStack() as ready:
                if not tries.is_probing:  # others stand in these gates, and wait for it
                    ready.enter_context(self._ready)
                raise_if_stopped(self._stop)
                if self._ledger:
                    self._ledger.raise_if_capped()
                call = self._prepare(row, load)
                try:
                    if not tries.is_probing:
                        in_flight.enter_context(self._in_flight)
                    self._await_turn(tries)
                except BaseException:
                    self._close_unsent(call)
                    raise
                if self._ledger and self._clock() - call.opened_at > _INTENT_SECONDS:
                    # Others may soon take it for that of a dead worker.
                    self._close_unsent(call)
                    call = self._prepare(row, load)
            return self._send(row, call, tries)

    def _prepare(self, row: ImageRow, load: Callable[[], PermitRequest]) -> _Prepared:
        started_at = self._clock()
        try:
            request = replace(load(), call_id=new_call_id())
        except Exception:  # it cannot be sent, or need not be
            self._preparing.took_in_vain(self._clock() - started_at)
            raise
        send = self._client.prepare(request)
        if self._ledger:
            self._ledger.open(CallIntent(request.call_id, row.row_key, row.updated_at, request.facts.digest))
        now = self._clock()
        self._preparing.took(now - started_at)
        return _Prepared(request.call_id, send, request.facts, now)

    def _await_turn(self, tries: Tries) -> None:
        self._limiter.acquire(self._stop)
        while self._was_held_up(tries):
            self._limiter.acquire(self._stop)
        if tries.fault and tries.is_late(self._clock()):
            raise tries.fault

    def _was_held_up(self, tries: Tries) -> bool:
        """Wait while no call may be sent, and tell whether its turn is gone by then."""
        if not tries.is_probing and self._breaker.is_probing:
            self._breaker.wait()
            return True
        if not self._ledger:
            return False
        began_at = self._clock()
        self._ledger.await_reachable()
        return self._clock() - began_at > _LATE_SECONDS

    def _send(self, row: ImageRow, call: _Prepared, tries: Tries) -> PermitResponse | CallError:
        with self._count:
            self.calls += 1
        tries.sent(self._clock())
        try:
            response = call.send()
        except CallError as error:
            with self._count:
                self.billed += error.billed is True
            if self._ledger:
                self._ledger.close(
                    call.call_id,
                    error.code,
                    billed=error.billed,
                    request_id=error.request_id,
                    # It may be billed: should this process end now, it is not to be paid for again.
                    attempt=verdict(row, error, call.facts),
                )
            return error.bare()
        self._breaker.has_worked = True
        with self._count:
            self.billed += 1
        if self._ledger:
            self._ledger.close(
                call.call_id,
                OK,
                billed=True,
                request_id=response.request_id,
                answer=response.fields,
                attempt=Attempt(
                    row.row_key,
                    Status.RECOGNIZED,
                    tries=row.tries + 1,
                    is_verdict=True,
                    updated_at=row.updated_at,
                    facts=call.facts,
                    carried=row.carried,
                ),
            )
        return replace(response, call_id=call.call_id)

    def _close_unsent(self, call: _Prepared) -> None:
        if self._ledger:
            self._ledger.close_unsent(call.call_id)

    def _wait_seconds(self, fault: CallError, tries: Tries) -> float:
        """Return how long to wait before the next call; raise where there is none."""
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
        with self._count:
            self.throttled += 1
        # The pace recovers while a call waits as long as its answer asked for.
        seconds = max(self._limiter.throttled(), tries.throttled_seconds)
        if seconds > self._policy.max_throttled_seconds:
            raise ThrottledTooLongError(
                f"The service has held this run below half of its pace for {seconds:.0f} s in all, refusing"
                f" calls for their rate ({fault.code}). Something else is using up the account's quota, or"
                " the slots of all pools add up to more than it. Lower the slots (airflow permitocr check"
                " shows which) and run again; what was not tried is left for that run."
            )
        tries.throttled_seconds += fault.retry_after or 0.0
        return fault.retry_after or 0.0
