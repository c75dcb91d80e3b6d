"""Paced calls whose waits take no time, and a ledger in memory."""

from __future__ import annotations

import threading
from typing import Any

from airflow_provider_permitocr.engine.call.rate_limit import RateLimiter
from airflow_provider_permitocr.engine.ledger.calls import CallIntent, ClosedCall, Grant
from airflow_provider_permitocr.options.run import CallRetry, Pace
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from tests.support.row_calls import RowCalls


class Clock:
    """Seconds that pass only while someone sleeps.

    :ivar waits: between tries; the sleeps of the pace are not among them.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.sleep(seconds)


class GrantingLedger:
    """Grants every call, and keeps those that are closed."""

    def __init__(self) -> None:
        self.closed: list[ClosedCall] = []

    cap: Grant | None = None

    def open(self, intent: CallIntent) -> Grant:
        return Grant.GRANTED

    def await_reachable(self) -> bool:
        return False

    def close(self, call_id: str, code: str, *, request_id: str | None = None, **closed: Any) -> None:
        self.closed.append(ClosedCall(call_id, code, request_id=request_id or None, **closed))


class PacedCalls:
    """A caller, its clock and its ledger."""

    def __init__(self, client: MainlandPermitClient, policy: CallRetry) -> None:
        self.clock = Clock()
        self._ledger = GrantingLedger()
        pace = Pace(20)
        self.caller = RowCalls(
            client,
            RateLimiter(pace, clock=self.clock, sleep=self.clock.sleep),
            pace,
            policy,
            threading.Event(),
            ledger=self._ledger,
            sleep=self.clock.wait,
            clock=self.clock,
            uniform=lambda low, _high: low,
        )

    def ledger_rows(self) -> list[ClosedCall]:
        """Return what became of each call."""
        return self._ledger.closed
