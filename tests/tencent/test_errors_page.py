"""docs/errors.md says what the code does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from airflow_provider_permitocr.errors import Decision
from airflow_provider_permitocr.permit.api import BILLED_ERROR_CODES
from airflow_provider_permitocr.permit.error_codes import SERVICE_CODES, ErrorCode
from airflow_provider_permitocr.tencent.retry_after import MAX_RETRY_AFTER_SECONDS
from airflow_provider_permitocr.tencent.wire_codes import WIRE_CODES

_PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
_HEAD = ["| code | decision | billed | what has happened | what to do |", "|---|---|---|---|---|"]
_BILLED = {True: "yes", False: "no", None: "unknown"}


def table(codes: Sequence[ErrorCode]) -> list[str]:
    """Write the rows as the page has them."""
    return _HEAD + [
        f"| `{each.code}` | {each.decision} | {_BILLED[each.billed]} | {each.reason} | {each.advice} |"
        for each in sorted(codes, key=lambda each: each.code)
    ]


@pytest.mark.parametrize("codes", [SERVICE_CODES, WIRE_CODES], ids=["service", "wire"])
def test_page_has_the_table_of_the_code(codes: Sequence[ErrorCode]) -> None:
    assert "\n".join(table(codes)) in _PAGE.read_text(encoding="utf-8")


def test_page_explains_every_decision() -> None:
    page = _PAGE.read_text(encoding="utf-8")
    assert [each for each in Decision if f"| `{each}` |" not in page] == []


def test_page_names_what_is_billed_and_the_longest_wait() -> None:
    introduction = _PAGE.read_text(encoding="utf-8").partition("## What the service answers")[0]
    assert [code for code in BILLED_ERROR_CODES if f"`{code}`" not in introduction] == []
    assert f"{MAX_RETRY_AFTER_SECONDS:.0f} seconds" in introduction
