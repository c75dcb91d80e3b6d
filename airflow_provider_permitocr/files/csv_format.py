"""CSV according to RFC 4180, in UTF-8; gzip-compressed if the file's name says so."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self, cast

from airflow_provider_permitocr.files.spreadsheet import escaped
from airflow_provider_permitocr.permit.answers import clean_texts
from airflow_provider_permitocr.permit.columns import Column, ColumnKind

if TYPE_CHECKING:
    import pandas as pd

#: All others are texts already. A frame's times are in UTC.
_AS_TEXT: Final[dict[ColumnKind, Callable[[Any], str]]] = {
    ColumnKind.DATE: date.isoformat,
    ColumnKind.BOOLEAN: {True: "true", False: "false"}.__getitem__,
    ColumnKind.INTEGER: repr,
    ColumnKind.FLOAT: repr,
    ColumnKind.TIMESTAMP: datetime.isoformat,
}


@dataclass(frozen=True, kw_only=True)
class CsvFormat:
    """CSV: a header, CRLF, ISO dates and times with their zone, ``true`` and ``false``, empty for NULL.

    :param compressed: with gzip.
    :param escape_formulas: prefix texts that a spreadsheet would run as formulas with an apostrophe.
    :param byte_order_mark: start with one, so that Excel detects UTF-8.
    """

    compressed: bool
    escape_formulas: bool = False
    byte_order_mark: bool = False

    def check(self) -> None:
        """Return: the standard library is enough."""

    def writer(self, stream: BinaryIO, columns: Sequence[Column]) -> CsvRowWriter:
        """Write a file with these columns."""
        return CsvRowWriter(stream, columns, self)


class CsvRowWriter:
    """Writes one CSV file; the end of its ``with`` block completes the file."""

    def __init__(self, stream: BinaryIO, columns: Sequence[Column], csv_format: CsvFormat) -> None:
        self._compressed = csv_format.compressed
        self._clean = _escaped if csv_format.escape_formulas else clean_texts
        self._bytes = _compressing(stream) if self._compressed else stream
        encoding = "utf-8-sig" if csv_format.byte_order_mark else "utf-8"
        self._text = io.TextIOWrapper(self._bytes, encoding=encoding, newline="", write_through=False)
        self._columns = columns
        # With its own line ends, CRLF, it quotes texts that hold either of these two characters.
        self._writer = csv.writer(self._text)
        self._writer.writerow([column.name for column in columns])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Detached, as closing it would close the stream as well.
        self._text.detach()
        if self._compressed:
            self._bytes.close()

    def write(self, frame: pd.DataFrame) -> None:
        """Write the rows of a frame of ``to_frame`` for the file's columns."""
        series = dict(frame.items())
        texts = [self._texts(series[column.name], column.kind) for column in self._columns]
        self._writer.writerows(zip(*texts, strict=True))

    def _texts(self, series: pd.Series[Any], kind: ColumnKind) -> Sequence[str | None]:
        from airflow_provider_permitocr.engine.delivery.frame import plain_values

        values = plain_values(series, kind)
        if kind not in _AS_TEXT:
            return self._clean(values)
        as_text = _AS_TEXT[kind]
        return [None if value is None else as_text(value) for value in values]


def _compressing(stream: BinaryIO) -> BinaryIO:
    # Without a name and a time, the same rows make the same file.
    return cast(BinaryIO, gzip.GzipFile("", "wb", fileobj=stream, mtime=0))


def _escaped(values: Sequence[str | None]) -> Sequence[str | None]:
    return [None if value is None else escaped(value) for value in clean_texts(values)]
