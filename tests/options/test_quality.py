"""What a DAG author may say about flags, and what is refused when the DAG is parsed."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_permitocr import Declared, ImageTable, MainlandPermitOcrOperator, Quality, ResultTable
from airflow_provider_permitocr.options.review import ReviewRule
from airflow_provider_permitocr.permit.quality.flags import Flag


def operator(**options: Any) -> MainlandPermitOcrOperator:
    source = ImageTable(
        "images", conn_id="lake", key="id", image="image", carry_columns=options.pop("carry", [])
    )
    return MainlandPermitOcrOperator(
        task_id="t", source=source, target=ResultTable("permits", conn_id="lake"), **options
    )


def test_a_flag_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(
        ValueError,
        match=r"Quality: skip names 'expird', which is not a flag of a reading; it may name .*expired",
    ):
        Quality(skip=["expird"])


@pytest.mark.parametrize("flag", ["type_mismatch", Flag.NAME_MISMATCH])
def test_flags_of_two_sides_are_none_of_a_reading(flag: str) -> None:
    with pytest.raises(ValueError, match="which is not a flag of a reading; it may name number_format"):
        Quality(skip=[flag])
    with pytest.raises(ValueError, match="flags must be a list of names of quality flags"):
        ReviewRule(flags=[flag])


def test_flags_are_named_by_text_or_value() -> None:
    assert Quality(skip=["expired"]) == Quality(skip=[Flag.EXPIRED])
    assert Quality(skip=["expired"]).assessment.examination.skip == {Flag.EXPIRED}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"expires_within_days": -1}, "expires_within_days must be a whole number of 0 to 36500, not -1"),
        ({"expires_within_days": 10**12}, "expires_within_days must be a whole number of 0 to 36500, not"),
        ({"timezone": "Peking"}, "timezone must be a name such as Asia/Hong_Kong or UTC, not 'Peking'"),
        ({"skip": "expired"}, "skip must be a list of flags, not 'expired'"),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Quality(**options)


def test_nothing_declared_is_refused() -> None:
    with pytest.raises(ValueError, match="name at least one column"):
        Declared()


def test_a_declared_column_that_is_not_copied_is_refused_when_the_dag_is_parsed() -> None:
    quality = Quality(declared=Declared(number="claimed_no"))
    with pytest.raises(ValueError, match="number='claimed_no' is not copied; add it to carry_columns"):
        operator(quality=quality, carry=["branch"])
    operator(quality=quality, carry=["claimed_no"])


def test_answers_that_are_hidden_before_a_second_image_takes_them_cannot_be_compared() -> None:
    options: dict[str, Any] = {
        "quality": Quality(declared=Declared(number="claimed_no")),
        "carry": ["claimed_no"],
    }
    operator(**options, reuse_identical=True)
    policy = {"privacy": "analytics"}
    with pytest.raises(ValueError, match="cannot be compared; leave out reuse_identical"):
        operator(**options, **policy, reuse_identical=True)


def test_anything_but_a_quality_is_refused() -> None:
    with pytest.raises(TypeError, match="quality must be Quality, not str"):
        operator(quality="strict")
