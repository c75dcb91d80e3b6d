from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_permitocr.emulator.faults.faults import Effect, Faults, Match, Rule
from airflow_provider_permitocr.permit.api import ACTION

BROKEN = Effect(error="InternalError")


def struck(match: Match, images: list[str | None], action: str = ACTION) -> list[bool]:
    faults = Faults([Rule("rule", match, BROKEN)])
    return [faults.strike(action, image) is not None for image in images]


def test_rule_without_conditions_strikes_every_call() -> None:
    assert struck(Match(), [None, "aa", "aa"]) == [True, True, True]


def test_call_numbers_count_all_calls_of_the_action() -> None:
    assert struck(Match(calls=(range(2, 3),)), ["aa", "bb", "cc"]) == [False, True, False]


def test_attempts_count_per_image() -> None:
    assert struck(Match(attempts=(range(1, 2),)), ["aa", "bb", "aa"]) == [True, True, False]


def test_image_is_matched_by_the_start_of_its_digest() -> None:
    assert struck(Match(image="aa"), ["aab", "abb", None]) == [True, False, False]


def test_action_is_matched() -> None:
    assert struck(Match(action="AssumeRole"), [None], action="AssumeRole") == [True]
    assert struck(Match(action="AssumeRole"), [None]) == [False]


def test_all_conditions_must_be_met() -> None:
    match = Match(image="aa", attempts=(range(2, 3),))
    assert struck(match, ["aa", "bb", "bb", "aa"]) == [False, False, False, True]


def test_rate_is_about_that_share() -> None:
    images: list[str | None] = [f"{number:x}" for number in range(4000)]
    assert 700 < sum(struck(Match(rate=0.2), images)) < 900
    assert not any(struck(Match(rate=0), images))
    assert all(struck(Match(rate=1), images))


def test_rate_strikes_the_same_images_in_whatever_order_they_come() -> None:
    images: list[str | None] = [f"{number:x}" for number in range(100)]
    forward = struck(Match(rate=0.3, seed=5), images)
    assert struck(Match(rate=0.3, seed=5), images[::-1]) == forward[::-1]
    assert struck(Match(rate=0.3, seed=6), images) != forward


def test_rate_draws_anew_for_each_attempt_of_an_image() -> None:
    assert len(set(struck(Match(rate=0.5), ["aa"] * 50))) == 2


def test_first_rule_that_matches_decides() -> None:
    faults = Faults([Rule("one", Match(image="aa"), BROKEN), Rule("two", Match(), BROKEN)])
    names = [rule.name for image in ("aa", "bb") if (rule := faults.strike(ACTION, image))]
    assert names == ["one", "two"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"action": 1}, "`action` takes"),
        ({"image": "XY"}, "`image` takes"),
        ({"image": 12.5}, "`image` takes"),
        ({"rate": 2}, "`rate` takes"),
        ({"rate": "0.5"}, "`rate` takes"),
        ({"rate": True}, "`rate` takes"),
        ({"seed": "x"}, "`seed` takes"),
    ],
)
def test_condition_that_makes_no_sense_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Match(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "give at least one"),
        ({"after_work": True}, "give at least one"),
        ({"error": "no code"}, "`error` takes"),
        ({"error": 5}, "`error` takes"),
        ({"message": 5}, "`message` takes"),
        ({"http_status": 99}, "`http_status` takes"),
        ({"http_status": "502"}, "`http_status` takes"),
        ({"body": "short"}, "`body` takes malformed or truncated"),
        ({"content_type": 5}, "`content_type` takes"),
        ({"delay": -1}, "`delay` takes"),
        ({"delay": "1"}, "`delay` takes"),
        ({"drop": "yes"}, "`drop` takes"),
        ({"drop": True, "after_work": 1}, "`after_work` takes"),
        ({"drop": True, "error": "InternalError"}, "only one of"),
        ({"http_status": 502, "error": "InternalError"}, "only one of"),
        ({"http_status": 502, "body": "truncated"}, "`body` alters"),
        ({"http_status": 429, "retry_after": -1}, "`retry_after` takes"),
        ({"http_status": 429, "retry_after": 1.5}, "`retry_after` takes"),
        ({"http_status": 429, "retry_after": True}, "`retry_after` takes"),
        ({"http_status": 429, "retry_after": "soon"}, "`retry_after` takes"),
        (
            {"http_status": 429, "retry_after": "Wed, 21 Oct 2026 07:28:00 GMT\r\nX: y"},
            "`retry_after` takes",
        ),
        ({"drop": True, "retry_after": 1}, "`retry_after` requires"),
        ({"retry_after": 1}, "`retry_after` requires"),
    ],
)
def test_effect_that_makes_no_sense_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Effect(**values)
