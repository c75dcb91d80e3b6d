"""What a report shows: counts and sums without personal data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NamedTuple

#: This many micros are one unit of a currency.
MICROS: Final = 1_000_000


class DayCount(NamedTuple):
    """Recognized fronts of one day and kind."""

    day: date | None
    permit_kind: str | None
    permits: int


class ExpiringCount(NamedTuple):
    """Permits of one kind that expire within this many days, but not within the next smaller period."""

    permit_kind: str | None
    within_days: int
    permits: int


class FailureCount(NamedTuple):
    """Images and sides without an answer, by cause."""

    error_code: str | None
    status: str
    images: int
    cause: str | None
    advice: str | None


class FlagCount(NamedTuple):
    """Images and sides with a flag, by people's decisions."""

    flag: str
    images: int
    confirmed: int
    corrected: int
    rejected: int
    undecided: int


class CostLine(NamedTuple):
    """Calls of one day, DAG, kind and price.

    :param unknown: calls that may or may not be billed; not included in the cost.
    :param cost_micros: in millionths of the currency; None: the price is unknown.
    """

    day: date
    dag_id: str
    permit_kind: str | None
    currency: str | None
    unit_price: str | None
    calls: int
    billed: int
    unknown: int
    cost_micros: int | None

    @property
    def begin(self) -> date:
        """When the time begins that it is of."""
        return self.day

    @property
    def settled(self) -> int:
        """Calls whose billing is known."""
        return self.calls - self.unknown


class HourLine(NamedTuple):
    """Calls of one hour.

    :param best_minute: calls in its busiest minute.
    :param p50_ms, p95_ms: from a call's intent to its outcome; None: no call was answered.
    """

    hour: datetime
    calls: int
    answered: int
    best_minute: int
    p50_ms: int | None
    p95_ms: int | None

    @property
    def begin(self) -> date:
        """When the time begins that it is of."""
        return self.hour

    @property
    def settled(self) -> int:
        """Calls with a known outcome."""
        return self.answered


@dataclass(frozen=True)
class Figures:
    """All figures of a report.

    :param table: the result table's name.
    :param today: the current day by the database's clock.
    :param timezone: a day begins at midnight in this time zone.
    :param people: numbers that occur under several keys.
    :param names_differ, issues_differ: numbers among them with different names, and with issues out of order.
    """

    table: str
    today: date
    timezone: str
    days: Sequence[DayCount]
    expiring: Sequence[ExpiringCount]
    people: int
    names_differ: int
    issues_differ: int
    failures: Sequence[FailureCount]
    flags: Sequence[FlagCount]
    costs: Sequence[CostLine]
    hours: Sequence[HourLine]
