"""Privacy policies as DAG authors write them: what they say, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_permitocr import ImageTable, Ledger, MainlandPermitOcrOperator, Privacy, ResultTable
from airflow_provider_permitocr.permit.replacement import Method


def test_what_is_not_named_is_kept() -> None:
    methods = Privacy(number="hmac").methods
    assert {name for name, method in methods.items() if method is not Method.KEEP} == {"number"}


def test_a_preset_is_changed_fact_by_fact() -> None:
    methods = Privacy("pseudonymous", english_name="drop").methods
    assert (methods["english_name"], methods["name"]) == (Method.DROP, Method.MASK)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"preset": "secret"}, "preset must be analytics or pseudonymous, or None, not 'secret'"),
        ({"name": "hide"}, "name must be one of keep, drop, mask, year, hmac, encrypt"),
        ({"name": "year"}, "name must be one of keep, drop, mask, hmac, encrypt, not 'year'"),
        ({"profile": "mask"}, "profile must be one of keep, drop, not 'mask'"),
        ({"birthday": "mask"}, "birthday must be one of keep, drop, year, hmac, encrypt"),
        ({"carried": {"a": "hide"}}, r"carried\['a'\] must be one of"),
        ({"carried": ["a"]}, "carried must be a mapping"),
        ({"hmac_conn_id": ""}, "hmac_conn_id must be a text"),
    ],
)
def test_a_policy_that_says_nothing_sensible_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Privacy(**given)


def task(carry: tuple[str, ...] = (), **options: Any) -> MainlandPermitOcrOperator:
    source = ImageTable("images", conn_id="lake", key="id", image="url", carry_columns=carry)
    return MainlandPermitOcrOperator(
        task_id="recognize", source=source, target=ResultTable("permits", conn_id="warehouse"), **options
    )


@pytest.mark.parametrize("given", ["analytics", "pseudonymous"])
def test_a_preset_is_given_by_its_name(given: str) -> None:
    assert task(privacy=given).privacy == Privacy(given)


def test_a_copied_column_has_to_be_named() -> None:
    with pytest.raises(ValueError, match="add a method for the copied column 'claimed_no'"):
        task(("claimed_no",), privacy="analytics")
    assert task(("claimed_no",), privacy=Privacy("analytics", carried={"claimed_no": "drop"}))


def test_a_column_that_is_not_copied_cannot_be_named() -> None:
    with pytest.raises(ValueError, match=r"carried names 'clamed_no', .* it has claimed_no"):
        task(("claimed_no",), privacy=Privacy(carried={"claimed_no": "keep", "clamed_no": "drop"}))


def test_what_is_no_policy_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(TypeError, match="privacy must be a Privacy"):
        task(privacy=Ledger(conn_id="x"))
