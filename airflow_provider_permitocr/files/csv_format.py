"""CSV as RFC 4180 has it, in UTF-8; compressed by gzip where the name says so."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime
from types import TracebackType
from typing import BinaryIO, Self, cast

from airflow_provider_permitocr.core.columns import Column
from airflow_provider_permitocr.core.flatten import clean_text
from airflow_provider_permitocr.core.models import Record, Value


class CsvFormat:
    """CSV: a header, CRLF, ISO dates and times with their zone, ``true`` and ``false``, nothing for NULL.

    :param compressed: by gzip.
    """

    def __init__(self, *, compressed: bool) -> None:
        self._compressed = compressed

    def check(self) -> None:
        """Need nothing but the standard library."""

    def writer(self, stream: BinaryIO, columns: Sequence[Column]) -> CsvRowWriter:
        """Write a file with these columns."""
        return CsvRowWriter(stream, columns, compressed=self._compressed)


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


def _compressing(stream: BinaryIO) -> BinaryIO:
    # Without a name and a time, the same rows make the same file.
    return cast(BinaryIO, gzip.GzipFile("", "wb", fileobj=stream, mtime=0))


def _as_text(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else repr(value)
