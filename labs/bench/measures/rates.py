"""Ways to get a list of images recognized, as the journal and the tables saw them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from labs.bench.figures import Facts, Figure
from labs.bench.measures.journal import Window, answered_per_second, images_per_second, throttled_share
from labs.ground.emulator_calls import Call, most_in_one_second
from labs.ground.servers.emulator_service import QUOTA

_SHARE_OF_QUOTA: Final = 0.97
_SHARE_BESIDE_STRANGER: Final = 0.90
_THROTTLED_PERCENT: Final = 0.5


@dataclass(frozen=True)
class PacedRun:
    """A case of the part *quota*.

    :param available: calls per second that are left of the quota.
    :param listed: how many images were listed.
    :param right: how many of them were recognized with the right number.
    :param calls: its own calls.
    :param account_calls: all calls of the account.
    :param steady: when every task of it had images left.
    """

    title: str
    available: int
    listed: int
    right: int
    calls: list[Call]
    account_calls: list[Call]
    steady: Window

    @property
    def rate(self) -> float:
        """Answered calls per second over the steady part."""
        return answered_per_second(self.calls, self.steady)

    @property
    def lost(self) -> int:
        """Images without a right row."""
        return self.listed - self.right

    def figures(self) -> list[Figure]:
        """Return its figures beside their targets."""
        share = _SHARE_OF_QUOTA if self.available == QUOTA else _SHARE_BESIDE_STRANGER
        rate = Figure(
            f"{self.title}: answered per second", self.rate, share * self.available, at_least=True, unit="/s"
        )
        lost = Figure(f"{self.title}: images lost", self.lost, 0, digits=0, must=True)
        if self.available < QUOTA:
            return [rate, lost]
        percent = 100 * throttled_share(self.calls)
        throttled = Figure(f"{self.title}: calls throttled", percent, _THROTTLED_PERCENT, unit="%")
        return [rate, throttled, lost]


@dataclass(frozen=True)
class OtherWay:
    """A way without this provider.

    :param listed: images that it was to recognize; None if it was ended after some time.
    :param right: rows with the right number.
    :param calls: of the account.
    """

    title: str
    listed: int | None
    right: int
    calls: list[Call]

    @property
    def images_per_second(self) -> float:
        """Images recognized per second."""
        return images_per_second(self.calls)


def quota_facts(runs: list[PacedRun]) -> Facts:
    """Print all observations of the cases."""
    rows = tuple(
        (
            run.title,
            f"{run.rate:.2f}/s of {run.available}",
            f"{run.rate / run.available:.1%}",
            f"{sum(call.throttled for call in run.calls)} of {len(run.calls):,}",
            f"{run.lost} of {run.listed:,}",
            str(most_in_one_second(run.account_calls)),
            f"{run.steady.seconds:.0f} s",
        )
        for run in runs
    )
    header = (
        "this provider",
        "answered",
        "of what is left",
        "calls throttled",
        "images lost",
        "most arrivals in one second",
        "steady part",
    )
    return Facts("Quota 20 per second", header, rows)


def other_facts(ours: PacedRun, others: list[OtherWay]) -> Facts:
    """Compare ways to get the same images recognized."""
    rows = [
        (
            f"this provider, {ours.title}",
            f"{ours.right:,} of {ours.listed:,}",
            f"{ours.lost:,}",
            f"{sum(call.throttled for call in ours.calls):,}",
            f"{images_per_second(ours.calls):.2f}",
        )
    ]
    for other in others:
        listed = "" if other.listed is None else f" of {other.listed:,}"
        lost = "none (ended)" if other.listed is None else f"{other.listed - other.right:,}"
        throttled = sum(call.throttled for call in other.calls)
        rows.append(
            (
                other.title,
                f"{other.right:,}{listed}",
                lost,
                f"{throttled:,}",
                f"{other.images_per_second:.2f}",
            )
        )
    header = ("way", "rows obtained", "rows lost", "calls throttled", "images per second")
    return Facts("The same images without this provider", header, tuple(rows))
