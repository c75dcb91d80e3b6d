"""Parquet: typed columns, each with its comment."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

from airflow_provider_permitocr.core.columns import KEY_COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.core.errors import ConfigurationError, TargetError
from airflow_provider_permitocr.core.flatten import clean_text
from airflow_provider_permitocr.core.models import Record, Value

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

#: A row group is in memory as a whole, here and at its readers: portraits fill one with fewer rows.
_GROUP_ROWS: Final = 50_000
_GROUP_BYTES: Final = 32 * 1024 * 1024


class ParquetFormat:
    """Parquet as pyarrow writes it; comments are the fields' metadata ``comment``, where Spark looks."""

    def check(self) -> None:
        """Make sure that pyarrow is installed.

        :raises ConfigurationError: naming the extra to install.
        """
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise ConfigurationError(
                "Parquet files need pyarrow: install airflow_provider_permitocr[parquet], or name a .csv file"
            ) from None

    def writer(self, stream: BinaryIO, columns: Sequence[Column]) -> ParquetRowWriter:
        """Write a file with these columns."""
        return ParquetRowWriter(stream, columns)


class ParquetRowWriter:
    """Writes one Parquet file, a row group at a time."""

    def __init__(self, stream: BinaryIO, columns: Sequence[Column]) -> None:
        import pyarrow.parquet as pq

        self._schema = arrow_schema(columns)
        self._writer: pq.ParquetWriter = pq.ParquetWriter(stream, self._schema)
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._write_group()
        self._writer.close()

    def write(self, rows: Sequence[Record]) -> None:
        """Write rows of plain values."""
        import pyarrow as pa

        arrays = [_array(field, [_clean(row.get(field.name)) for row in rows]) for field in self._schema]
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        self._waiting.append(batch)
        self._rows += len(batch)
        self._bytes += batch.nbytes
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        import pyarrow as pa

        table = pa.Table.from_batches(self._waiting, self._schema)
        if len(table):
            self._writer.write_table(table, row_group_size=len(table))
        self._waiting, self._rows, self._bytes = [], 0, 0


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """Return the types that a result has in Parquet, empty or not."""
    import pyarrow as pa

    types: dict[ColumnKind, Any] = {
        ColumnKind.KEY: pa.string(),
        ColumnKind.TEXT: pa.string(),
        ColumnKind.LONG_TEXT: pa.string(),
        ColumnKind.DATE: pa.date32(),
        ColumnKind.BOOLEAN: pa.bool_(),
        ColumnKind.INTEGER: pa.int64(),
        ColumnKind.FLOAT: pa.float64(),
        ColumnKind.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    }
    return pa.schema(
        pa.field(
            column.name,
            types[column.kind],
            nullable=column.name not in (*KEY_COLUMNS, "status"),
            metadata={"comment": column.comment},
        )
        for column in columns
    )


def _array(field: pa.Field[Any], values: list[Value]) -> pa.Array[Any]:
    import pyarrow as pa

    try:
        return pa.array(values, field.type)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        # Cut off from its cause, which quotes the value.
        raise TargetError(
            f"column {field.name!r} holds a value that is not of its type, {field.type}; if you copy it from"
            " the image list, cast it there or leave it out"
        ) from None


def _clean(value: Value) -> Value:
    return clean_text(value) if isinstance(value, str) else value
