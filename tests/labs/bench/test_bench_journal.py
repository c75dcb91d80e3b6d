"""What the journal says of a rate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labs.bench.measures.journal import (
    Window,
    answered_per_second,
    by_second,
    images_per_second,
    mean_latency,
    steady_part,
    throttled_share,
    without,
)
from labs.ground.emulator_calls import Call


def call(arrived: float, image: str | None = "a", *, seconds: float = 0.5) -> Call:
    return Call(
        arrived, arrived + seconds, f"id {arrived}", image, throttled=False, answered=True, billed=True
    )


def refused(arrived: float) -> Call:
    return replace(call(arrived, None, seconds=0), throttled=True, answered=False)


def test_somebody_elses_calls_are_left_out_refused_ones_too() -> None:
    calls = [call(1), refused(2), call(3)]
    assert without(calls, {"id 2", "id 3"}) == [calls[0]]


def test_the_steady_part_is_when_every_task_has_images_left() -> None:
    early = [call(second, f"early {second}") for second in range(100, 131)]
    late = [call(second, f"late {second}") for second in range(104, 141)]
    lists = [{each.image or "" for each in early}, {each.image or "" for each in late}]

    assert steady_part([*early, *late], lists) == Window(104 + 5, 130 - 1)


def test_the_steady_part_ignores_refused_calls_and_those_of_others() -> None:
    own = [call(second, str(second)) for second in range(100, 121)]
    others = [refused(90), call(91, "a stranger's"), refused(130)]
    assert steady_part([*others, *own], [{each.image or "" for each in own}]) == Window(105, 119)


def test_a_task_without_a_call_leaves_no_steady_part() -> None:
    with pytest.raises(ValueError, match="made no call"):
        steady_part([call(1, "a")], [{"a"}, {"b"}])


def test_a_run_of_a_few_seconds_has_no_steady_part() -> None:
    calls = [call(1, "a"), call(7, "b")]
    with pytest.raises(ValueError, match="list more images"):
        steady_part(calls, [{"a", "b"}])


def test_the_rate_counts_answered_calls_by_their_arrival() -> None:
    calls = [call(9.9), call(10), refused(10.5), call(11), call(11.9, seconds=3), call(12)]
    assert answered_per_second(calls, Window(10, 12)) == 3 / 2


def test_images_per_second_count_each_image_once_over_the_whole_run() -> None:
    calls = [call(10, "a"), call(11, "a"), refused(12), call(13, "b", seconds=1)]
    assert images_per_second(calls) == 2 / (14 - 10)


def test_the_share_of_throttled_calls_is_of_all_calls() -> None:
    assert throttled_share([call(1), refused(2), refused(3), call(4)]) == 0.5


def test_seconds_without_an_answer_are_in_the_course() -> None:
    assert by_second([call(10.6), call(11.5), refused(12), call(13.7)], start=10.5) == [1, 1, 0, 1]


def test_the_mean_latency_is_that_of_answered_calls() -> None:
    assert mean_latency([call(1, seconds=0.25), refused(2), call(3, seconds=0.75)]) == 0.5
