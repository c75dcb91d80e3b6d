"""What a run did, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from decimal import Decimal
from typing import Any, Self

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.options.budget import ReachedCap, exact_text, money


@dataclass(frozen=True)
class RunSummary:
    """What a run did, in numbers that XCom, events and logs may show.

    :param listed: rows of the image list.
    :param skipped: rows that an earlier run had settled.
    :param statuses: images of this run, by status.
    :param error_codes: images of this run without fields, by error code.
    :param calls: requests sent, including retries and throttled ones.
    :param throttled: throttled calls.
    :param elapsed_seconds: from the check of the list to the end of the last delivery.
    :param doubtful: recognized images with a quality flag that says their reading may be wrong.
    :param reused: images that reused the answer of the same picture, without a call.
    :param elsewhere: images that another run handled meanwhile.
    :param billed: billed calls, as far as known.
    :param cost: their exact price; None if unknown.
    :param currency: of the cost; None if unknown.
    :param left: maximum number of images left for a later run.
    :param cap: the cap that left them; None if none was reached.
    :param taken_up: images left by earlier runs that this run handled.
    :param unread: images of earlier runs that cannot be listed again.
    :param refused: rows that a result table refuses, of this run and earlier ones.
    :param undelivered: rows missing from the tables at its end, of any run, for monitoring; a run
        that returns has none, unless another delivers. None if unknown.
    :param delivered: rows that this run wrote to each table and file.
    :param ended_by: name of the error that ended it early, as the ledger records it; a run that returns
        has none.
    """

    listed: int
    skipped: int
    statuses: Mapping[str, int]
    error_codes: Mapping[str, int]
    calls: int
    throttled: int
    elapsed_seconds: float
    doubtful: int = 0
    reused: int = 0
    elsewhere: int = 0
    billed: int = 0
    cost: Decimal | None = None
    currency: str | None = None
    left: int = 0
    cap: ReachedCap | None = None
    taken_up: int = 0
    unread: int = 0
    refused: int = 0
    undelivered: int | None = None
    delivered: Mapping[str, int] = field(default_factory=dict)
    ended_by: str | None = None

    @classmethod
    def of(cls, numbers: Mapping[str, Any]) -> Self:
        """Return the summary from the form of ``as_dict``.

        :raises ValueError: when it is not a summary.
        """
        known = {each.name for each in fields(cls)} & numbers.keys()
        needed = {
            each.name for each in fields(cls) if each.default is MISSING and each.default_factory is MISSING
        }
        if not needed <= known:
            raise ValueError(f"not the summary of a run: it has {', '.join(sorted(numbers)) or 'nothing'}")
        given = {name: numbers[name] for name in known}
        cost, cap = given.get("cost"), given.get("cap")
        read = {
            "cost": None if cost is None else Decimal(cost),
            "cap": ReachedCap(cap, "its calls are used up") if cap else None,
        }
        return cls(**{**given, **read})

    @property
    def calls_per_second(self) -> float:
        """The rate reached over the whole run; 0 for a run that took no time."""
        return self.calls / self.elapsed_seconds if self.elapsed_seconds > 0 else 0.0

    @property
    def cost_words(self) -> str | None:
        """The cost with its currency; None if no price is known."""
        return None if self.cost is None else money(self.cost, self.currency)

    @property
    def left_words(self) -> str | None:
        """How many images are left, and why; None if none are left."""
        return (
            f"Up to {many(self.left, 'image is', 'images are')} left for a later run: {self.cap}"
            if self.cap
            else None
        )

    def __str__(self) -> str:
        statuses = ", ".join(f"{count:,} {status}" for status, count in self.statuses.items())
        return (
            f"{self.listed:,} listed, {self.skipped:,} settled before; {statuses or 'no new rows'};"
            f" {many(self.calls, 'call')} in {self.elapsed_seconds:.1f} s ({self.calls_per_second:.1f}/s),"
            f" {self.throttled:,} throttled, {self.billed:,} billed"
            + (f" ({self.cost_words})" if self.cost_words else "")
            + (f"; {self.reused:,} took the answer of the same picture" if self.reused else "")
            + (f"; {self.elsewhere:,} done by another run meanwhile" if self.elsewhere else "")
            + (f"; {self.taken_up:,} of earlier runs among them" if self.taken_up else "")
            + (f"; {many(self.refused, 'row')} refused by a result table" if self.refused else "")
            + (f"; {self.unread:,} of earlier runs cannot be listed again" if self.unread else "")
            + (f"; {self.left_words}" if self.left_words else "")
            + (f"; ended early, by {self.ended_by}" if self.ended_by else "")
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values, fit for XCom."""
        return {
            "listed": self.listed,
            "skipped": self.skipped,
            "statuses": dict(self.statuses),
            "error_codes": dict(self.error_codes),
            "calls": self.calls,
            "throttled": self.throttled,
            "elapsed_seconds": round(self.elapsed_seconds, 3),
            "calls_per_second": round(self.calls_per_second, 2),
            "doubtful": self.doubtful,
            "reused": self.reused,
            "elsewhere": self.elsewhere,
            "billed": self.billed,
            "cost": exact_text(self.cost),
            "currency": self.currency,
            "left": self.left,
            "cap": self.cap.name if self.cap else None,
            "taken_up": self.taken_up,
            "unread": self.unread,
            "refused": self.refused,
            "delivered": dict(self.delivered),
        }
