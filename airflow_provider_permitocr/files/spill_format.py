"""Rows of a result as lines of JSON, from which they come back exactly as they were."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, BinaryIO, Final

from airflow_provider_permitocr.core.columns import KEY_COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.core.models import Record, Value
from airflow_provider_permitocr.files.errors import UnreadableFileError

_VERSION: Final = 1
#: What JSON has no type for is an object of one name.
_DATE: Final = "date"
_TIME: Final = "time"
_READ: Final[Mapping[str, Callable[[str], Value]]] = {
    _DATE: date.fromisoformat,
    _TIME: datetime.fromisoformat,
}
_TEXTS: Final = frozenset({ColumnKind.KEY, ColumnKind.TEXT, ColumnKind.LONG_TEXT})


def write_rows(columns: Sequence[Column], records: Sequence[Record], stream: BinaryIO) -> None:
    """Write what the rows are, then each of them as a line."""
    described = {
        "version": _VERSION,
        "rows": len(records),
        "columns": [[column.name, column.kind.value] for column in columns],
    }
    _write_line(stream, described)
    for record in records:
        _write_line(stream, [_encoded(record[column.name]) for column in columns])


def read_rows(columns: Sequence[Column], stream: BinaryIO) -> list[Record]:
    """Read rows as these columns hold them: those that are new are None, those that are gone are left out.

    :raises UnreadableFileError: for a file that is not whole, or not one of these.
    """
    try:
        described, *lines = [json.loads(line) for line in stream]
        kinds = {str(name): ColumnKind(kind) for name, kind in described["columns"]}
        records = [dict(zip(kinds, map(_decoded, values), strict=True)) for values in lines]
        is_whole = described["version"] == _VERSION and len(records) == described["rows"]
    except (ValueError, KeyError, TypeError):
        is_whole = False
    if not is_whole or not {*KEY_COLUMNS, "processed_at"} <= kinds.keys():
        raise UnreadableFileError("does not hold whole results of this version of the package")
    return [
        {column.name: _fitting(record.get(column.name), kinds.get(column.name), column) for column in columns}
        for record in records
    ]


def _write_line(stream: BinaryIO, value: Any) -> None:
    # In ASCII, which takes any text, lone surrogates too.
    stream.write(json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n")


def _encoded(value: Value) -> Any:
    if isinstance(value, datetime):
        return {_TIME: value.isoformat()}
    return {_DATE: value.isoformat()} if isinstance(value, date) else value


def _decoded(value: Any) -> Value:
    if isinstance(value, dict):
        ((kind, text),) = value.items()
        return _READ[kind](text)
    decoded: Value = value
    return decoded


def _fitting(value: Value, kind: ColumnKind | None, column: Column) -> Value:
    """Give a value to a column that may hold another kind by now, as far as it can."""
    if value is None or kind is column.kind or {kind, column.kind} <= _TEXTS:
        return value
    return str(value) if column.kind in _TEXTS else None
