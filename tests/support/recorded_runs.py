"""Runs that never were, recorded as real ones are: by the reporter, over hours that take no time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from airflow_provider_permitocr.engine.progress.facts import (
    LedgerSums,
    Phase,
    RunFacts,
    TargetFacts,
    TryFacts,
)
from airflow_provider_permitocr.engine.progress.record import End, Recorded
from airflow_provider_permitocr.engine.progress.reporter import ProgressReporter


@dataclass
class RecordedRun:
    """A run whose images end at an even pace.

    :param images: how many it has.
    :param per_second: how many of them end in a second.
    :param failing: the share of images of each error code, with the status that they end as.
    :param throttled: the share of calls that are throttled.
    :param facts: changed in the facts.
    :param sums: changed in the sums; None: the ledger cannot be added up.
    """

    images: int = 1_000
    per_second: float = 19.6
    skipped: int = 0
    failing: Mapping[str, tuple[str, float]] = field(
        default_factory=lambda: {
            "FailedOperation.ImageNoSpecifiedCard": ("failed", 0.02),
            "ImageNotFound": ("retry", 0.01),
            "ImageTruncated": ("rejected", 0.005),
        }
    )
    throttled: float = 0.01
    started_at: datetime = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
    recorded: Recorded = field(
        default_factory=lambda: Recorded(pool="tencent_permit_ocr", pool_slots=20, tables=("permits",))
    )
    facts_changed: Mapping[str, Any] = field(default_factory=dict)
    sums_changed: Mapping[str, Any] | None = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Images that ended by now."""
        return min(self.images, math.floor(self.seconds * self.per_second))

    def facts(self) -> RunFacts:
        """Return where the run is."""
        statuses = {"recognized": self.done}
        codes = {}
        for code, (status, part) in self.failing.items():
            if count := math.floor(self.done * part):
                statuses["recognized"] -= count
                statuses[status] = statuses.get(status, 0) + count
                codes[code] = count
        throttled = math.floor(self.done * self.throttled)
        facts = RunFacts(
            phase=Phase.RECOGNIZING if self.done < self.images else Phase.DELIVERING,
            total=self.images + self.skipped,
            skipped=self.skipped,
            statuses={name: count for name, count in statuses.items() if count},
            error_codes=codes,
            calls=self.done + throttled,
            billed=statuses["recognized"],
            throttled=throttled,
            in_flight=0 if self.done >= self.images else 8 + int(self.seconds) % 5,
            max_in_flight=60,
            quota=20.0,
            pace=20.0,
            targets=(TargetFacts(name="warehouse:public.permits", delivered=self.done),),
            price_per_call=Decimal("0.02"),
            currency="USD",
        )
        return replace(facts, **self.facts_changed)

    def sums(self) -> LedgerSums | None:
        """Return what the ledger adds up."""
        if self.sums_changed is None:
            raise ConnectionError
        now = self.started_at + timedelta(seconds=self.seconds)
        billed = self.facts().billed
        sums = LedgerSums(
            at=now,
            timezone="Asia/Shanghai",
            day=(now + timedelta(hours=8)).date().isoformat(),
            resets_at=datetime(now.year, now.month, now.day, 16, tzinfo=UTC),
            calls_today=self.facts().calls,
            calls_of_run=self.facts().calls,
            billed_today=billed,
            billed_month=billed + 20_000,
            cost_today={"USD": billed * Decimal("0.02")},
            cost_month={"USD": (billed + 20_000) * Decimal("0.02")},
            left_over=12,
            tries=(
                TryFacts(number=1, calls=billed, billed=billed, answered=billed, began_at=now, ended_at=now),
            ),
        )
        return replace(sums, **self.sums_changed)

    def record(self, seconds: float, *, end: End | None = None) -> dict[str, Any]:
        """Return the last record of this run after so many seconds."""
        pushed: list[dict[str, Any]] = []
        self.seconds = 0.0
        reporter = ProgressReporter(
            self,
            lambda record: pushed.append(dict(record)),
            self.recorded,
            _Silent(),
            clock=lambda: self.seconds,
            now=lambda: self.started_at + timedelta(seconds=self.seconds),
        )
        while self.seconds < seconds:
            reporter.report()
            self.seconds = min(seconds, self.seconds + reporter.pause_seconds)
        reporter.report(end)
        return pushed[-1]

    def whole_record(self) -> dict[str, Any]:
        """Return the record of the whole run, from its start to its end."""
        return self.record(self.images / self.per_second + 1, end=End())


class _Silent:
    def warning(self, event: str) -> None:
        """Drop it."""
