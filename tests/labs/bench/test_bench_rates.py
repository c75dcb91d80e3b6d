"""Runs against the quota as figures and tables."""

from __future__ import annotations

from dataclasses import replace

from labs.bench.measures.journal import Window
from labs.bench.measures.rates import OtherWay, PacedRun, other_facts, quota_facts
from labs.ground.emulator_calls import Call


def calls(number: int, per_second: float) -> list[Call]:
    times = [1000 + each / per_second for each in range(number)]
    return [
        Call(time, time + 0.5, str(time), str(time), throttled=False, answered=True, billed=True)
        for time in times
    ]


def paced(per_second: float, *, available: int = 20, right: int = 400) -> PacedRun:
    made = calls(400, per_second)
    return PacedRun("one task", available, 400, right, made, made, Window(1005, 1015))


def test_a_run_near_its_quota_reaches_its_figures() -> None:
    assert [figure.reached for figure in paced(19.5).figures()] == [True, True, True]


def test_a_slower_run_misses_its_rate() -> None:
    rate, *others = paced(19.2).figures()
    assert not rate.reached
    assert all(figure.reached for figure in others)


def test_beside_a_stranger_the_rate_is_held_against_what_he_leaves() -> None:
    run = paced(13.8, available=15)
    assert [(figure.target, figure.reached) for figure in run.figures()] == [(13.5, True), (0, True)]


def test_a_lost_image_is_a_figure_that_must_be_reached() -> None:
    *_, lost = paced(19.5, right=399).figures()
    assert lost.must
    assert not lost.reached


def test_throttled_calls_beyond_half_a_percent_are_a_missed_figure() -> None:
    run = paced(19.5)
    refused = [replace(call, throttled=True, answered=False) for call in run.calls[:3]]
    _, throttled, _ = replace(run, calls=[*refused, *run.calls[3:]]).figures()
    assert throttled.measured == "0.75 %"
    assert not throttled.reached


def test_the_table_shows_rate_share_throttled_and_lost() -> None:
    (row,) = quota_facts([paced(19.5, right=398)]).rows
    assert row == ("one task", "19.50/s of 20", "97.5%", "0 of 400", "2 of 400", "20", "10 s")


def test_rows_are_lost_where_a_whole_list_was_asked_for() -> None:
    threads = OtherWay("threads", 400, 40, calls(40, 20))
    loop = OtherWay("loop", None, 23, calls(23, 2))
    _, of_threads, of_loop = other_facts(paced(19.5), [threads, loop]).rows
    assert of_threads[:3] == ("threads", "40 of 400", "360")
    assert of_loop[:3] == ("loop", "23", "none (ended)")
