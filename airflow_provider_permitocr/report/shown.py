"""What pictures and tables of a report show of its figures: the last days, the most frequent, in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

from airflow_provider_permitocr.engine.analytics.figures import (
    MICROS,
    FailureCount,
    Figures,
    FlagCount,
    HourLine,
)
from airflow_provider_permitocr.permit.quality.kinds import PermitKind

#: How much a picture has room for.
DAYS: Final = 30
HOURS: Final = 48
MOST_FREQUENT: Final = 8
WITHIN_DAYS: Final = (30, 60, 90)
EXPIRING_IN: Final = ("in 0–30 days", "in 31–60 days", "in 61–90 days")
_WITHOUT_CURRENCY: Final = ""
_KINDS: Final[Mapping[str | None, str]] = {
    PermitKind.HONG_KONG_MACAO: "Hong Kong, Macao",
    PermitKind.TAIWAN: "Taiwan",
    PermitKind.HONG_KONG_MACAO_NON_CHINESE: "HK, Macao, non-Chinese",
    PermitKind.EXIT_ENTRY: "Exit-entry",
    None: "Unknown kind",
}

#: A value of each kind or group, one for each place on an axis.
Series = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Money:
    """The cost of calls in one currency, by day.

    :param currency: '' if prices have none.
    :param micros: of each day shown, in millionths.
    """

    currency: str
    micros: Sequence[int]

    @property
    def total(self) -> str:
        """What all of them cost, exactly."""
        return in_words(sum(self.micros), self.currency)


@dataclass(frozen=True)
class Shown:
    """The figures of a report as they are shown."""

    figures: Figures

    @cached_property
    def days(self) -> list[date]:
        """The last days, those without a permit or call included."""
        return [self.figures.today - timedelta(days=back) for back in reversed(range(DAYS))]

    @cached_property
    def permits(self) -> Series:
        """Recognized permits of each kind, by day."""
        counts = ((each.day, kind(each.permit_kind), each.permits) for each in self.figures.days)
        return _series(counts, self.days)

    @cached_property
    def expiring(self) -> Series:
        """Permits of each kind that expire, by ``WITHIN_DAYS``."""
        counts = ((each.within_days, kind(each.permit_kind), each.permits) for each in self.figures.expiring)
        return _series(counts, WITHIN_DAYS)

    @cached_property
    def failures(self) -> Sequence[FailureCount]:
        """The most frequent causes."""
        return self.figures.failures[:MOST_FREQUENT]

    @cached_property
    def flags(self) -> Sequence[FlagCount]:
        """The most frequent flags."""
        return self.figures.flags[:MOST_FREQUENT]

    @cached_property
    def money(self) -> list[Money]:
        """What calls cost in each currency, by day; the currency with most days first."""
        found: dict[str, dict[date, int]] = defaultdict(lambda: defaultdict(int))
        for line in self.figures.costs:
            if line.cost_micros is not None and self.days[0] <= line.day <= self.days[-1]:
                found[line.currency or _WITHOUT_CURRENCY][line.day] += line.cost_micros
        ordered = sorted(found.items(), key=lambda each: (-len(each[1]), each[0]))
        return [Money(currency, [of[day] for day in self.days]) for currency, of in ordered]

    @cached_property
    def unpriced(self) -> int:
        """Billed calls of the days shown that have no price."""
        lines = (each for each in self.figures.costs if each.cost_micros is None and each.day >= self.days[0])
        return sum(each.billed for each in lines)

    @cached_property
    def unknown_billing(self) -> int:
        """Calls on the days shown that may or may not be billed."""
        return sum(each.unknown for each in self.figures.costs if each.day >= self.days[0])

    @cached_property
    def hours(self) -> Sequence[HourLine]:
        """The last hours with calls."""
        return self.figures.hours[-HOURS:]

    def local(self, moment: datetime) -> datetime:
        """Return a moment by the report's clocks."""
        return moment.astimezone(ZoneInfo(self.figures.timezone))

    @property
    def covers(self) -> str:
        """Describe what the report covers."""
        zone = self.figures.timezone
        return (
            f"{self.figures.today:%B} {self.figures.today.day}, {self.figures.today.year} ({zone})."
            f" Days and cost: {self.days[0]} to {self.days[-1]}. Expiry, results and flags: the whole result"
            " table"
        )

    @property
    def headlines(self) -> list[tuple[str, str]]:
        """The most important figures, with their names."""
        recognized = sum(map(sum, self.permits.values()))
        cost = ", ".join(each.total for each in self.money)
        return [
            (f"{recognized:,}", f"permits recognized in {DAYS} days"),
            (f"{sum(map(sum, self.expiring.values())):,}", f"permits expire within {WITHIN_DAYS[-1]} days"),
            (f"{sum(each.images for each in self.figures.failures):,}", "images without a result"),
            (f"{self.figures.people:,}", "document numbers under several keys"),
            (cost or "no price known", f"cost of calls in {DAYS} days"),
        ]


def kind(name: str | None) -> str:
    """Return a kind of permit in words."""
    return _KINDS.get(name, name or "")


def in_words(micros: int, currency: str) -> str:
    """Return an amount of money exactly, with two decimals at least."""
    amount = f"{Decimal(micros) / MICROS:,f}"
    whole, _, fraction = amount.partition(".")
    return f"{whole}.{fraction.rstrip('0'):0<2} {currency}".rstrip()


def _series(counts: Iterable[tuple[object, str, int]], places: Sequence[object]) -> Series:
    """Arrange counts by what they are of, the most frequent first."""
    of_place: dict[str, dict[object, int]] = defaultdict(lambda: defaultdict(int))
    for place, name, count in counts:
        if place in places:
            of_place[name][place] += count
    ordered = sorted(of_place.items(), key=lambda each: (-sum(each[1].values()), each[0]))
    return {name: [of[place] for place in places] for name, of in ordered}
