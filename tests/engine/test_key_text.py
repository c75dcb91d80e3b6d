from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from airflow_provider_permitocr.engine.key_text import key_text


@pytest.mark.parametrize(
    ("key", "text"),
    [
        *((20260001.0, "20260001"), (np.float64(20260001), "20260001"), (np.float32(7), "7")),
        *((1e16, "10000000000000000"), (-3.0, "-3"), (2.0**53 + 2, "9007199254740994")),
        *((0.5, "0.5"), (1e300, "1e+300"), (float("inf"), "inf"), (float("nan"), "nan")),
        *((True, "True"), (7, "7"), (np.int64(7), "7"), (Decimal("20260001.0"), "20260001.0")),
        *((b"\x00\xfe", "00fe"), (memoryview(b"a"), "61"), ("20260001.0", "20260001.0")),
    ],
)
def test_whole_floats_are_integers_and_all_else_stays_exact(key: Any, text: str) -> None:
    assert key_text(key) == text


def test_no_two_floats_become_one_key() -> None:
    floats = [2.0**exponent + step for exponent in range(0, 70) for step in (-1, 0, 0.5, 1)]
    assert len({key_text(each) for each in floats}) == len(set(floats))


def test_an_instant_is_one_key_in_any_time_zone() -> None:
    moment = datetime(2026, 1, 31, 8, tzinfo=UTC)
    shown = [
        moment,
        moment.astimezone(ZoneInfo("Asia/Shanghai")),
        pd.Timestamp(moment).tz_convert("Asia/Tokyo"),
    ]
    assert {key_text(each) for each in shown} == {"2026-01-31 08:00:00+00:00"}
    assert key_text(datetime(2026, 1, 31, 8)) == "2026-01-31 08:00:00"
    assert key_text(datetime.max.replace(tzinfo=timezone(timedelta(hours=-8)))).endswith("-08:00")
