"""CSV as RFC 4180 has it, in UTF-8; compressed by gzip where the name says so.

A reader takes every column for text: CSV carries no types, and ``08320271`` would lose its zero.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from types import TracebackType
from typing import BinaryIO, Final, Self, cast

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.columns import KEY_COLUMNS, Column
from airflow_provider_permitocr.core.flatten import clean_text
from airflow_provider_permitocr.core.models import Previous, Record, RowKey
from airflow_provider_permitocr.files.errors import UnreadableFileError
from airflow_provider_permitocr.files.row_format import KNOWN_COLUMNS, known_row, require_names

#: The standard library's own limit is less than a portrait in base64.
_MOST_CHARACTERS: Final = 2**31 - 1


class CsvFormat:
    """CSV: a header, CRLF, days and times in ISO form with their zone, true and false, absent as nothing.

    :param compressed: by gzip.
    """

    def __init__(self, *, compressed: bool) -> None:
        self._compressed = compressed

    def check(self) -> None:
        """Need nothing but the standard library."""

    def writer(self, stream: BinaryIO, columns: Sequence[Column]) -> CsvRowWriter:
        """Write a file with these columns."""
        return CsvRowWriter(stream, columns, compressed=self._compressed)

    def require_columns(self, stream: BinaryIO, columns: Sequence[Column]) -> None:
        """Refuse a file whose columns are others.

        :raises UnreadableFileError: saying which.
        """
        with _rows(stream, compressed=self._compressed) as (header, _):
            require_names(header, columns)

    def known(self, stream: BinaryIO) -> Iterator[tuple[RowKey, Previous]]:
        """Read what a file says of its images."""
        with _rows(stream, compressed=self._compressed) as (header, rows):
            places = [header.index(name) for name in KNOWN_COLUMNS]
            for row in rows:
                key, side, status, tries, *moments = (row[place] or None for place in places)
                try:
                    times = [moment and datetime.fromisoformat(moment) for moment in moments]
                    known = (key or "", side, status, int(tries or 0), *times)
                except ValueError:
                    raise UnreadableFileError(
                        f"holds a number or time that is none, for key {key!r}; correct or remove that row"
                    ) from None
                yield known_row(known)


class CsvRowWriter:
    """Writes one CSV file."""

    def __init__(self, stream: BinaryIO, columns: Sequence[Column], *, compressed: bool) -> None:
        self._compressed = compressed
        self._bytes = _compressing(stream) if compressed else stream
        self._text = io.TextIOWrapper(self._bytes, encoding="utf-8", newline="", write_through=False)
        self._names = [column.name for column in columns]
        # With its own line ends, CRLF, it quotes texts that hold either of these two characters.
        self._writer = csv.writer(self._text)
        self._writer.writerow(self._names)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Detached, as closing it would close the stream as well.
        self._text.detach()
        if self._compressed:
            self._bytes.close()

    def write(self, rows: Sequence[Record]) -> None:
        """Write rows of plain values."""
        self._writer.writerows([_as_text(row.get(name)) for name in self._names] for row in rows)

    def copy(self, stream: BinaryIO, keep: Callable[[RowKey], bool]) -> None:
        """Copy the rows with the keys to keep from another file, one at a time."""
        with _rows(stream, compressed=self._compressed) as (header, rows):
            key, side = (header.index(name) for name in KEY_COLUMNS)
            places = [header.index(name) if name in header else None for name in self._names]
            for row in rows:
                if keep((row[key], CardSide(row[side]))):
                    self._writer.writerow(["" if place is None else row[place] for place in places])


@contextmanager
def _rows(stream: BinaryIO, *, compressed: bool) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    """Read the header and the rows; what is wrong with them is told without values."""
    csv.field_size_limit(_MOST_CHARACTERS)
    source = cast(BinaryIO, gzip.GzipFile(fileobj=stream, mode="rb")) if compressed else stream
    # Spreadsheets put a byte order mark in front.
    text = io.TextIOWrapper(source, encoding="utf-8-sig", newline="")
    try:
        reader = csv.reader(text, strict=True)
        header = next(reader, [])
        yield header, (_whole(row, header) for row in reader if row)
    except (csv.Error, UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error):
        raise UnreadableFileError("is no CSV file in UTF-8, or a broken one; name another file") from None
    finally:
        text.detach()


def _whole(row: list[str], header: list[str]) -> list[str]:
    if len(row) != len(header):
        raise csv.Error
    return row


def _compressing(stream: BinaryIO) -> BinaryIO:
    # Without a name and a time, the same rows make the same file.
    return cast(BinaryIO, gzip.GzipFile("", "wb", fileobj=stream, mtime=0))


def _as_text(value: str | int | float | bool | date | datetime | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else repr(value)
