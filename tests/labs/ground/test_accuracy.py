from __future__ import annotations

from typing import Any

from airflow_provider_permitocr.permit.api import BACK_FIELD, BACK_FIELDS, TEXT_FIELDS
from labs.ground.accuracy import ComparedField, compare, without_reason
from labs.ground.image_list import DrawnImage


def _drawn(kind: str = "clean", **fields: str) -> DrawnImage:
    answer: dict[str, Any] = {**dict.fromkeys(TEXT_FIELDS, ""), **fields}
    return DrawnImage("one", "one.png", "FRONT", kind, {**answer, BACK_FIELD: dict.fromkeys(BACK_FIELDS, "")})


def _read(**columns: str | None) -> dict[str, Any]:
    return {"image_key": "one", "card_side": "FRONT", "status": "recognized", **columns}


def test_absent_equals_null() -> None:
    accuracy = compare(
        [_drawn(Name="李优图", Sex="男")], [_read(name="李优图", sex="男", number=None)], "clean"
    )
    assert (accuracy.percent, accuracy.fields) == (100.0, 2)


def test_field_read_wrong_or_out_of_thin_air_counts_against_it() -> None:
    accuracy = compare([_drawn(Name="黄慧")], [_read(name="黃慧", back_name="慧")], "clean")
    assert accuracy.percent == 0.0
    assert accuracy.differences == (
        ComparedField("one", "name", "黄慧", "黃慧"),
        ComparedField("one", "back_name", "", "慧"),
    )


def test_image_without_an_answer_counts_with_all_its_fields() -> None:
    refused = {"image_key": "one", "card_side": "FRONT", "status": "failed", "name": None}
    for results in ([], [refused]):
        accuracy = compare([_drawn(Name="黄慧", Sex="女")], results, "clean")
        assert (accuracy.fields, accuracy.equal) == (2, 0)
        assert accuracy.unread == ("one",)
        assert accuracy.differences == ()


def test_only_the_asked_kind_is_compared() -> None:
    assert compare([_drawn(kind="effect", Name="黄慧")], [], "clean").images == 0


def test_bad_image_needs_a_row_with_a_reason() -> None:
    drawn = [
        DrawnImage(key, f"{key}.gif", "FRONT", "bad", None) for key in ("told", "untold", "read", "gone")
    ]
    results: list[dict[str, Any]] = [
        {"image_key": "told", "status": "rejected", "error_code": "ImageFormatUnsupported"},
        {"image_key": "untold", "status": "failed", "error_code": None},
        {"image_key": "read", "status": "recognized", "error_code": None},
    ]
    assert without_reason(drawn, results) == ["untold", "read", "gone"]
