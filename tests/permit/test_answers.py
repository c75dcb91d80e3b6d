from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_permitocr.permit.answers import clean_text, clean_texts, flatten
from airflow_provider_permitocr.permit.api import BACK_FIELD, BACK_FIELDS, TEXT_FIELDS, WARNINGS_FIELD
from airflow_provider_permitocr.permit.columns import (
    BACK_TEXT_COLUMNS,
    COLUMNS,
    FRONT_TEXT_COLUMNS,
    ColumnKind,
)

_WARNING_FLAGS = ("warn_photocopy", "warn_recapture", "warn_photoshopped", "warn_not_enabled")
FLATTENED = {
    *FRONT_TEXT_COLUMNS,
    *BACK_TEXT_COLUMNS,
    *("birthday", "valid_from", "valid_until", "warn_card_infos", "permit_kind", "sex_code"),
    *_WARNING_FLAGS,
}
_PYTHON_TYPES: dict[ColumnKind, type] = {
    ColumnKind.TEXT: str,
    ColumnKind.LONG_TEXT: str,
    ColumnKind.DATE: date,
    ColumnKind.BOOLEAN: bool,
}
#: The API page, chapter 3; of the back, also what the service's full sample carries.
_OF_THE_PAGE = {
    *("Name", "EnglishName", "Sex", "Birthday", "IssueAuthority", "ValidDate", "Number", "IssueAddress"),
    *("IssueNumber", "Type", "Profile", "Nationality"),
}
_BACK_OF_THE_PAGE = {"Type", "Name", "IDNumber", "HistoryNumber"}
CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))

any_text = st.text(st.characters(exclude_categories=()))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)
back_infos = st.dictionaries(st.sampled_from(BACK_FIELDS) | any_text, json_values, max_size=6)
warning_codes = st.lists(st.sampled_from([-9102, -9103, -9104, -9109]) | json_values, max_size=5)
answers = st.dictionaries(st.sampled_from(TEXT_FIELDS) | any_text, json_values, max_size=8).flatmap(
    lambda plain: st.fixed_dictionaries(
        {}, optional={BACK_FIELD: back_infos | json_values, WARNINGS_FIELD: warning_codes | json_values}
    ).map(lambda nested: plain | nested)
)


def json_columns(answer: dict[str, Any]) -> dict[str, Any]:
    record = flatten(answer)
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in record.items()}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_known_answers_become_these_columns_and_no_others(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    assert json_columns(case["answer"]["Response"]) == dict.fromkeys(FLATTENED) | case["columns"]


@pytest.mark.parametrize("field", sorted(_OF_THE_PAGE | set(TEXT_FIELDS)))
def test_each_text_field_of_the_front_has_a_column(field: str) -> None:
    (column,) = [column for column, name in FRONT_TEXT_COLUMNS.items() if name == field]
    assert flatten({field: "x1"})[column] == "x1"


@pytest.mark.parametrize("field", sorted(_BACK_OF_THE_PAGE | set(BACK_FIELDS)))
def test_each_field_of_the_back_has_a_column(field: str) -> None:
    (column,) = [column for column, name in BACK_TEXT_COLUMNS.items() if name == field]
    assert flatten({BACK_FIELD: {field: "x1"}})[column] == "x1"


@pytest.mark.parametrize("absent", ["", " ", "\u3000", None])
def test_absent_text_is_null(absent: str | None) -> None:
    record = flatten(dict.fromkeys(TEXT_FIELDS, absent) | {BACK_FIELD: dict.fromkeys(BACK_FIELDS, absent)})
    assert set(record.values()) == {None}


def test_no_answer_at_all_is_a_row_of_nulls() -> None:
    assert flatten({}) == dict.fromkeys(FLATTENED)


@pytest.mark.parametrize("back", [None, "", [], 7])
def test_a_back_that_is_no_object_is_absent(back: Any) -> None:
    assert flatten({BACK_FIELD: back}) == dict.fromkeys(FLATTENED)


@pytest.mark.parametrize(
    ("sent", "kept"), [(8320271, "8320271"), (True, "true"), (["a", "样"], '["a", "样"]')]
)
def test_a_value_that_is_no_text_is_kept_as_json(sent: Any, kept: str) -> None:
    assert flatten({"Number": sent})["number"] == kept


@pytest.mark.parametrize(
    ("codes", "photocopy", "recapture", "photoshopped"),
    [
        ([], False, False, False),
        ([-9102], True, False, False),
        ([-9103], False, True, False),
        ([-9104], False, False, True),
        ([-9104, -9103, -9102], True, True, True),
        ([-1], False, False, False),
    ],
)
def test_warning_codes_become_one_boolean_each(
    codes: list[int], photocopy: bool, recapture: bool, photoshopped: bool
) -> None:
    record = flatten({WARNINGS_FIELD: codes})
    assert [record[flag] for flag in _WARNING_FLAGS] == [photocopy, recapture, photoshopped, False]
    assert record["warn_card_infos"] == json.dumps(codes)


@pytest.mark.parametrize("sent", [{}, {WARNINGS_FIELD: None}, {WARNINGS_FIELD: "none"}])
def test_without_warning_codes_nothing_is_claimed_about_the_card(sent: dict[str, Any]) -> None:
    record = flatten(sent)
    assert {record[name] for name in ("warn_card_infos", *_WARNING_FLAGS)} == {None}


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("a\x00b", "a\ufffdb"),
        ("a\ud800b", "a\ufffdb"),
        ("a\udc00", "a\ufffd"),
        ("\ud800\ud800", "\ufffd\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
        ("\ufeff李\U00020000", "\ufeff李\U00020000"),
    ],
)
def test_what_databases_refuse_in_text_is_replaced(dirty: str, clean: str) -> None:
    assert clean_text(dirty) == clean
    assert flatten({"Name": f"x{dirty}x"})["name"] == f"x{clean}x"


@given(any_text)
def test_cleaned_text_can_be_stored_and_is_clean_already(text: str) -> None:
    clean = clean_text(text)
    assert "\x00" not in clean
    assert clean.encode().decode() == clean == clean_text(clean)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_cleaning_leaves_storable_text_alone(text: str) -> None:
    assert clean_text(text) == text


@given(st.lists(st.none() | any_text))
@example(["\ud83d", "\ude00"])
@example(["李", None, "", "a\x00b"])
def test_many_texts_are_cleaned_each_by_itself(texts: list[str | None]) -> None:
    assert list(clean_texts(texts)) == [None if text is None else clean_text(text) for text in texts]


@pytest.mark.slow
@given(answers)
def test_any_answer_becomes_exactly_the_columns_in_their_types(answer: dict[str, Any]) -> None:
    record = flatten(answer)
    assert set(record) == FLATTENED
    for column in COLUMNS:
        value = record.get(column.name)
        if value is not None:
            assert type(value) is _PYTHON_TYPES[column.kind]
        if isinstance(value, str):
            assert value
            assert "\x00" not in value
            assert value.encode()


@given(st.text("0123456789", min_size=1))
def test_a_number_keeps_every_digit(number: str) -> None:
    assert flatten({"Number": number})["number"] == number


@pytest.mark.slow
@given(answers)
def test_the_raw_text_stays_beside_the_date(answer: dict[str, Any]) -> None:
    record = flatten(answer)
    assert record["birthday"] is None or record["birthday_raw"]
    assert record["valid_from"] is None or record["valid_date"]
    assert record["valid_until"] is None or record["valid_from"]
