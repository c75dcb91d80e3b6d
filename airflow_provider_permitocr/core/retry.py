"""Repeating a call, as far as its error's decision and the policy allow."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from airflow_provider_permitocr.core.errors import CallError, Decision, ThrottledTooLongError
from airflow_provider_permitocr.core.models import PermitRequest, PermitResponse
from airflow_provider_permitocr.core.options import CallRetry
from airflow_provider_permitocr.core.ports import PermitClient
from airflow_provider_permitocr.core.rate_limit import RateLimiter

_REPEATED = {Decision.RETRY, Decision.RETRY_THEN_IMAGE}


class PacedCaller:
    """Calls the API in turn, repeating what is worth repeating.

    :param sleep: how to wait between tries, in seconds.
    :param uniform: draws from an interval; jitter keeps tasks from repeating in step.
    """

    def __init__(
        self,
        client: PermitClient,
        limiter: RateLimiter,
        policy: CallRetry,
        *,
        sleep: Callable[[float], object],
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._client = client
        self._limiter = limiter
        self._policy = policy
        self._sleep = sleep
        self._uniform = uniform
        self._count = threading.Lock()
        self.calls = 0
        self.throttled = 0

    def call(self, request: PermitRequest) -> PermitResponse:
        """Send one request until it is answered or given up.

        :raises CallError: the last one, when no more tries are left or none would help.
        :raises ThrottledTooLongError: when every call has been throttled for longer than the policy allows.
        :raises RunStoppedError: when the run was asked to stop.
        """
        failures = repairs = 0
        while True:
            try:
                return self._send(request)
            except CallError as error:
                if error.decision is Decision.THROTTLE:
                    self._slow_down(error)
                elif error.decision is Decision.REPAIR and repairs == 0:
                    repairs += 1
                else:
                    failures += 1
                    if error.decision not in _REPEATED or failures >= self._policy.attempts:
                        raise
                    self._sleep(self._wait_seconds(failures))

    def _send(self, request: PermitRequest) -> PermitResponse:
        self._limiter.acquire()
        with self._count:
            self.calls += 1
        try:
            response = self._client.recognize(request)
        except CallError as error:
            if error.decision is not Decision.THROTTLE:
                self._limiter.passed()
            raise
        self._limiter.passed()
        return response

    def _slow_down(self, error: CallError) -> None:
        with self._count:
            self.throttled += 1
        seconds = self._limiter.throttled()
        if seconds > self._policy.max_throttled_seconds:
            raise ThrottledTooLongError(
                f"the service has refused every call for its rate for {seconds:.0f} s ({error.code})."
                " Someone else is using up the account's quota, or the slots of all pools add up to more"
                " than it; lower the slots and run again."
            ) from error

    def _wait_seconds(self, failures: int) -> float:
        ceiling = min(self._policy.max_wait_seconds, self._policy.base_seconds * 2 ** (failures - 1))
        return self._uniform(0, ceiling)
