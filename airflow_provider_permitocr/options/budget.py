"""What calls cost, and how many may be made."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import ClassVar, Self

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.options.readable import Readable
from airflow_provider_permitocr.options.validation import (
    Rule,
    check,
    choice,
    held,
    number,
    optional,
    text,
    time_zone,
)


@dataclass(frozen=True)
class Price:
    """What a billed call costs.

    :param per_call: exact decimal: ten thousand calls at 0.0015 must cost 15.
    :param currency: such as ``USD``; None if unknown.
    """

    per_call: Decimal
    currency: str | None = None

    def __str__(self) -> str:
        return self.of(1)

    def of(self, calls: int) -> str:
        """Return the price of this many billed calls, with its currency."""
        return money(calls * self.per_call, self.currency)


def money(amount: Decimal, currency: str | None) -> str:
    """Show an amount exactly, with two decimals at least: ``1,500.00 USD``."""
    # In full: quantize() refuses more digits than the context has.
    shown = f"{amount:,f}" if amount.as_tuple().exponent < -2 else f"{amount:,.2f}"  # type: ignore[operator]
    whole, _, fraction = shown.partition(".")
    return f"{whole}.{fraction.rstrip('0'):0<2}" + (f" {currency}" if currency else "")


def exact_text(amount: Decimal | None) -> str | None:
    """Format an amount for programs: ``1500.00``. JSON numbers are read as floats, which are not exact."""
    return None if amount is None else money(amount, None).replace(",", "")


@dataclass(frozen=True)
class NearCap:
    """A cap that is nearly used up.

    :param name: of the ``Budget``'s argument.
    :param limit: how many calls it allows.
    :param calls: how many have been made.
    """

    name: str
    limit: int
    calls: int

    def __str__(self) -> str:
        share = f"{self.calls / self.limit:.0%}"
        return f"{share} of {self.name} are used: {self.calls:,} of {self.limit:,} calls"


@dataclass(frozen=True)
class ReachedCap:
    """A cap that allows no more calls.

    :param name: of the ``Budget``'s argument.
    :param words: which calls count toward it, and until when.
    """

    name: str
    words: str

    def __str__(self) -> str:
        return f"{self.words} ({self.name})"


class OnExhausted(StrEnum):
    """How a task ends when it may make no more calls."""

    SUCCEED = "succeed"  #: the rest is left for the next run
    FAIL = "fail"  #: the same, but the task fails and Airflow does not retry


_CAPS = ("max_calls", "max_calls_per_day")
_CURRENCY = optional(text("a text such as 'USD'"))


@dataclass(frozen=True, kw_only=True, repr=False)
class Budget(Readable):
    """What calls cost, and how many may be made. Caps need a named ``Ledger``, which counts calls.

    Every call that was sent counts, even if it is not billed, such as a throttled one.

    Price, currency and caps may be templates. One that renders to nothing is refused, not taken as no cap.

    :param price_per_call: of a billed call; None: the connection's, if it has one.
    :param currency: of the price, such as ``USD``; None: the connection's, if it has one.
    :param max_calls: maximum calls of one run, including all its shards and tries.
    :param max_calls_per_day: maximum calls of the account in one day, by all runs with the same ledger.
    :param on_exhausted: ``succeed`` or ``fail``: how the task ends when it may make no more calls.
    :param timezone: a day begins at midnight in this time zone, such as ``Asia/Shanghai``.
    :param notify_at: share of a cap at which the log warns and ``on_budget_callback`` is called.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("price_per_call", "currency", *_CAPS)

    price_per_call: float | Decimal | str | None = None
    currency: str | None = None
    max_calls: int | str | None = None
    max_calls_per_day: int | str | None = None
    on_exhausted: OnExhausted | str = OnExhausted.SUCCEED
    timezone: str = "UTC"
    notify_at: float = 0.8

    def __post_init__(self) -> None:
        cap = Rule("a whole number, 0 or more", _whole_number)
        check(
            self,
            price_per_call=optional(Rule("a number, 0 or more", _price_as_given)),
            currency=_CURRENCY,
            max_calls=optional(cap),
            max_calls_per_day=optional(cap),
            on_exhausted=choice(OnExhausted),
            timezone=time_zone(),
            notify_at=number(above=0, most=1),
        )

    @property
    def is_capped(self) -> bool:
        """Whether there is any cap."""
        return self.max_calls is not None or self.max_calls_per_day is not None

    def calls_left(self, *, day: int, run: int) -> int | None:
        """Return how many more calls the caps allow; None if there is no cap.

        :param day: calls of the account today.
        :param run: calls of the run.
        """
        used = ((self.cap_of_day, day), (self.cap_of_run, run))
        return min((max(0, cap - calls) for cap, calls in used if cap is not None), default=None)

    @property
    def cap_of_run(self) -> int | None:
        """``max_calls`` once it is rendered."""
        return None if self.max_calls is None else int(self.max_calls)

    @property
    def cap_of_day(self) -> int | None:
        """``max_calls_per_day`` once it is rendered."""
        return None if self.max_calls_per_day is None else int(self.max_calls_per_day)

    def near(self, name: str, limit: int, calls: int) -> NearCap | None:
        """Return a cap that gets near with this very call; None for the calls before and after.

        :param calls: made so far, this one included.
        """
        return NearCap(name, limit, calls) if calls == math.ceil(limit * self.notify_at) else None

    def reached(self, *, is_of_day: bool) -> ReachedCap:
        """Return the cap that is reached.

        :param is_of_day: the day's cap rather than the run's.
        """
        if is_of_day:
            return ReachedCap(
                "max_calls_per_day",
                f"the runs that share the ledger have made today's {many(self.cap_of_day or 0, 'call')};"
                f" more are allowed after midnight, {self.timezone}",
            )
        return ReachedCap(
            "max_calls",
            f"this run has made its {many(self.cap_of_run or 0, 'call')}, including all its shards and tries;"
            " the next run has its own",
        )

    @property
    def price(self) -> Price | None:
        """What a billed call costs; None if no price is known."""
        if self.price_per_call is None:
            return None
        return Price(exact_price(self.price_per_call), self.currency)

    def cost(self, calls: int) -> Decimal | None:
        """Return the exact price of billed calls; None if no price is known."""
        return calls * self.price.per_call if self.price else None

    def priced(self, price_per_call: float | Decimal | str | None, currency: str | None) -> Self:
        """Return this with a price and a currency, each unless it has its own.

        :raises ValueError: naming the fault, but not this class, which is unrelated.
        """
        given = None if price_per_call is None else exact_price(price_per_call)
        own = self.price_per_call
        return replace(
            self,
            price_per_call=given if own is None else own,
            currency=self.currency or held("currency", currency, _CURRENCY),
        )


def _whole_number(given: object) -> int:
    """Parse a cap, which is text if a template was rendered."""
    if isinstance(given, str) and given.strip().isdecimal():
        return int(given)
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise ValueError
    return given


def _price_as_given(given: object) -> object:
    exact_price(given)
    return given


def exact_price(given: object) -> Decimal:
    """Read a price as it was written: 0.1 is exactly a tenth, not the nearest binary fraction.

    :raises ValueError: when it is not a number of 0 or more.
    """
    try:
        if isinstance(given, bool):
            raise InvalidOperation
        price = Decimal(str(given))
    except InvalidOperation:
        raise ValueError(f"price_per_call must be a number, not {given!r}") from None
    if not (price.is_finite() and price >= 0):
        raise ValueError(f"price_per_call must be 0 or more, not {given!r}")
    return price
