"""What is written is what pandas and DuckDB read."""

from __future__ import annotations

import gzip
import io
import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.delivery.frame import to_frame
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.files.csv_format import CsvFormat
from airflow_provider_permitocr.files.parquet_format import ParquetFormat
from airflow_provider_permitocr.files.row_format import RowFormat
from airflow_provider_permitocr.permit.answers import clean_text
from airflow_provider_permitocr.permit.columns import COLUMNS, Column, ColumnKind, Record

if TYPE_CHECKING:
    from tests.files.conftest import Place

#: How DuckDB is told of a CSV's columns.
_DUCKDB_TYPES = {
    ColumnKind.KEY: "VARCHAR",
    ColumnKind.TEXT: "VARCHAR",
    ColumnKind.LONG_TEXT: "VARCHAR",
    ColumnKind.DATE: "DATE",
    ColumnKind.BOOLEAN: "BOOLEAN",
    ColumnKind.INTEGER: "BIGINT",
    ColumnKind.FLOAT: "DOUBLE",
    ColumnKind.TIMESTAMP: "TIMESTAMPTZ",
}
_ARROW_TYPES = {
    ColumnKind.KEY: pa.string(),
    ColumnKind.TEXT: pa.string(),
    ColumnKind.LONG_TEXT: pa.string(),
    ColumnKind.DATE: pa.date32(),
    ColumnKind.BOOLEAN: pa.bool_(),
    ColumnKind.INTEGER: pa.int64(),
    ColumnKind.FLOAT: pa.float64(),
    ColumnKind.TIMESTAMP: pa.timestamp("us", "UTC"),
}
ALL = (*COLUMNS, Column("weight", ColumnKind.FLOAT, "carried"))


def write(row_format: RowFormat, rows: list[Record], columns: tuple[Column, ...] = ALL) -> bytes:
    stream = io.BytesIO()
    with row_format.writer(stream, columns) as writer:
        writer.write(to_frame(rows, columns))
    return stream.getvalue()


def expected(rows: list[Record]) -> list[dict[str, Any]]:
    """As they were given, but for what no text may hold."""
    return [
        {
            column.name: clean_text(value) if isinstance(value := row.get(column.name), str) else value
            for column in ALL
        }
        for row in rows
    ]


def read_by_duckdb(statement: str) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        relation = connection.sql(statement)
        assert relation is not None
        rows = relation.to_arrow_table().to_pylist()
    return [
        {name: each.astimezone(UTC) if isinstance(each, datetime) else each for name, each in row.items()}
        for row in rows
    ]


@pytest.mark.parametrize("empty", [False, True])
def test_parquet_has_the_types_of_the_columns_with_their_comments(
    odd_rows: list[Record], empty: bool
) -> None:
    schema = pq.read_schema(io.BytesIO(write(ParquetFormat(), [] if empty else odd_rows)))
    assert {field.name: field.type for field in schema} == {
        column.name: _ARROW_TYPES[column.kind] for column in ALL
    }
    assert {field.name for field in schema if not field.nullable} == {"image_key", "card_side", "status"}
    for column in ALL:
        assert schema.field(column.name).metadata[b"comment"].decode() == column.comment


def test_pandas_and_duckdb_read_the_same_from_parquet(odd_rows: list[Record], tmp_path: Path) -> None:
    odd_rows[0]["weight"] = 0.1
    file = tmp_path / "permits.parquet"
    file.write_bytes(write(ParquetFormat(), odd_rows))

    by_pandas = pd.read_parquet(file, dtype_backend="pyarrow").astype(object)
    by_duckdb = read_by_duckdb(f"SELECT * FROM '{file}'")

    assert by_duckdb == expected(odd_rows)
    for row, wanted in zip(by_pandas.to_dict("records"), expected(odd_rows), strict=True):
        assert {name: None if pd.isna(each) else each for name, each in row.items()} == wanted


@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_pandas_and_duckdb_read_the_same_from_csv(
    odd_rows: list[Record], tmp_path: Path, suffix: str
) -> None:
    odd_rows[0]["weight"] = 0.1
    file = tmp_path / f"permits.{suffix}"
    file.write_bytes(write(CsvFormat(compressed=suffix.endswith("gz")), odd_rows))

    types = {column.name: _DUCKDB_TYPES[column.kind] for column in ALL}
    by_duckdb = read_by_duckdb(f"SELECT * FROM read_csv('{file}', columns={types}, header=true)")
    by_pandas = pd.read_csv(file, dtype=str, keep_default_na=False)

    assert by_duckdb == expected(odd_rows)
    for row, wanted in zip(by_pandas.to_dict("records"), expected(odd_rows), strict=True):
        for column in ALL:
            assert read_text(row[column.name], column.kind) == wanted[column.name]


def read_text(text: str, kind: ColumnKind) -> Any:
    if text == "":
        return None
    readers: dict[ColumnKind, Callable[[str], Any]] = {
        ColumnKind.DATE: date.fromisoformat,
        ColumnKind.BOOLEAN: {"true": True, "false": False}.__getitem__,
        ColumnKind.INTEGER: int,
        ColumnKind.FLOAT: float,
        ColumnKind.TIMESTAMP: datetime.fromisoformat,
    }
    return readers.get(kind, str)(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "row_format", [ParquetFormat(), CsvFormat(compressed=False)], ids=lambda each: type(each).__name__
)
@given(
    texts=st.lists(
        st.text(min_size=1)
        | st.text(st.characters(categories=["Cs", "Cc"]) | st.sampled_from('",\r\n'), min_size=1),
        min_size=1,
        max_size=5,
    )
)
def test_any_text_comes_through(row_format: RowFormat, texts: list[str]) -> None:
    rows: list[Record] = [
        {"image_key": f"k{number}", "card_side": "FRONT", "status": "failed", "name": text}
        for number, text in enumerate(texts)
    ]

    assert names(row_format, write(row_format, rows)) == [clean_text(text) for text in texts]


def names(row_format: RowFormat, content: bytes) -> list[str]:
    if isinstance(row_format, ParquetFormat):
        return list(pq.read_table(io.BytesIO(content))["name"].to_pylist())
    import csv

    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")
    return [row["name"] for row in csv.DictReader(text)]


def test_a_portrait_comes_through_csv_whole(new_row: Callable[..., Record]) -> None:
    content = write(CsvFormat(compressed=False), [new_row("a", profile="A" * 300_000)])
    assert pd.read_csv(io.BytesIO(content))["profile"].str.len().tolist() == [300_000]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("birthday", date.min),
        ("birthday", date.max),
        ("processed_at", datetime.min.replace(tzinfo=UTC)),
        ("processed_at", datetime.max.replace(tzinfo=UTC)),
        ("tries", 2**63 - 1),
        ("tries", -(2**63)),
        ("weight", math.inf),
    ],
)
def test_the_furthest_values_of_a_type_come_through(
    new_row: Callable[..., Record], column: str, value: Any
) -> None:
    rows = [new_row("a"), new_row("b", **{column: value})]

    in_parquet = pq.read_table(io.BytesIO(write(ParquetFormat(), rows)))[column].to_pylist()
    in_csv = pd.read_csv(io.BytesIO(write(CsvFormat(compressed=False), rows)), dtype=str)[column][1]

    assert in_parquet == [rows[0].get(column), value]
    assert read_text(in_csv, next(each.kind for each in ALL if each.name == column)) == value


def test_the_same_rows_make_the_same_compressed_file(odd_rows: list[Record]) -> None:
    compressed = [write(CsvFormat(compressed=True), odd_rows) for _ in range(2)]
    assert compressed[0] == compressed[1]
    assert gzip.decompress(compressed[0]) == write(CsvFormat(compressed=False), odd_rows)


@pytest.mark.slow
def test_row_groups_are_bounded_by_rows_and_by_bytes(new_row: Callable[..., Record]) -> None:
    def groups(rows: list[Record], times: int) -> list[int]:
        stream = io.BytesIO()
        frame = to_frame(rows)
        with ParquetFormat().writer(stream, COLUMNS) as writer:
            for _ in range(times):
                writer.write(frame)
        found = pq.ParquetFile(stream).metadata
        return [found.row_group(number).num_rows for number in range(found.num_row_groups)]

    small, portrait = [new_row("a")] * 10_000, [new_row("a", profile="A" * 1_000_000)] * 10
    assert groups(small, 12) == [50_000, 50_000, 20_000]
    assert max(groups(portrait, 12)) <= 40


def test_without_pyarrow_the_error_says_what_to_install(disk: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigurationError, match=r"pip install pyarrow"):
        disk.rows_file("permits.parquet").prepare()
    disk.rows_file("permits.csv").prepare()
