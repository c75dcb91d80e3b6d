from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_permitocr.permit.api import BACK_FIELD
from airflow_provider_permitocr.permit.columns import BACK_TEXT_COLUMNS, FRONT_TEXT_COLUMNS
from labs.distributed.evidence import (
    Loss,
    all_calling_since,
    answered_per_second,
    arrivals_per_second_while_down,
    defects,
    most_admitted_in_a_second,
    open_when_killed,
    repeated,
)
from labs.distributed.image_lists import ImageList
from labs.ground.emulator_calls import Call, most_in_one_second
from labs.ground.image_list import DrawnImage

KEYS = {"digest-a": "a", "digest-b": "b", "digest-c": "c"}


def call(arrived: float, image: str | None = None, *, throttled: bool = False, took: float = 0.4) -> Call:
    return Call(
        arrived, arrived + took, f"id {arrived}", image, throttled, image is not None, image is not None
    )


def fields(name: str) -> dict[str, Any]:
    back = dict.fromkeys(BACK_TEXT_COLUMNS.values(), "")
    return {**dict.fromkeys(FRONT_TEXT_COLUMNS.values(), ""), "Name": name, BACK_FIELD: back}


def row(key: str, name: str, status: str = "recognized") -> dict[str, Any]:
    return {"image_key": key, "card_side": "FRONT", "status": status, "name": name}


@pytest.fixture
def listed() -> ImageList:
    images = tuple(DrawnImage(key, f"{key}.jpg", "FRONT", "clean", fields(f"name-{key}")) for key in "ab")
    return ImageList("dag", images, {"digest-a": "a", "digest-b": "b"})


def test_rate_counts_the_answers_within_the_time() -> None:
    calls = [
        call(9.0, "digest-a"),
        call(10.0, "digest-b"),
        call(11.0, throttled=True),
        call(11.8, "digest-c"),
    ]
    assert answered_per_second(calls, 10.0, 12.0) == 0.5


def test_steady_part_begins_when_the_last_task_has_begun_to_call() -> None:
    calls = [call(5, "digest-c"), call(2, "digest-a"), call(3, "digest-b"), call(9, "digest-a")]
    tasks = {"a": "first", "b": "second", "c": "second"}
    assert all_calling_since(calls, KEYS, tasks.__getitem__) == 3


def test_quota_counts_whole_seconds_and_not_what_was_throttled() -> None:
    calls = [call(10.0), call(10.9), call(11.1), call(11.2, throttled=True), call(11.9, throttled=True)]
    assert most_admitted_in_a_second(calls) == 2
    assert most_in_one_second(calls) == 3


def test_images_recognized_twice_are_found_by_their_keys() -> None:
    calls = [call(1, "digest-a"), call(2, "digest-b"), call(3, "digest-a"), call(4, throttled=True)]
    assert repeated(calls, KEYS) == {"a": 1}


def test_images_sent_before_the_kill_and_not_committed_are_open() -> None:
    calls = [call(1, "digest-a"), call(2, "digest-b"), call(5, "digest-c")]
    assert open_when_killed(calls, KEYS, Loss(4, frozenset({"a"}), 3, 30)) == {"b"}


def test_calls_while_the_tasks_are_down_are_counted_until_they_start_again() -> None:
    calls = [call(3.9), call(4.5), call(5.5), call(7.0), call(9.0)]
    assert arrivals_per_second_while_down(calls, Loss(4, frozenset(), 3, 9)) == 0.5


def test_table_as_it_should_be_has_no_defects(listed: ImageList) -> None:
    assert defects(listed, [row("a", "name-a"), row("b", "name-b")]) == []


@pytest.mark.parametrize(
    ("rows", "defect"),
    [
        ([row("a", "name-a")], "1 images without a row, e.g. b"),
        ([row("a", "name-a"), row("b", "name-b"), row("b", "name-b")], "1 images with several rows, e.g. b"),
        ([row("a", "name-a"), row("b", "name-b"), row("c", "")], "rows of images that are not listed"),
        ([row("a", "name-a"), row("b", "", "retry")], "1 images not recognized, e.g. b"),
        ([row("a", "name-a"), row("b", "name-a")], "1 wrong values, e.g. b.name"),
    ],
)
def test_each_way_to_be_wrong_is_told_with_an_example(
    listed: ImageList, rows: list[dict[str, Any]], defect: str
) -> None:
    assert defects(listed, rows) == [f"dag: {defect}"]
