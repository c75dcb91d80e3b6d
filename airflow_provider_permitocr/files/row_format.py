"""What a file format does: write frames into a stream."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self

from airflow_provider_permitocr.options.targets.result_file import FileFormat, ResultFile
from airflow_provider_permitocr.permit.columns import Column

if TYPE_CHECKING:
    import pandas as pd


class RowWriter(Protocol):
    """Writes one file; use it in a ``with`` block, which completes the file at its end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(self, frame: pd.DataFrame) -> None:
        """Write the rows of a frame of ``to_frame`` for the file's columns.

        :param frame: must not change until the file is complete, because its memory may be read until then.
        """
        ...


class RowFormat(Protocol):
    """A file format, for the columns of the result."""

    def check(self) -> None:
        """Make sure that required packages are installed.

        :raises ConfigurationError: naming the extra to install.
        """
        ...

    def writer(self, stream: BinaryIO, columns: Sequence[Column]) -> RowWriter:
        """Write a file with these columns."""
        ...


def row_format(described: ResultFile) -> RowFormat:
    """Return the format of a file.

    :raises ValueError: when neither its options nor its suffix name one.
    """
    if described.format is FileFormat.PARQUET:
        from airflow_provider_permitocr.files.parquet_format import ParquetFormat

        return ParquetFormat()
    from airflow_provider_permitocr.files.csv_format import CsvFormat

    return CsvFormat(
        compressed=described.format is FileFormat.CSV_GZ,
        escape_formulas=described.escapes_formulas,
        byte_order_mark=described.byte_order_mark,
    )
