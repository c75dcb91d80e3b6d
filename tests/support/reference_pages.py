"""What the pages of reference say of codes and columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from airflow_provider_permitocr.permit.columns import Column
from airflow_provider_permitocr.permit.error_codes import ErrorCode

_DOCS: Final = Path(__file__).parents[2] / "docs"
_BILLED: Final = {True: "yes", False: "no", None: "unknown"}
_WIDTHS: Final = re.compile(r"^\| (`.*`) \| ([\d,]+) \|$", re.MULTILINE)


def errors_page() -> str:
    """Return docs/reference/errors.md."""
    return (_DOCS / "reference" / "errors.md").read_text(encoding="utf-8")


def code_rows(codes: Sequence[ErrorCode]) -> list[str]:
    """Write the rows of a table of codes, in the order of docs/reference/errors.md."""
    return [
        f"| `{each.code}` | {each.decision} | {_BILLED[each.billed]} | {each.reason} | {each.advice} |"
        for each in sorted(codes, key=lambda each: each.code)
    ]


def rows_missing_on_errors_page(codes: Sequence[ErrorCode]) -> list[str]:
    """Return the rows that are to be added to docs/reference/errors.md."""
    lines = errors_page().splitlines()
    return [row for row in code_rows(codes) if row not in lines]


def columns_missing_on_tables_page(columns: Iterable[Column]) -> list[str]:
    """Return the columns of text whose length docs/guides/tables.md does not grant, or names twice."""
    page = (_DOCS / "guides" / "tables.md").read_text(encoding="utf-8")
    widths = [
        (name, int(width.replace(",", "")))
        for names, width in _WIDTHS.findall(page)
        for name in re.findall(r"`(\w+)`", names)
    ]
    return [
        each.name
        for each in columns
        if each.longest and [width >= each.longest for name, width in widths if name == each.name] != [True]
    ]
