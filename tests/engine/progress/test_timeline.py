from __future__ import annotations

from itertools import pairwise

from airflow_provider_permitocr.engine.progress.timeline import Point, Timeline


def point(seconds: float) -> Point:
    return Point(seconds, int(seconds), int(seconds) * 2, 0, 3)


def test_a_long_run_keeps_few_points_evenly_spread_from_its_first_to_its_newest() -> None:
    timeline = Timeline(most=10)
    for second in range(1_000):
        timeline.add(point(second))
    kept = [each.seconds for each in timeline.points]
    assert len(kept) <= 11
    assert (kept[0], kept[-1]) == (0, 999)
    steps = {after - before for before, after in pairwise(kept[:-1])}
    assert len(steps) == 1


def test_a_short_run_keeps_all_of_them_once() -> None:
    timeline = Timeline(most=10)
    for second in range(4):
        timeline.add(point(second))
    assert [each.seconds for each in timeline.points] == [0, 1, 2, 3]


def test_columns_hold_the_same_points() -> None:
    timeline = Timeline()
    timeline.add(point(2.04))
    assert timeline.columns() == {
        "seconds": [2.0],
        "done": [2],
        "calls": [4],
        "throttled": [0],
        "in_flight": [3],
    }


def test_a_run_without_points_has_none() -> None:
    assert Timeline().points == []
