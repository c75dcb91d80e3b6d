from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from airflow_provider_permitocr.engine.plan.plan import Plan, together
from airflow_provider_permitocr.options.budget import Price

PLAN = Plan(
    listed=1_100,
    settled=60,
    rejected={"ImageEmpty": 10, "ImageTooLarge": 2},
    unavailable={"ImageNotFound": 3},
    same_picture=25,
    to_call=1_000,
    seconds=50.0,
    calls_left=400,
    price=Price(Decimal("0.0015"), "USD"),
)


def said(plan: Plan) -> dict[str, str]:
    return {name.strip(): text for name, text in plan.lines()}


def test_a_plan_says_what_it_holds() -> None:
    assert said(PLAN) == {
        "listed": "1,100",
        "settled before": "60",
        "rejected without a call": "12 (10 x ImageEmpty, 2 x ImageTooLarge)",
        "unavailable now": "3 (3 x ImageNotFound)",
        "same picture as another": "25",
        "to call": "1,000",
        "time": "0:00:50 at 20 calls per second",
        "cost": "1.50 USD at 0.0015 USD a call",
        "allowed by the caps": "400 of 1,000 (400 calls left)",
        "which takes": "0:00:20 and 0.60 USD",
    }


def test_what_is_not_known_is_not_said() -> None:
    plain = said(replace(PLAN, calls_left=None, price=None))
    assert plain["cost"] == "unknown: no price_per_call"
    assert "allowed by the caps" not in plain
    quick = said(replace(PLAN, is_quick=True))
    assert quick["to call"] == "1,000 at most; the images were not opened"
    assert "rejected without a call" not in quick
    assert "time" not in said(Plan(listed=0, settled=0, to_call=0, seconds=0.0))


@pytest.mark.parametrize(("left", "allowed", "cost"), [(0, 0, "0.00 USD"), (5_000, 1_000, "1.50 USD")])
def test_a_cap_allows_no_more_than_is_there(left: int, allowed: int, cost: str) -> None:
    plan = replace(PLAN, calls_left=left)
    assert (plan.allowed, plan.allowed_cost) == (allowed, cost)


def test_parts_of_a_run_add_up_side_by_side_under_common_caps() -> None:
    slower = replace(PLAN, to_call=3_000, seconds=150.0, rejected={"ImageEmpty": 1, "ImageTruncated": 4})
    both = together([PLAN, slower])
    assert (both.listed, both.settled, both.same_picture, both.to_call) == (2_200, 120, 50, 4_000)
    assert both.rejected == {"ImageEmpty": 11, "ImageTruncated": 4, "ImageTooLarge": 2}
    assert (both.seconds, both.calls_left, both.allowed) == (150.0, 400, 400)
    assert both.cost == "6.00 USD"
    assert together([PLAN]) == PLAN
