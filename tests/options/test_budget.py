from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.options.budget import Budget, OnExhausted, exact_text, money


@pytest.mark.parametrize(
    ("price", "calls", "cost"),
    [
        (0.1, 3, "0.30"),
        (0.0015, 10_000, "15.00"),
        (0.00015, 1, "0.00015"),
        (1e-7, 3, "0.0000003"),
        (0.0009, 3_000_000, "2,700.00"),
        (Decimal("0.0100"), 1, "0.01"),
        (12, 1_000_000, "12,000,000.00"),
        (1e21, 3, "3,000,000,000,000,000,000,000.00"),
        (0, 5, "0.00"),
        (0.5, 0, "0.00"),
    ],
)
def test_a_cost_is_exact_and_written_as_money(price: float | Decimal, calls: int, cost: str) -> None:
    exact = Budget(price_per_call=price).cost(calls)
    assert exact is not None
    assert (money(exact, None), money(exact, "USD")) == (cost, f"{cost} USD")
    assert exact_text(exact) == cost.replace(",", "")


@given(st.decimals(0, 10_000, places=6), st.integers(0, 10**9))
def test_a_cost_loses_nothing(price: Decimal, calls: int) -> None:
    cost = exact_text(Budget(price_per_call=price).cost(calls))
    assert cost is not None
    assert Decimal(cost) == price * calls
    assert len(cost.partition(".")[2]) >= 2


def test_without_a_price_there_is_no_cost() -> None:
    assert Budget().price is None
    assert Budget(currency="USD").cost(5) is None


@pytest.mark.parametrize(
    "price", [-1, -0.0001, float("nan"), float("inf"), Decimal("sNaN"), "a cent", True, [1]]
)
def test_a_price_that_is_none_is_refused_by_its_name(price: Any) -> None:
    with pytest.raises(ValueError, match=r"^Budget: price_per_call must be "):
        Budget(price_per_call=price)
    with pytest.raises(ValueError, match=r"^price_per_call must be "):
        Budget(price_per_call=1).priced(price, None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"currency": 5}, "currency must be a text"),
        ({"max_calls": -1}, "max_calls must be a whole number, 0 or more"),
        ({"max_calls": True}, "max_calls must be a whole number, 0 or more"),
        ({"max_calls_per_day": 1.5}, "max_calls_per_day must be a whole number, 0 or more"),
        ({"on_exhausted": "stop"}, "on_exhausted must be succeed or fail"),
        ({"timezone": "Middle/Earth"}, "timezone must be a name such as .*, not 'Middle/Earth'"),
    ],
)
def test_what_is_wrong_is_told_by_its_name(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Budget(**wrong)


def test_an_own_price_and_an_own_currency_go_before_those_of_the_connection() -> None:
    assert str(Budget().priced("0.2", "CNY").price) == "0.20 CNY"
    assert str(Budget(price_per_call=0.1).priced("0.2", "CNY").price) == "0.10 CNY"
    assert str(Budget(currency="USD").priced(0.2, "CNY").price) == "0.20 USD"
    assert str(Budget(price_per_call=0, currency="USD").priced(0.2, "CNY").price) == "0.00 USD"
    assert Budget(max_calls=3, on_exhausted="fail").priced(None, None) == Budget(
        max_calls=3, on_exhausted=OnExhausted.FAIL
    )


@pytest.mark.parametrize(
    ("caps", "left"),
    [
        ({}, None),
        ({"max_calls": 10}, 6),
        ({"max_calls_per_day": 10}, 3),
        ({"max_calls": 5, "max_calls_per_day": 100}, 1),
        ({"max_calls": 100, "max_calls_per_day": 7}, 0),
        ({"max_calls": 1}, 0),
        ({"max_calls": 0}, 0),
    ],
)
def test_the_caps_leave_what_the_narrower_one_leaves(caps: dict[str, Any], left: int | None) -> None:
    assert Budget(**caps).calls_left(day=7, run=4) == left
