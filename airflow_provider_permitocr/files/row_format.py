"""What a format can do: write rows, copy them from another file, and tell what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, BinaryIO, Final, Protocol, Self

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.columns import KEY_COLUMNS, Column
from airflow_provider_permitocr.core.models import Previous, Record, RowKey, Status
from airflow_provider_permitocr.files.errors import UnreadableFileError
from airflow_provider_permitocr.files.result_file import FileFormat

#: What tells whether an image needs another call.
KNOWN_COLUMNS: Final = (*KEY_COLUMNS, "status", "tries", "image_updated_at", "processed_at")


class RowWriter(Protocol):
    """Writes one file; to be used in a ``with``, whose end completes it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(self, rows: Sequence[Record]) -> None:
        """Write rows of plain values; missing is None."""
        ...

    def copy(self, stream: BinaryIO, keep: Callable[[RowKey], bool]) -> None:
        """Copy the rows with the keys to keep from another file of this format, a few at a time."""
        ...


class RowFormat(Protocol):
    """A file format, for the columns of the result."""

    def check(self) -> None:
        """Make sure that what it needs is installed.

        :raises ConfigurationError: naming the extra to install.
        """
        ...

    def writer(self, stream: BinaryIO, columns: Sequence[Column]) -> RowWriter:
        """Write a file with these columns."""
        ...

    def require_columns(self, stream: BinaryIO, columns: Sequence[Column]) -> None:
        """Refuse a file that could not be merged into one of these columns without loss.

        :raises UnreadableFileError: saying why.
        """
        ...

    def known(self, stream: BinaryIO) -> Iterator[tuple[RowKey, Previous]]:
        """Read what a file says of its images, a bounded number of rows at a time.

        :raises UnreadableFileError: when it is not what this package writes.
        """
        ...


def row_format(named: FileFormat) -> RowFormat:
    """Return a format by its name."""
    if named is FileFormat.PARQUET:
        from airflow_provider_permitocr.files.parquet_format import ParquetFormat

        return ParquetFormat()
    from airflow_provider_permitocr.files.csv_format import CsvFormat

    return CsvFormat(compressed=named is FileFormat.CSV_GZ)


def require_names(found: Iterable[str], columns: Sequence[Column]) -> None:
    """Compare the columns of a file by name; those that it lacks are NULL in its rows.

    :raises UnreadableFileError: for a file without what a result is keyed by, and for columns that would
        be lost.
    """
    names = list(found)
    if missing := [name for name in KNOWN_COLUMNS if name not in names]:
        raise UnreadableFileError(
            f"has no column {', '.join(missing)}, so it is no result file; name another one"
        )
    if unknown := sorted(set(names) - {column.name for column in columns}):
        raise UnreadableFileError(
            f"has columns that this run does not: {', '.join(unknown)}; carry them along (carry_columns), or"
            " name another file"
        )


def known_row(values: Sequence[Any]) -> tuple[RowKey, Previous]:
    """Read one row of ``KNOWN_COLUMNS``.

    :raises UnreadableFileError: naming the key, for a status or a side that there is not.
    """
    image_key, card_side, status, tries, image_updated_at, processed_at = values
    try:
        row_key, known = (str(image_key), CardSide(card_side)), Status(status)
    except ValueError:
        raise UnreadableFileError(
            f"holds a status or card_side that this package does not know, for key {image_key!r}; correct"
            " or remove that row"
        ) from None
    made_at = _in_utc(processed_at)
    return row_key, Previous(known, tries or 0, _in_utc(image_updated_at) or made_at, made_at)


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
