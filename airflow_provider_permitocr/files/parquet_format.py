"""Parquet: typed columns, each with its comment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.extras import install
from airflow_provider_permitocr.permit.answers import clean_texts
from airflow_provider_permitocr.permit.columns import KEY_COLUMNS, Column, ColumnKind

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

#: Writers and readers hold a whole row group in memory; portraits fill one with fewer rows.
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
                f"Parquet files need pyarrow: {install('parquet')}; or name a .csv file"
            ) from None

    def writer(self, stream: BinaryIO, columns: Sequence[Column]) -> ParquetRowWriter:
        """Write a file with these columns."""
        return ParquetRowWriter(stream, columns)


class ParquetRowWriter:
    """Writes one Parquet file, a row group at a time; the end of its ``with`` block completes the file."""

    def __init__(self, stream: BinaryIO, columns: Sequence[Column]) -> None:
        import pyarrow.parquet as pq

        self._columns = columns
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

    def write(self, frame: pd.DataFrame) -> None:
        """Write the rows of a frame of ``to_frame`` for the file's columns.

        :param frame: must not change until the file is complete, because its memory may be read until then.
        """
        import pyarrow as pa

        series = dict(frame.items())
        arrays = [_ARRAYS[column.kind](series[column.name]) for column in self._columns]
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


def _texts(series: pd.Series[Any]) -> pa.Array[Any]:
    import pyarrow as pa

    from airflow_provider_permitocr.engine.delivery.frame import plain_values

    return pa.array(clean_texts(plain_values(series, ColumnKind.TEXT)), pa.string())


def _days(series: pd.Series[Any]) -> pa.Array[Any]:
    import pyarrow as pa

    return pa.array(series.to_numpy().astype("datetime64[D]"), pa.date32())


def _times(series: pd.Series[Any]) -> pa.Array[Any]:
    import pyarrow as pa

    return pa.array(series.to_numpy(dtype="datetime64[us]"), pa.timestamp("us", tz="UTC"))


def _masked(series: pd.Series[Any]) -> pa.Array[Any]:
    import pyarrow as pa

    return pa.array(series.array)


_ARRAYS: Final[dict[ColumnKind, Callable[[pd.Series[Any]], pa.Array[Any]]]] = {
    ColumnKind.KEY: _texts,
    ColumnKind.TEXT: _texts,
    ColumnKind.LONG_TEXT: _texts,
    ColumnKind.DATE: _days,
    ColumnKind.BOOLEAN: _masked,
    ColumnKind.INTEGER: _masked,
    ColumnKind.FLOAT: _masked,
    ColumnKind.TIMESTAMP: _times,
}
