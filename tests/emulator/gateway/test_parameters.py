from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.gateway.parameters import from_json, from_query, require

SCHEMA: dict[str, type] = {"Text": str, "Flag": bool, "Number": int, "List": list}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*SCHEMA, "Other"]), inner),
    max_leaves=5,
)


def outcome(body: bytes) -> dict[str, Any] | str:
    try:
        return from_json(body, SCHEMA)
    except ApiError as error:
        return error.code


@given(json_values)
def test_any_json_is_read_with_the_right_types_or_refused(document: Any) -> None:
    found = outcome(json.dumps(document).encode())
    if isinstance(found, str):
        assert found in ("InvalidParameter", "UnknownParameter")
    else:
        assert found == {name: value for name, value in document.items() if value is not None}
        assert all(type(value) is SCHEMA[name] for name, value in found.items())


@given(st.binary())
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    assert outcome(body) in ({}, "InvalidParameter", "UnknownParameter")


@given(st.text(st.characters(codec="utf-8")), st.booleans(), st.integers(min_value=0))
def test_query_gives_what_was_encoded(text: str, flag: bool, number: int) -> None:
    given_values = {"Text": text, "Flag": flag, "Number": number}
    assert from_query(urlencode(given_values), SCHEMA) == given_values


@pytest.mark.parametrize("query", ["Flag=yes", "Number=-1", "Number=1.5", "List=a"])
def test_query_value_of_another_type_is_refused(query: str) -> None:
    with pytest.raises(ApiError, match="InvalidParameter"):
        from_query(query, SCHEMA)


def test_missing_parameter_is_named() -> None:
    with pytest.raises(ApiError, match="`Number`") as caught:
        require({"Text": "a", "Number": ""}, "Text", "Number")
    assert caught.value.code == "MissingParameter"
