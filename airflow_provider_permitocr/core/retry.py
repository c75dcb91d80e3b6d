"""Repeating a call, as far as its error's decision and the policy allow."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from airflow_provider_permitocr.core.concurrency import Gate, Staffing
from airflow_provider_permitocr.core.errors import CallError, Decision, ThrottledTooLongError
from airflow_provider_permitocr.core.models import PermitRequest, PermitResponse
from airflow_provider_permitocr.core.options import CallRetry, Pace
from airflow_provider_permitocr.core.ports import Call, PermitClient
from airflow_provider_permitocr.core.rate_limit import RateLimiter, raise_if_stopped

_REPEATED = {Decision.RETRY, Decision.RETRY_THEN_IMAGE}
_MOST_READY: Final = 32
#: Rows that wait for their turn are enough for this long, so that a write of a batch holds nothing up.
_AHEAD_SECONDS: Final = 1.0
_MOST_AHEAD: Final = 64


class PacedCaller:
    """Calls the API in turn, repeating what is worth repeating.

    An image is in memory from shortly before its turn until its answer, and no longer: what waits for
    another try has let go of it.

    :param stop: once set, no call is made any more.
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
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._client = client
        self._limiter = limiter
        self._policy = policy
        self._clock = clock
        self._stop = stop
        self._sleep = sleep or stop.wait
        self._uniform = uniform
        self._preparing = Staffing(pace.max_per_second, most=_MOST_READY)
        self._ready = Gate(self._preparing.needed)
        self._in_flight = Gate(lambda: pace.at_once)
        self._ahead = min(_MOST_AHEAD, math.ceil(pace.max_per_second * _AHEAD_SECONDS) + 1)
        self._count = threading.Lock()
        self.calls = 0
        self.throttled = 0

    @property
    def rows_wanted(self) -> int:
        """How many rows should be under way: those in flight, and the next few."""
        return self._in_flight.inside + self._ahead

    def call(self, load: Callable[[], PermitRequest]) -> PermitResponse:
        """Send one request until it is answered or given up.

        :param load: makes the request, image included; called before each try.
        :raises ImageError: from ``load``.
        :raises CallError: the last one, when no more tries are left or none would help.
        :raises ThrottledTooLongError: when the service has held the run back for longer than the policy
            allows.
        :raises RunStoppedError: when the run was asked to stop.
        """
        failures = repairs = 0
        while True:
            wait_seconds = 0.0
            try:
                return self._try(load)
            except CallError as error:
                if error.decision is Decision.THROTTLE:
                    self._slow_down(error)
                elif error.decision is Decision.REPAIR and repairs == 0:
                    repairs += 1
                else:
                    failures += 1
                    if error.decision not in _REPEATED or failures >= self._policy.attempts:
                        raise
                    wait_seconds = self._wait_seconds(failures)
            if wait_seconds:  # out here, as the error's traceback keeps the image
                self._sleep(wait_seconds)

    def _try(self, load: Callable[[], PermitRequest]) -> PermitResponse:
        with ExitStack() as in_flight:
            with self._ready:
                raise_if_stopped(self._stop)
                send = self._prepare(load)
                in_flight.enter_context(self._in_flight)
                self._limiter.acquire(self._stop)
            with self._count:
                self.calls += 1
            return self._send(send)

    def _prepare(self, load: Callable[[], PermitRequest]) -> Call:
        started_at = self._clock()
        send = self._client.prepare(load())
        self._preparing.took(self._clock() - started_at)
        return send

    def _send(self, send: Call) -> PermitResponse:
        try:
            return send()
        except CallError as error:
            if error.decision is Decision.ACCOUNT:
                self._stop.set()  # in here, before another takes its place in flight
            raise

    def _slow_down(self, error: CallError) -> None:
        with self._count:
            self.throttled += 1
        seconds = self._limiter.throttled()
        if seconds > self._policy.max_throttled_seconds:
            raise ThrottledTooLongError(
                f"the service has held this run below half of its pace for {seconds:.0f} s in all, refusing"
                f" calls for their rate ({error.code}). Someone else is using up the account's quota, or the"
                " slots of all pools add up to more than it; lower the slots (airflow permitocr check tells"
                " which) and run again: what was not tried is left for that run."
            ) from None

    def _wait_seconds(self, failures: int) -> float:
        ceiling = min(self._policy.max_wait_seconds, self._policy.base_seconds * 2 ** (failures - 1))
        return self._uniform(0, ceiling)
