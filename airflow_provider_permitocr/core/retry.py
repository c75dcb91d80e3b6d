"""Repeating a call, as far as its error's decision and the policy allow."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

from airflow_provider_permitocr.core.account_watch import PROBE_WAITS, AccountWatch
from airflow_provider_permitocr.core.call_ledger import CallLedger, new_call_id
from airflow_provider_permitocr.core.calls import OK
from airflow_provider_permitocr.core.concurrency import Gate, Staffing
from airflow_provider_permitocr.core.errors import (
    CallError,
    Decision,
    RowLeftError,
    ThrottledTooLongError,
)
from airflow_provider_permitocr.core.models import PermitRequest, PermitResponse, RowKey
from airflow_provider_permitocr.core.options import CallRetry, Pace
from airflow_provider_permitocr.core.ports import Call, PermitClient
from airflow_provider_permitocr.core.rate_limit import RateLimiter, raise_if_stopped

_REPEATED = {Decision.RETRY, Decision.RETRY_THEN_IMAGE}
_OF_ACCOUNT = {Decision.ACCOUNT, Decision.REPAIR}
#: Calls for an image whose fault looks passing but may be its own, whatever the policy says.
_POISON_ATTEMPTS: Final = 3
_MOST_READY: Final = 32
#: An intent that waited for its turn for longer is written anew: it holds for the length of a call, and for
#: half a minute in all before and after.
_INTENT_SECONDS: Final = 20.0
#: Rows that wait for their turn are enough for this long, so that a write of a batch holds nothing up.
_AHEAD_SECONDS: Final = 1.0
_MOST_AHEAD: Final = 64


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
        self._account = AccountWatch()
        self._count = threading.Lock()
        self._has_worked = False
        self.calls = 0
        self.billed = 0
        self.throttled = 0

    @property
    def rows_wanted(self) -> int:
        """How many rows should be under way: those in flight, and the next few."""
        return self._in_flight.inside + self._ahead

    def call(self, row_key: RowKey, load: Callable[[], PermitRequest]) -> PermitResponse:
        """Send one request until it is answered or given up.

        :param load: makes the request, image included; called before each try.
        :raises ImageError: from ``load``.
        :raises CallError: the last one, when no more tries are left or none would help.
        :raises ThrottledTooLongError: when the service has held the run back for longer than the policy
            allows.
        :raises RowLeftError: when the run was asked to stop, or the ledger grants no call.
        """
        failures = repairs = 0
        throttled_seconds = 0.0
        started_at = self._clock()
        while True:
            wait_seconds = 0.0
            try:
                return self._try(row_key, load)
            except CallError as error:
                if error.decision is Decision.THROTTLE:
                    self._slow_down(error, throttled_seconds)
                    wait_seconds = error.retry_after or 0.0
                    throttled_seconds += wait_seconds
                elif error.decision is Decision.REPAIR and repairs == 0:
                    repairs += 1
                elif error.decision in _OF_ACCOUNT:
                    if self._account.start():
                        return self._probe(row_key, load, error)
                else:
                    failures += 1
                    if not self._is_worth_another(error, failures):
                        raise
                    wait_seconds = self._wait_seconds(failures, error)
                    if self._clock() - started_at + wait_seconds > self._policy.max_seconds:
                        raise
            if wait_seconds:  # out here, as the error's traceback keeps the image
                self._sleep(wait_seconds)

    def _is_worth_another(self, error: CallError, failures: int) -> bool:
        if error.decision not in _REPEATED:
            return False
        most = _POISON_ATTEMPTS if error.decision is Decision.RETRY_THEN_IMAGE else self._policy.attempts
        return failures < min(most, self._policy.attempts)

    def _probe(self, row_key: RowKey, load: Callable[[], PermitRequest], error: CallError) -> PermitResponse:
        """Find out, with this row's calls, whether a fault of the account holds."""
        try:
            # Keys that have never worked are wrong, rather than known to some nodes alone.
            for wait_seconds in PROBE_WAITS if self._has_worked else PROBE_WAITS[:1]:
                self._sleep(wait_seconds)
                try:
                    return self._try(row_key, load, probing=True)
                except CallError as again:
                    error = again
                    if again.decision not in _OF_ACCOUNT:
                        break
            else:
                self._stop.set()  # in here, before another takes its place in flight
                raise error
        finally:
            self._account.end()
        return self.call(row_key, load)

    def _try(
        self, row_key: RowKey, load: Callable[[], PermitRequest], *, probing: bool = False
    ) -> PermitResponse:
        with ExitStack() as in_flight:
            with ExitStack() as ready:
                if not probing:  # others stand in these gates, and wait for it
                    ready.enter_context(self._ready)
                raise_if_stopped(self._stop)
                if self._ledger:
                    self._ledger.raise_if_capped()
                call_id, send = self._prepare(row_key, load)
                opened_at = self._clock()
                try:
                    if not probing:
                        in_flight.enter_context(self._in_flight)
                    self._await_turn(probing=probing)
                except RowLeftError:
                    if self._ledger:
                        self._ledger.close_unsent(call_id)
                    raise
                if self._ledger and self._clock() - opened_at > _INTENT_SECONDS:
                    # Others may soon take it for that of a dead worker.
                    self._ledger.close_unsent(call_id)
                    call_id, send = self._prepare(row_key, load)
            with self._count:
                self.calls += 1
            return self._send(call_id, send)

    def _prepare(self, row_key: RowKey, load: Callable[[], PermitRequest]) -> tuple[str, Call]:
        started_at = self._clock()
        try:
            request = replace(load(), call_id=new_call_id())
        except Exception:  # it cannot be sent, or need not be
            self._preparing.took_in_vain(self._clock() - started_at)
            raise
        send = self._client.prepare(request)
        if self._ledger:
            self._ledger.open(request.call_id, row_key, request.facts.digest)
        self._preparing.took(self._clock() - started_at)
        return request.call_id, send

    def _await_turn(self, *, probing: bool) -> None:
        self._limiter.acquire(self._stop)
        while self._account.is_probing and not probing:
            self._account.wait(self._stop)
            self._limiter.acquire(self._stop)

    def _send(self, call_id: str, send: Call) -> PermitResponse:
        try:
            response = send()
        except CallError as error:
            self._note(call_id, error.code, error.billed, error.request_id)
            raise
        self._has_worked = True
        self._note(call_id, OK, True, response.request_id)
        return response

    def _note(self, call_id: str, code: str, billed: bool | None, request_id: str) -> None:
        with self._count:
            self.billed += billed is True
        if self._ledger:
            self._ledger.close(call_id, code, billed=billed, request_id=request_id)

    def _slow_down(self, error: CallError, waited_seconds: float) -> None:
        with self._count:
            self.throttled += 1
        # The pace recovers while a call waits as long as its answer asked for.
        seconds = max(self._limiter.throttled(), waited_seconds)
        if seconds > self._policy.max_throttled_seconds:
            raise ThrottledTooLongError(
                f"the service has held this run below half of its pace for {seconds:.0f} s in all, refusing"
                f" calls for their rate ({error.code}). Someone else is using up the account's quota, or the"
                " slots of all pools add up to more than it; lower the slots (airflow permitocr check tells"
                " which) and run again: what was not tried is left for that run."
            ) from None

    def _wait_seconds(self, failures: int, error: CallError) -> float:
        ceiling = min(self._policy.max_wait_seconds, self._policy.base_seconds * 2 ** (failures - 1))
        return max(self._uniform(0, ceiling), error.retry_after or 0.0)
