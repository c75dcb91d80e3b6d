"""Paced calls whose waits take no time, and a ledger in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from airflow_provider_permitocr.core.call_ledger import CallLedger
from airflow_provider_permitocr.core.calls import CallIntent, CallResult, Grant
from airflow_provider_permitocr.core.options import CallRetry, Pace
from airflow_provider_permitocr.core.rate_limit import RateLimiter
from airflow_provider_permitocr.core.retry import PacedCaller
from airflow_provider_permitocr.tencent.client import MainlandPermitClient


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


@dataclass
class Rows:
    """A ledger's table in memory, which grants every call."""

    results: list[CallResult] = field(default_factory=list)

    def prepare(self) -> None:
        """There is nothing to do."""

    def exchange(self, intents: Sequence[CallIntent], results: Sequence[CallResult]) -> list[Grant]:
        self.results += results
        return [Grant.GRANTED] * len(intents)


class PacedCalls:
    """A caller, its clock and its ledger."""

    def __init__(self, client: MainlandPermitClient, policy: CallRetry) -> None:
        self.clock = Clock()
        self._rows = Rows()
        self._ledger = CallLedger(self._rows, gather_seconds=0)
        pace = Pace(20)
        self.caller = PacedCaller(
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

    def ledger_rows(self) -> list[CallResult]:
        """Return what became of each call."""
        self._ledger.flush()
        return self._rows.results
