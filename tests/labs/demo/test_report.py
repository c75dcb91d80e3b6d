from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from itertools import permutations
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from airflow_provider_permitocr.permit.columns import COLUMNS
from labs.demo.report import (
    show_accuracy,
    show_costs,
    show_document,
    show_flags,
    show_results,
    show_summary,
)
from labs.demo.warehouse import LedgerSums
from labs.ground.accuracy import Accuracy, ComparedField

_COLUMNS = [column.name for column in COLUMNS]


def _row(**values: Any) -> dict[str, Any]:
    return {**dict.fromkeys(_COLUMNS), **values}


_FRONT = _row(
    image_key="twn-1",
    card_side="FRONT",
    status="recognized",
    type="台湾居民来往大陆通行证",
    name="李优图",
    english_name="LI,YOU-TU",
    sex="男",
    birthday=date(1986, 3, 2),
    number="08320271",
    valid_from=date(2016, 2, 3),
    valid_until=date(2021, 2, 2),
    profile="cG9ydHJhaXQ=",
)
_BACK = _row(
    image_key="hkm-1",
    card_side="BACK",
    status="recognized",
    back_type="港澳居民来往内地通行证",
    back_name="欧阳明",
    back_id_number="B060540(4)",
)
_BAD = _row(
    image_key="bad-gif",
    card_side="FRONT",
    status="rejected",
    error_code="ImageFormatUnsupported",
    error_message="the image is GIF; the API reads PNG and JPEG only",
)


def _shown(width: int, rows: list[dict[str, Any]]) -> list[str]:
    output = io.StringIO()
    show_results(rows, Console(file=output, width=width))
    return [line.rstrip() for line in output.getvalue().splitlines()]


def test_wide_terminal_shows_every_column_of_a_person() -> None:
    lines = _shown(120, [_FRONT, _BACK, _BAD])
    person = next(line for line in lines if line.startswith("twn-1"))
    assert person.split() == [
        *("twn-1", "台湾居民来往大陆通行证", "李优图", "LI,YOU-TU", "男"),
        *("1986-03-02", "08320271", "2016-02-03", "2021-02-02"),
    ]
    assert "hkm-1  港澳居民来往内地通行证  欧阳明     B060540(4)" in lines
    assert any("rejected  ImageFormatUnsupported  the image is GIF" in line for line in lines)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(cell_len(line) for line in _shown(width, [_FRONT, _BACK, _BAD])) <= width


def test_narrow_terminal_keeps_who_and_which_number_and_says_what_it_left_out() -> None:
    lines = _shown(60, [_FRONT])
    person = next(line for line in lines if line.startswith("twn-1"))
    assert "李优图" in person
    assert "08320271" in person
    assert any("no room for type" in line for line in lines)


def test_reason_is_shown_in_full_where_it_takes_several_lines() -> None:
    lines = _shown(80, [_BAD])
    start = next(line.index("the image is GIF") for line in lines if "the image is GIF" in line)
    assert " ".join(line[start:] for line in lines[-2:]).split() == _BAD["error_message"].split()
    assert any("rejected" in line for line in lines)


def test_narrow_terminal_tells_why_in_words_rather_than_by_code() -> None:
    no_permit = _row(
        image_key="bad-no-permit",
        card_side="FRONT",
        status="failed",
        error_code="FailedOperation.ImageNoSpecifiedCard",
        error_message="The card in the image is not of the specified type.",
    )
    lines = _shown(80, [no_permit])
    assert lines[-1] == "bad-no-permit  failed  The card in the image is not of the specified type."
    assert any("no room for error_code" in line for line in lines)


def test_table_that_just_fits_loses_no_column() -> None:
    width = max(cell_len(line) for line in _shown(200, [_FRONT]))
    assert not any("no room" in line for line in _shown(width, [_FRONT]))
    assert any("no room" in line for line in _shown(width - 1, [_FRONT]))


def test_columns_line_up_under_chinese_text() -> None:
    lines = _shown(120, [_FRONT, {**_FRONT, "image_key": "twn-2-front", "name": "欧阳优图"}])
    starts = [cell_len(line[: line.index("LI,YOU-TU")]) for line in lines if "LI,YOU-TU" in line]
    assert len(starts) == 2
    assert len(set(starts)) == 1


def test_portrait_is_never_shown() -> None:
    assert "cG9y" not in "\n".join(_shown(300, [_FRONT]))


def test_accuracy_names_each_difference() -> None:
    output = io.StringIO()
    clean = Accuracy(30, 200, 199, (ComparedField("hkm-1-front", "name", "黄慧", "黃慧"),), ())
    show_accuracy(clean, Accuracy(1, 9, 0, (), ("twn-blurred",)), Console(file=output, width=120))
    assert "99.5 %  199 of 200 fields of 30 clean" in output.getvalue()
    assert "hkm-1-front name: drawn '黄慧', read '黃慧'" in output.getvalue()
    assert "not read at all: twn-blurred" in output.getvalue()


def _summary_shown(summary: Any, calls: int) -> list[str]:
    output = io.StringIO()
    show_summary(summary, calls, LedgerSums(calls, calls, 0), Console(file=output, width=80))
    return [line.rstrip() for line in output.getvalue().splitlines()]


def test_summary_shows_counts_by_name_the_most_frequent_first() -> None:
    lines = _summary_shown({"statuses": {"retry": 1, "failed": 1, "recognized": 34}}, 36)
    assert any(line.endswith("recognized: 34, failed: 1, retry: 1") for line in lines)


def test_summary_gives_each_count_its_line_where_one_line_cannot_hold_them() -> None:
    codes = ["FailedOperation.ImageNoSpecifiedCard", "ImageFormatUnsupported", "ImageTooLarge"]
    lines = _summary_shown({"error_codes": dict.fromkeys(codes, 1)}, 1)
    assert [line.split()[-2:] for line in lines if line.endswith(": 1")] == [
        [f"{code}:", "1"] for code in codes
    ]


def test_summary_of_a_run_without_errors_says_none() -> None:
    assert any(line.split() == ["error_codes", "none"] for line in _summary_shown({"error_codes": {}}, 1))


def test_summary_tells_how_many_calls_were_answered() -> None:
    assert "answered 36 calls" in "\n".join(_summary_shown({"calls": 36}, 36))
    assert "answered 1 call in" in "\n".join(_summary_shown({"calls": 1}, 1))
    assert "answered no call" in "\n".join(_summary_shown({"calls": 0}, 0))


@pytest.mark.parametrize("shuffled", [*permutations(["listed", "error_codes", "calls", "added_later"])])
def test_summary_keeps_its_order_in_whatever_order_the_database_returns_it(shuffled: list[str]) -> None:
    shown = [line.split()[0] for line in _summary_shown(dict.fromkeys(shuffled, 1), 1) if line.endswith(" 1")]
    assert shown == ["listed", "error_codes", "calls", "added_later"]


def test_summary_tells_what_the_ledger_says() -> None:
    assert "permit_ocr_calls, says 36 called, 36 of them billed" in "\n".join(
        _summary_shown({"calls": 36}, 36)
    )


def test_summary_tells_of_calls_that_may_be_billed() -> None:
    output = io.StringIO()
    show_summary({}, 3, LedgerSums(3, 1, 2), Console(file=output, width=80))
    assert "3 called, 1 of them billed, 2 unknown." in output.getvalue()


def test_run_without_a_summary_is_told_by_its_calls_alone() -> None:
    assert "answered 2 calls" in "\n".join(_summary_shown(None, 2))


def _printed(show: Callable[[Console], object], width: int = 100) -> str:
    output = io.StringIO()
    show(Console(file=output, width=width))
    return output.getvalue()


def test_only_flagged_rows_are_shown_with_their_flags() -> None:
    rows = [
        _FRONT | {"quality_flags": '["number_format", "expired"]', "is_doubtful": True},
        _BACK | {"quality_flags": "[]"},
        _BAD,
    ]
    printed = _printed(lambda console: show_flags(rows, console))
    assert "1 with flags" in printed
    assert "number_format, expired" in printed
    assert "hkm-1" not in printed


@pytest.mark.parametrize(("mismatch", "said"), [(True, "disagree in name"), (False, "the sides agree")])
def test_both_sides_of_a_document_are_beside_each_other(mismatch: bool, said: str) -> None:
    sides = {"type": "T", "back_type": "T", "name": "黃慧", "back_name": "黄慧", "number": "H1"}
    document: defaultdict[str, Any] = defaultdict(lambda: None, sides)
    document |= {"image_key": "hkm-1", "name_mismatch": mismatch}
    printed = _printed(lambda console: show_document(document, console))
    assert said in printed
    assert [line.split() for line in printed.splitlines() if "慧" in line] == [["name", "黃慧", "黄慧"]]


def test_without_a_document_of_both_sides_nothing_is_shown() -> None:
    assert _printed(lambda console: show_document(None, console)) == ""


def test_costs_are_exact_and_have_their_currency() -> None:
    line = {"day": date(2026, 7, 1), "dag_id": "d", "permit_kind": "taiwan", "calls": 3, "billed": 3}
    free = line | {"permit_kind": None, "cost_micros": None, "currency": None}
    printed = _printed(
        lambda console: show_costs([line | {"cost_micros": 60_001, "currency": "USD"}, free], console)
    )
    assert "0.060001 USD" in printed
    assert "unknown" in printed
