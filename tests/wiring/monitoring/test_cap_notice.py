"""Callbacks are called once most calls of a cap are used, and can do a run no harm."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from airflow_provider_permitocr.options.budget import NearCap
from airflow_provider_permitocr.wiring.monitoring.cap_notice import CapNotice

NEAR = NearCap("max_calls_per_day", 50_000, 40_000)
CONTEXT: Any = {"run_id": "run-1"}


def test_a_callback_gets_the_tasks_context_and_the_cap() -> None:
    called: list[Any] = []
    notice = CapNotice([called.append], CONTEXT)
    notice.on_near_cap(NEAR)
    notice.wait()
    facts = {"cap": "max_calls_per_day", "limit": 50_000, "calls": 40_000}
    assert called == [{"run_id": "run-1", "permit_ocr_budget": facts}]
    assert "permit_ocr_budget" not in CONTEXT


def test_a_callback_that_hangs_holds_nothing_up() -> None:
    hangs = threading.Event()
    notice = CapNotice([lambda _: hangs.wait()], CONTEXT)
    notice.on_near_cap(NEAR)
    notice.wait(0.01)
    hangs.set()
    notice.wait()


def test_one_that_fails_keeps_no_other_from_being_called(caplog: pytest.LogCaptureFixture) -> None:
    called: list[Any] = []

    def fail(_context: Any) -> None:
        raise ConnectionError("https://hooks.example.com/secret")

    notice = CapNotice([fail, called.append], CONTEXT)
    notice.on_near_cap(NEAR)
    notice.wait()
    assert len(called) == 1
    assert "on_budget_callback failed (ConnectionError)" in caplog.text
    assert "secret" not in caplog.text
