from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_permitocr.options.budget import Budget
from labs.chaos.situations.cap import zone_at_noon


@pytest.mark.parametrize("hour", range(24))
def test_no_day_of_a_cap_ends_within_hours_whenever_it_is_tried(hour: int) -> None:
    now = datetime(2026, 11, 23, hour, 59, tzinfo=UTC)
    budget = Budget(max_calls_per_day=1, timezone=zone_at_noon(now))
    assert now.astimezone(ZoneInfo(budget.timezone)).hour == 12
