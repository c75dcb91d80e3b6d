"""What a run would do and cost, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.options.budget import Price, exact_text


class PlanMode(StrEnum):
    """How much of a list is looked at to plan a run."""

    LOOK = "look"  #: images are loaded and checked, as in a run
    QUICK = "quick"  #: images are not opened

    @classmethod
    def read(cls, given: bool | str) -> PlanMode | None:
        """Read what was given, or rendered; None: the run is made.

        :raises ValueError: for anything else.
        """
        said = str(given).strip().lower()
        if said in ("false", "0", "no", ""):
            return None
        if said in ("true", "1", "yes"):
            return cls.LOOK
        try:
            return cls(said)
        except ValueError:
            raise ValueError(f"plan_only must be True, False or 'quick', not {given!r}") from None


@dataclass(frozen=True)
class Plan:
    """What a run would do with its list; each listed image is in exactly one of its numbers.

    :param listed: rows of the image list.
    :param settled: rows that an earlier run has settled.
    :param rejected: images that would be refused without a call, by error code.
    :param unavailable: images that cannot be read now, and are left to a later run, by error code.
    :param same_picture: images that would reuse the answer of the same picture.
    :param unseen: images that the API fetches itself, so that copies cannot be detected; with
        ``reuse_identical`` only.
    :param to_call: images that need a call.
    :param seconds: the shortest time for that many calls, at the run's pace.
    :param left_over: rows that earlier runs left, included in all numbers except ``listed``.
    :param redone: images to recognize again because of redo; only included in ``to_call``.
    :param unread: images of earlier runs that cannot be listed again.
    :param is_quick: the images were not opened, and ``to_call`` includes all that are not settled.
    :param calls_left: calls that the caps allow now; None without a cap.
    :param price: of a billed call; None if unknown.
    """

    listed: int
    settled: int
    to_call: int
    seconds: float
    rejected: Mapping[str, int] = field(default_factory=dict)
    unavailable: Mapping[str, int] = field(default_factory=dict)
    same_picture: int = 0
    unseen: int = 0
    left_over: int = 0
    unread: int = 0
    redone: int = 0
    is_quick: bool = False
    calls_left: int | None = None
    price: Price | None = None

    @property
    def allowed(self) -> int:
        """Images that the caps allow to be called for now, if each takes one call."""
        return self.to_call if self.calls_left is None else min(self.to_call, self.calls_left)

    @property
    def allowed_seconds(self) -> float:
        """The shortest time for those."""
        return self.seconds * self.allowed / self.to_call if self.to_call else 0.0

    @property
    def duration(self) -> str:
        """The shortest time for all, in hours, minutes and seconds."""
        return _duration(self.seconds)

    @property
    def cost(self) -> str | None:
        """The cost if each image to call for takes one billed call; None if no price is known."""
        return self.price.of(self.to_call) if self.price else None

    @property
    def allowed_cost(self) -> str | None:
        """The same for those that the caps allow now."""
        return self.price.of(self.allowed) if self.price else None

    def _exact(self, calls: int) -> str | None:
        return exact_text(calls * self.price.per_call) if self.price else None

    def lines(self) -> Iterator[tuple[str, str]]:
        """Format it as names and texts; a name with leading blanks is part of the one above."""
        yield "listed", f"{self.listed:,}"
        if self.left_over:
            yield "left by earlier runs", f"{self.left_over:,}"
        if self.redone:
            yield "to recognize again", f"{self.redone:,}"
        if self.unread:
            yield "  cannot be listed again", f"{self.unread:,}: clear the runs that left them"
        yield "  settled before", f"{self.settled:,}"
        if self.is_quick:
            yield "  to call", f"{self.to_call:,} at most; the images were not opened"
        else:
            yield "  rejected without a call", _with_codes(self.rejected)
            yield "  unavailable now", _with_codes(self.unavailable)
            yield "  same picture as another", f"{self.same_picture:,}"
            if self.unseen:
                yield (
                    "  copies unknown",
                    f"{self.unseen:,}: the API fetches them; ImageAccess(fetch_images=True) lets the worker"
                    " do it",
                )
            yield "  to call", f"{self.to_call:,}"
        if self.to_call:
            per_second = self.to_call / self.seconds
            yield "time", f"{self.duration} at {per_second:.3g} calls per second"
        yield "cost", f"{self.cost} at {self.price} a call" if self.cost else "unknown: no price_per_call"
        if self.calls_left is not None:
            yield (
                "allowed by the caps",
                f"{self.allowed:,} of {self.to_call:,} ({many(self.calls_left, 'call')} left)",
            )
            if self.allowed < self.to_call:
                cost = f" and {self.allowed_cost}" if self.allowed_cost else ""
                yield "  which takes", f"{_duration(self.allowed_seconds)}{cost}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values, fit for XCom."""
        return {
            "listed": self.listed,
            "settled": self.settled,
            "rejected": dict(self.rejected),
            "unavailable": dict(self.unavailable),
            "same_picture": self.same_picture,
            "unseen": self.unseen,
            "left_over": self.left_over,
            "unread": self.unread,
            "redone": self.redone,
            "to_call": self.to_call,
            "seconds": round(self.seconds, 1),
            "is_quick": self.is_quick,
            "calls_left": self.calls_left,
            "allowed": self.allowed,
            "allowed_seconds": round(self.allowed_seconds, 1),
            "price_per_call": str(self.price.per_call) if self.price else None,
            "currency": self.price.currency if self.price else None,
            "cost": self._exact(self.to_call),
            "allowed_cost": self._exact(self.allowed),
        }


#: Numbers of a plan that add up over its parts.
_ADDED_UP: Final = ("listed", "settled", "same_picture", "unseen", "left_over", "unread", "redone", "to_call")


def together(plans: Sequence[Plan]) -> Plan:
    """Add up the plans of the parts of one run, which run side by side and have caps and price in common.

    :param plans: one at least.
    """
    left = [plan.calls_left for plan in plans if plan.calls_left is not None]
    return Plan(
        **{name: sum(getattr(plan, name) for plan in plans) for name in _ADDED_UP},
        rejected=_sum(plan.rejected for plan in plans),
        unavailable=_sum(plan.unavailable for plan in plans),
        seconds=max(plan.seconds for plan in plans),
        is_quick=any(plan.is_quick for plan in plans),
        calls_left=min(left, default=None),
        price=plans[0].price,
    )


def _sum(counts: Iterator[Mapping[str, int]]) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total.most_common())


def _with_codes(counts: Mapping[str, int]) -> str:
    codes = ", ".join(f"{count:,} x {code}" for code, count in counts.items())
    return f"{sum(counts.values()):,}" + (f" ({codes})" if codes else "")


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
