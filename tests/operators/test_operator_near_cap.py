"""Somebody is told before a cap is reached: once, however many tasks share it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_permitocr import Budget, Ledger
from airflow_provider_permitocr.emulator.running import RunningEmulator
from tests.operators.conftest import ImageList

pytestmark = pytest.mark.whole_runs

Try = Callable[..., dict[str, Any]]
LEDGER = Ledger("permit_ocr", conn_id="warehouse")


@pytest.fixture
def called() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def try_capped(try_task: Try, called: list[dict[str, Any]]) -> Try:
    def note(context: Any) -> None:
        called.append(context["permit_ocr_budget"])

    return lambda *args, **more: try_task(*args, ledger=LEDGER, on_budget_callback=note, **more)


def test_the_day_is_told_once_over_all_runs(
    try_capped: Try, connected: RunningEmulator, image_list: ImageList, called: list[dict[str, Any]]
) -> None:
    image_list(9)
    budget = Budget(max_calls=4, max_calls_per_day=10, notify_at=0.7)
    for number in range(3):
        try_capped(f"run-{number}", budget=budget)
    assert [each for each in called if each["cap"] == "max_calls_per_day"] == [
        {"cap": "max_calls_per_day", "limit": 10, "calls": 7}
    ]


def test_a_run_is_told_once(
    try_capped: Try,
    connected: RunningEmulator,
    image_list: ImageList,
    called: list[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    image_list(6)
    try_capped(budget=Budget(max_calls=5))
    assert called == [{"cap": "max_calls", "limit": 5, "calls": 4}]
    assert "80% of max_calls are used: 4 of 5 calls" in caplog.text


def test_nobody_is_told_below_that_share(
    try_capped: Try, connected: RunningEmulator, image_list: ImageList, called: list[dict[str, Any]]
) -> None:
    image_list(3)
    try_capped(budget=Budget(max_calls=5))
    assert called == []
