"""docs/reference/errors.md says what the code does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from airflow_provider_permitocr.errors import Decision
from airflow_provider_permitocr.permit.error_codes import SERVICE_CODES, ErrorCode
from airflow_provider_permitocr.tencent.transport import MAX_RETRY_AFTER_SECONDS
from airflow_provider_permitocr.tencent.wire_codes import WIRE_CODES
from tests.support.reference_pages import code_rows, errors_page, rows_missing_on_errors_page

_HEAD = ["| code | decision | billed | what has happened | what to do |", "|---|---|---|---|---|"]


@pytest.mark.parametrize("codes", [SERVICE_CODES, WIRE_CODES], ids=["service", "wire"])
def test_page_has_the_table_of_the_code(codes: Sequence[ErrorCode]) -> None:
    assert rows_missing_on_errors_page(codes) == []
    assert "\n".join([*_HEAD, *code_rows(codes)]) in errors_page()


def test_page_explains_every_decision() -> None:
    page = errors_page()
    assert [each for each in Decision if f"| `{each}` |" not in page] == []


def test_page_names_what_is_billed_and_the_longest_wait() -> None:
    introduction = errors_page().partition("## What the service answers")[0]
    billed = [each.code for each in SERVICE_CODES if each.billed]
    assert billed
    assert [code for code in billed if f"`{code}`" not in introduction] == []
    assert f"{MAX_RETRY_AFTER_SECONDS:.0f} seconds" in introduction
