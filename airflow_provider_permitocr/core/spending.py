"""What calls cost, and how many may be made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_provider_permitocr.core.readable import Readable


class AtCap(StrEnum):
    """How a task ends that may make no more calls."""

    SUCCEED = "succeed"  #: the rest is left for the next run
    FAIL = "fail"  #: likewise, but somebody should look; Airflow does not retry


@dataclass(frozen=True, repr=False)
class Spending(Readable):
    """What calls cost, and how many may be made. The caps need a ``CallsTable``, which they are counted in.

    Every call that was sent counts, those that are not billed too, such as a throttled one.

    :param price_per_call: of a billed call; None: the connection's, if it has one.
    :param currency: of the price, such as ``USD``; None: the connection's, if it has one.
    :param max_calls: most calls of one run: of all its shards and all its tries together.
    :param max_calls_per_day: most calls of the account in one day, of all runs with the same ``CallsTable``.
    :param at_cap: ``succeed`` or ``fail``: how the task ends that may make no more calls.
    :param timezone: whose midnight a day begins at, such as ``Asia/Shanghai``.
    """

    price_per_call: float | None = None
    currency: str | None = None
    max_calls: int | None = None
    max_calls_per_day: int | None = None
    at_cap: AtCap | str = AtCap.SUCCEED
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if self.price_per_call is not None and not 0 <= self.price_per_call < math.inf:
            raise ValueError(f"price_per_call must be 0 or more, not {self.price_per_call!r}")
        for name in ("max_calls", "max_calls_per_day"):
            cap = getattr(self, name)
            if cap is not None and (not isinstance(cap, int) or isinstance(cap, bool) or cap < 0):
                raise ValueError(f"{name} must be a whole number, 0 or more, not {cap!r}")
        try:
            object.__setattr__(self, "at_cap", AtCap(self.at_cap))
        except ValueError:
            raise ValueError(f"at_cap must be succeed or fail, not {self.at_cap!r}") from None
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"there is no timezone {self.timezone!r}") from None

    @property
    def is_capped(self) -> bool:
        """Whether there is any cap."""
        return self.max_calls is not None or self.max_calls_per_day is not None

    def cost(self, calls: int) -> str | None:
        """Return the price of billed calls, with its currency; None where no price is known."""
        if self.price_per_call is None:
            return None
        # Prices per call go down to a few ten-thousandths.
        return f"{calls * self.price_per_call:,.4f}".rstrip("0").rstrip(".") + (
            f" {self.currency}" if self.currency else ""
        )
