"""CSV as RFC 4180 has it, in UTF-8; compressed by gzip where the name says so."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Sequence
from datetime import date, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self, cast

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
        """Write the rows of a frame."""
        series = dict(frame.items())
        texts = [_texts(series[column.name], column.kind) for column in self._columns]
        self._writer.writerows(zip(*texts, strict=True))


def _compressing(stream: BinaryIO) -> BinaryIO:
    # Without a name and a time, the same rows make the same file.
    return cast(BinaryIO, gzip.GzipFile("", "wb", fileobj=stream, mtime=0))


def _texts(series: pd.Series[Any], kind: ColumnKind) -> Sequence[str | None]:
    from airflow_provider_permitocr.engine.delivery.frame import plain_values

    values = plain_values(series, kind)
    if kind not in _AS_TEXT:
        return clean_texts(values)
    as_text = _AS_TEXT[kind]
    return [None if value is None else as_text(value) for value in values]
