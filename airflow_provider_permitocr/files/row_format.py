"""The formats of result files, with the same methods: each writes frames into a stream."""

from __future__ import annotations

from typing import TypeAlias

from airflow_provider_permitocr.files.csv_format import CsvFormat
from airflow_provider_permitocr.files.parquet_format import ParquetFormat
from airflow_provider_permitocr.options.targets.result_file import FileFormat, ResultFile

RowFormat: TypeAlias = CsvFormat | ParquetFormat


def row_format(described: ResultFile) -> RowFormat:
    """Return the format of a file.

    :raises ValueError: when neither its options nor its suffix name one.
    """
    if described.format is FileFormat.PARQUET:
        return ParquetFormat()
    return CsvFormat(
        compressed=described.format is FileFormat.CSV_GZ,
        escape_formulas=described.escapes_formulas,
        byte_order_mark=described.byte_order_mark,
    )
