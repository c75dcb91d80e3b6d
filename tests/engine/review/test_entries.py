"""What a person may enter for a reading, and what is refused of it without quoting it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from airflow_provider_permitocr.engine.review.entries import Decision, read_entries, read_entry
from airflow_provider_permitocr.permit.api import CardSide

SECRET = "H87654321"


@pytest.mark.parametrize("said", ["right", " Right ", "y", "OK", "对", True])
def test_a_reading_is_right(said: Any) -> None:
    entry = read_entry(said, CardSide.FRONT)
    assert entry is not None
    assert (entry.decision, entry.corrections) == (Decision.CONFIRMED, {})


@pytest.mark.parametrize("said", ["wrong", "N", "no", "错", False])
def test_a_reading_is_wrong(said: Any) -> None:
    entry = read_entry(said, CardSide.FRONT)
    assert entry is not None
    assert entry.decision is Decision.REJECTED


@pytest.mark.parametrize("said", [None, "", "  ", {}])
def test_nothing_is_entered(said: Any) -> None:
    assert read_entry(said, CardSide.FRONT) is None


@pytest.mark.parametrize(
    "said",
    [
        "name=陈小明; birthday = 1986.03.02",
        "NAME＝陈小明；birthday=1986.03.02;",
        "name=陈小明\nbirthday=1986年3月2日",
        {"name": "陈小明", "birthday": "1986-03-02"},
    ],
)
def test_a_reading_is_corrected(said: Any) -> None:
    entry = read_entry(said, CardSide.FRONT)
    assert entry is not None
    assert (entry.decision, entry.fields) == (Decision.CORRECTED, ("name", "birthday"))
    assert (entry.corrections["name"], entry.corrections["birthday"]) == ("陈小明", date(1986, 3, 2))


def test_a_period_is_corrected_with_both_of_its_days() -> None:
    entry = read_entry("validity=2016.02.03-2021.02.02", CardSide.FRONT)
    assert entry is not None
    assert entry.corrections == {
        "valid_date": "2016.02.03-2021.02.02",
        "valid_from": date(2016, 2, 3),
        "valid_until": date(2021, 2, 2),
    }


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (SECRET, "neither right nor wrong"),
        (f"ssn={SECRET}", "there is no such field"),
        (f"profile={SECRET}", "there is no such field"),
        (f"review_status={SECRET}", "there is no such field"),
        ("number=", "number has no value"),
        (f"number={SECRET * 50}", "number is longer than 200 characters"),
        (f"number=1;number={SECRET}", "corrected twice"),
        (f"birthday={SECRET}", "birthday is not a date"),
        (f"validity={SECRET}", "validity is not a period"),
        ({"number": {"a": SECRET}}, "number has no value"),
        ({"number": [SECRET]}, "number has no value"),
        ({SECRET: "1"}, "there is no such field"),
        ([SECRET], "not a text"),
        (7, "not a text"),
        ("name=" + SECRET * 1000, "not a text"),
    ],
)
def test_what_cannot_be_read_is_refused_without_its_value(said: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        read_entry(said, CardSide.FRONT)
    assert SECRET not in str(refused.value)


def test_what_no_database_takes_is_replaced() -> None:
    entry = read_entry("name=a\x00b\ud800", CardSide.FRONT)
    assert entry is not None
    assert entry.corrections == {"name": "a\ufffdb\ufffd"}


@pytest.mark.parametrize(
    ("said", "side", "has"),
    [
        ("back_name=陈小明", CardSide.FRONT, "on the front; it has type, name, english_name"),
        ("name=陈小明", CardSide.BACK, "on the back; it has back_type, back_name, back_id_number"),
        ({"birthday": "1986.03.02"}, CardSide.BACK, "on the back"),
    ],
)
def test_a_field_that_the_side_does_not_have_is_refused_naming_those_it_has(
    said: Any, side: CardSide, has: str
) -> None:
    with pytest.raises(ValueError, match=has):
        read_entry(said, side)


def test_a_field_of_the_back_is_corrected_on_the_back() -> None:
    entry = read_entry("back_name=陈小明", CardSide.BACK)
    assert entry is not None
    assert entry.corrections == {"back_name": "陈小明"}


SIDES = {"a": CardSide.FRONT, "b": CardSide.BACK, "c": CardSide.FRONT, "d": CardSide.FRONT}


def test_rows_without_an_entry_are_left_open_whether_they_were_sent_or_not() -> None:
    entries = read_entries({"a": "right", "b": "", "c": "nmae=x"}, SIDES)
    assert {name: each and each.decision for name, each in entries.by_review.items()} == {
        "a": Decision.CONFIRMED,
        "b": None,
        "c": None,
        "d": None,
    }
    assert sum(entries.unreadable.values()) == 1


def test_confirming_the_rest_takes_rows_that_were_not_sent_but_none_that_could_not_be_read() -> None:
    entries = read_entries({"a": "wrong", "b": "", "c": "nmae=x"}, SIDES, confirms_rest=True)
    assert {name: each and each.decision for name, each in entries.by_review.items()} == {
        "a": Decision.REJECTED,
        "b": Decision.CONFIRMED,
        "c": None,
        "d": Decision.CONFIRMED,
    }


@pytest.mark.parametrize(
    ("given", "has_text"),
    [
        ({"a": "Right ", "b": None, "c": True, "d": ""}, False),
        ({"a": f"number={SECRET}"}, True),
        ({"a": SECRET}, True),
        # Typed for a reading that was erased meanwhile.
        ({"gone": f"number={SECRET}"}, True),
        ({"gone": "wrong"}, False),
    ],
)
def test_an_answer_with_text_is_known_to_have_it(given: dict[str, Any], has_text: bool) -> None:
    assert read_entries(given, SIDES).has_text is has_text
