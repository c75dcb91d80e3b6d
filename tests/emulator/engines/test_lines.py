from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.emulator.engines.lines import Quad, rotate, straighten, writing_angle

LEVEL: list[tuple[float, float]] = [(100, 50), (300, 50), (300, 80), (100, 80)]


def turned(degrees: float) -> Quad:
    return [rotate(corner, -math.radians(degrees)) for corner in LEVEL]


@given(st.floats(min_value=-40, max_value=40))
def test_slanted_writing_is_laid_level(degrees: float) -> None:
    quad = turned(degrees)
    angle = writing_angle([quad])
    assert math.degrees(angle) == pytest.approx(degrees, abs=1e-6)
    (line,) = straighten([quad], ["text"], angle)
    assert (line.left, line.top, line.right, line.bottom) == pytest.approx((100, 50, 300, 80))


def test_short_boxes_do_not_tell_the_slope() -> None:
    short = [(0.0, 0.0), (30.0, 20.0), (20.0, 50.0), (-10.0, 30.0)]
    assert writing_angle([short]) == 0.0
    assert math.degrees(writing_angle([short, turned(5)])) == pytest.approx(5)


def test_one_crooked_box_does_not_turn_the_rest() -> None:
    assert math.degrees(writing_angle([turned(2), turned(2), turned(30)])) == pytest.approx(2)
