"""Parquet: typed columns, each with its comment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

from airflow_provider_permitocr.core.columns import KEY_COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.core.errors import ConfigurationError
from airflow_provider_permitocr.core.flatten import clean_text
from airflow_provider_permitocr.core.models import Previous, Record, RowKey
from airflow_provider_permitocr.files.errors import UnreadableFileError
from airflow_provider_permitocr.files.row_format import KNOWN_COLUMNS, known_row, require_names

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

#: A row group is in memory as a whole, here and at its readers: portraits fill one with fewer rows.
_GROUP_ROWS: Final = 50_000
_GROUP_BYTES: Final = 32 * 1024 * 1024
_ROWS_AT_ONCE: Final = 2_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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

    def require_columns(self, stream: BinaryIO, columns: Sequence[Column]) -> None:
        """Refuse a file whose columns or types are others.

        :raises UnreadableFileError: saying which.
        """
        found = _opened(stream).schema_arrow
        require_names(found.names, columns)
        wrong = [
            f"{field.name} is {found.field(field.name).type}, not {field.type}"
            for field in arrow_schema(columns)
            if field.name in found.names and not _is_alike(found.field(field.name).type, field.type)
        ]
        if wrong:
            raise UnreadableFileError(f"has columns of other types: {'; '.join(wrong)}; name another file")

    def known(self, stream: BinaryIO) -> Iterator[tuple[RowKey, Previous]]:
        """Read what a file says of its images."""
        for batch in _opened(stream).iter_batches(_ROWS_AT_ONCE, columns=list(KNOWN_COLUMNS)):
            columns = (_plain(batch.column(name)) for name in KNOWN_COLUMNS)
            yield from map(known_row, zip(*columns, strict=True))


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

        fit = [
            {name: clean_text(each) if isinstance(each, str) else each for name, each in row.items()}
            for row in rows
        ]
        self._add(pa.RecordBatch.from_pylist(fit, self._schema))

    def copy(self, stream: BinaryIO, keep: Callable[[RowKey], bool]) -> None:
        """Copy the rows with the keys to keep from another file, a few at a time."""
        import pyarrow as pa

        for batch in _opened(stream).iter_batches(_ROWS_AT_ONCE):
            keys = zip(*(batch.column(name).to_pylist() for name in KEY_COLUMNS), strict=True)
            kept = batch.filter(pa.array([keep(key) for key in keys], pa.bool_()))
            columns = [
                kept.column(field.name).cast(field.type)
                if field.name in kept.schema.names
                else pa.nulls(len(kept), field.type)
                for field in self._schema
            ]
            self._add(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def _add(self, batch: pa.RecordBatch) -> None:
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


def _plain(column: pa.Array) -> list[Any]:
    """Turn a column into plain values; pyarrow itself takes ten times as long to make a time."""
    import pyarrow as pa

    if not pa.types.is_timestamp(column.type):
        return list(column.to_pylist())
    microseconds = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).to_pylist()
    return [None if each is None else _EPOCH + timedelta(microseconds=each) for each in microseconds]


def _opened(stream: BinaryIO) -> pq.ParquetFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(stream)
    except pa.ArrowInvalid:
        raise UnreadableFileError("is no Parquet file, or a broken one; name another file") from None


def _is_alike(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Tell whether a type holds the same values: other tools write text and times in forms of their own."""
    from pyarrow import types

    text = (types.is_string, types.is_large_string, types.is_string_view)
    families: tuple[tuple[Callable[[Any], bool], ...], ...] = (
        text,
        (types.is_integer,),
        (types.is_floating,),
        (types.is_timestamp,),
        (types.is_date,),
        (types.is_boolean,),
    )
    if types.is_null(found):
        return True
    return any(
        any(is_of(found) for is_of in family) and any(is_of(wanted) for is_of in family)
        for family in families
    )
