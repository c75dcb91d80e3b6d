"""What a DAG author may ask to have reviewed."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_permitocr.options.review import ReviewRule


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"rows": 0}, "rows must be a whole number of 1 to 200"),
        ({"rows": 201}, "rows must be a whole number of 1 to 200"),
        ({"flags": []}, "flags must be a list of names of quality flags"),
        ({"flags": "expired"}, "flags must be a list of names of quality flags"),
        ({"flags": ["no_such_flag"]}, "flags must be a list of names of quality flags"),
        ({"show": "name"}, "show must be a list of columns"),
        ({"show": ["profile"]}, "show must be a list of columns"),
        ({"show": ["customer"]}, "show must be a list of columns"),
        ({"link": "javascript:alert('{image_key}')"}, "link must be an http"),
        ({"link": "https://viewer.example.com/"}, "link must be an http"),
        ({"link": "https://viewer.example.com/{image_key}/{number}"}, "link must be an http"),
    ],
)
def test_what_makes_no_question_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        ReviewRule(**given)


def test_lists_are_kept_as_they_are_given() -> None:
    rule = ReviewRule(
        flags=["expired", "number_format"], show=["name"], link="http://v/{image_key}?{card_side}"
    )
    assert (rule.flags, rule.show) == (("expired", "number_format"), ("name",))
