"""A stand-in for Airflow that answers only the page's requests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from labs.ui.browser import Window, window
from tests.support.airflow_stand_in import StandIn, serve

RUN = {"dag_id": "permit_ocr_daily", "run_id": "monday", "task_id": "recognize_permits"}


@pytest.fixture
def airflow() -> StandIn:
    """An Airflow without runs; it is half an hour after noon there."""
    return StandIn()


@pytest.fixture
def now(airflow: StandIn) -> datetime:
    """The time there."""
    return airflow.now


@pytest.fixture
def soon_before(now: datetime) -> datetime:
    """When a run began that has been running for five minutes."""
    assert now.tzinfo is UTC
    return now - timedelta(seconds=300)


@pytest.fixture
def url(airflow: StandIn) -> Iterator[str]:
    with serve(airflow) as url:
        yield url


@pytest.fixture
def opened(started: Any, url: str) -> Iterator[Window]:
    """A window; what it notes is looked at once the test is over."""
    with window(started, url, timezone_id="UTC") as opened:
        yield opened
        assert opened.strangers == []
