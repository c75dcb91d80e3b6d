from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.delivery.frame import (
    DTYPES,
    image_rows,
    refused_by_frame,
    to_frame,
    to_rows,
)
from airflow_provider_permitocr.engine.delivery.record import outcome_record
from airflow_provider_permitocr.engine.models import ImageRow, Outcome
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.permit.status import Status

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
#: Beyond a day from either end, so that no time zone leads out of Python's calendar.
moments = st.datetimes(
    datetime(1, 1, 2),
    datetime(9999, 12, 30),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-5))]),
)
_VALUES: dict[ColumnKind, st.SearchStrategy[Any]] = {
    ColumnKind.KEY: text,
    ColumnKind.TEXT: st.none() | text,
    ColumnKind.LONG_TEXT: st.none() | text,
    ColumnKind.DATE: st.none() | st.dates(),
    ColumnKind.BOOLEAN: st.none() | st.booleans(),
    ColumnKind.INTEGER: st.none() | st.integers(-(2**63), 2**63 - 1),
    ColumnKind.TIMESTAMP: st.none() | moments,
}
records = st.lists(st.fixed_dictionaries({each.name: _VALUES[each.kind] for each in COLUMNS}), max_size=4)
EXPECTED_DTYPES = {column.name: str(pd.api.types.pandas_dtype(DTYPES[column.kind])) for column in COLUMNS}


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


@pytest.mark.slow
@settings(max_examples=60)
@given(records)
def test_records_come_back_from_the_frame_as_they_went_in(records: list[dict[str, Any]]) -> None:
    frame = to_frame(records)
    rows = to_rows(frame)
    assert rows == records
    assert dtypes(frame) == EXPECTED_DTYPES
    for row, record in zip(rows, records, strict=True):
        # Drivers take neither pandas' nor NumPy's types, and 1 == True == 1.0.
        assert [type(row[name]) for name in row] == [type(record[name]) for name in row]


def test_columns_and_dtypes_are_fixed_without_any_row() -> None:
    frame = to_frame([])
    assert list(frame.columns) == [column.name for column in COLUMNS]
    assert dtypes(frame) == EXPECTED_DTYPES
    assert to_rows(frame) == []


def test_columns_and_dtypes_are_fixed_when_every_image_failed() -> None:
    outcome = Outcome(ImageRow("k", None), Status.FAILED, error_code="Code")
    record = outcome_record(outcome, processed_at=datetime(2026, 1, 31, tzinfo=UTC))
    frame = to_frame([record] * 3)
    assert dtypes(frame) == EXPECTED_DTYPES
    assert to_rows(frame) == [record] * 3


def test_a_record_that_lacks_columns_has_nulls_there() -> None:
    (row,) = to_rows(to_frame([{"image_key": "k"}]))
    assert {name for name, value in row.items() if value is not None} == {"image_key"}


def test_what_looks_like_a_number_or_a_missing_value_stays_text() -> None:
    kept = ["08320271", "1e5", "NaN", "None", "", "<NA>", "true"]
    rows = to_rows(to_frame([{"number": value} for value in kept]))
    assert [row["number"] for row in rows] == kept


@pytest.mark.parametrize("day", [date.min, date(1600, 2, 29), date(2262, 4, 12), date.max])
def test_days_outside_the_range_of_nanoseconds_are_kept(day: date) -> None:
    assert to_rows(to_frame([{"birthday": day}, {}]))[0]["birthday"] == day


def test_a_time_of_another_zone_is_the_same_moment_in_utc() -> None:
    moment = datetime(2026, 1, 31, 8, tzinfo=timezone(timedelta(hours=8)))
    (row,) = to_rows(to_frame([{"processed_at": moment}]))
    assert row["processed_at"] == moment
    assert row["processed_at"].utcoffset() == timedelta(0)


CARRIED = [
    Column("flag", ColumnKind.BOOLEAN, ""),
    Column("count", ColumnKind.INTEGER, ""),
    Column("weight", ColumnKind.FLOAT, ""),
    Column("seen_at", ColumnKind.TIMESTAMP, ""),
]


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("flag", 1, True),
        ("flag", 0, False),
        ("count", Decimal(7), 7),
        ("weight", Decimal("1.5"), 1.5),
        ("weight", 2, 2.0),
        ("weight", math.nan, None),
        ("seen_at", datetime(2026, 1, 31, 8), datetime(2026, 1, 31, 8, tzinfo=UTC)),
    ],
)
def test_values_that_a_driver_gives_in_another_type_are_those_of_the_column(
    name: str, value: Any, kept: Any
) -> None:
    (row,) = to_rows(to_frame([{name: value}], CARRIED), CARRIED)
    assert row[name] == kept
    assert type(row[name]) is type(kept)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("flag", 2),
        ("flag", "secret"),
        ("count", 2**63),
        ("count", 1.5),
        ("count", "12345"),
        ("weight", "secret"),
        ("seen_at", datetime.min.replace(tzinfo=timezone(timedelta(hours=8)))),
        ("seen_at", "secret"),
    ],
)
def test_a_value_that_its_column_cannot_hold_is_refused_without_quoting_it(name: str, value: Any) -> None:
    fitting = {"flag": True, "count": 1}
    records = [fitting, {name: value}, fitting]
    with pytest.raises(ValueError, match=f"in column '{name}'") as caught:
        to_frame(records, CARRIED)
    assert str(value) not in str(caught.value)
    assert caught.value.__suppress_context__
    assert list(refused_by_frame(records, CARRIED)) == [1]


def rows_of(frame: pd.DataFrame, **options: Any) -> list[ImageRow]:
    defaults: dict[str, Any] = {
        "image": "image",
        "key": None,
        "card_side": None,
        "default_side": CardSide.FRONT,
    }
    return image_rows(frame, **(defaults | options))


def test_images_are_read_from_their_column_and_keyed_by_the_index() -> None:
    frame = pd.DataFrame({"image": ["https://x/1", b"\xff\xd8\xff"]}, index=["a", "b"])
    assert rows_of(frame) == [ImageRow("a", "https://x/1"), ImageRow("b", b"\xff\xd8\xff")]


def test_a_key_column_of_any_kind_becomes_text() -> None:
    frame = pd.DataFrame({"image": ["x", "y"], "id": [7, 8]})
    assert [row.image_key for row in rows_of(frame, key="id")] == ["7", "8"]


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
def test_a_missing_image_is_none(missing: Any) -> None:
    frame = pd.DataFrame({"image": pd.Series(["x", missing], dtype=object)})
    assert [row.image for row in rows_of(frame)] == ["x", None]


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_a_missing_key_is_refused(missing: Any) -> None:
    frame = pd.DataFrame({"image": ["x", "y"], "id": pd.Series([1, missing], dtype=object)})
    with pytest.raises(ValueError, match="'id' has no key in 1 of 2 rows"):
        rows_of(frame, key="id")


def test_a_missing_label_of_the_index_is_refused() -> None:
    frame = pd.DataFrame({"image": ["x", "y"]}, index=["a", None])
    with pytest.raises(ValueError, match="the index has no key in 1 of 2 rows"):
        rows_of(frame)


def test_sides_are_read_leniently_and_missing_ones_are_the_default() -> None:
    frame = pd.DataFrame({"image": ["x"] * 4, "side": ["FRONT", " back ", None, float("nan")]})
    sides = [row.card_side for row in rows_of(frame, card_side="side", default_side=CardSide.BACK)]
    assert sides == [CardSide.FRONT, CardSide.BACK, CardSide.BACK, CardSide.BACK]


def test_a_nonsense_side_is_refused_without_repeating_it() -> None:
    frame = pd.DataFrame({"image": ["x"], "side": ["secret"]})
    with pytest.raises(ValueError, match="'side' may hold only FRONT, BACK") as caught:
        rows_of(frame, card_side="side")
    assert "secret" not in str(caught.value)


def test_a_column_that_is_not_there_is_named_beside_those_that_are() -> None:
    frame = pd.DataFrame({"picture": ["x"], "id": [1]})
    with pytest.raises(ValueError, match="no column image, side; it has picture, id"):
        rows_of(frame, key="id", card_side="side")


def test_a_frame_without_rows_is_no_rows() -> None:
    assert rows_of(pd.DataFrame({"image": []})) == []


def test_whole_numbers_that_a_join_made_floats_are_integers_as_keys() -> None:
    joined = pd.DataFrame({"id": [20260001, 20260002]}).merge(
        pd.DataFrame({"id": [20260001], "key": [7]}), how="left"
    )
    rows = image_rows(
        joined.dropna().assign(image="/a"),
        image="image",
        key="key",
        card_side=None,
        default_side=CardSide.FRONT,
    )
    assert [row.image_key for row in rows] == ["7"]


def test_images_of_every_type_go_through_a_frame_and_missing_ones_are_missing() -> None:
    images = [memoryview(b"a"), bytearray(b"a"), Path("/a"), None, float("nan"), pd.NA, pd.NaT]
    frame = pd.DataFrame({"image": pd.Series(images, dtype=object)})
    rows = image_rows(frame, image="image", key=None, card_side=None, default_side=CardSide.FRONT)
    assert [row.image for row in rows] == [*images[:3], None, None, None, None]
