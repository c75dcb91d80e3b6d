"""Columns of an image list that are copied into the result: their kinds and converted values."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.key_text import shown_key
from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.options.lists.image_list import Carry
from airflow_provider_permitocr.permit.answers import clean_text
from airflow_provider_permitocr.permit.columns import Column, ColumnKind, Record
from airflow_provider_permitocr.sql.dialects.database import Database
from airflow_provider_permitocr.sql.source.read_column import ReadColumn
from airflow_provider_permitocr.sql.source.times import read_time

#: Text of at most this length is short: MySQL adds up the maximum lengths of a row's short texts.
_SHORT: Final = 255
_LARGEST_INTEGER: Final = 2**63
_NAMED_BOOLEANS: Final = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


@dataclass(frozen=True)
class CarriedColumn:
    """A column that is copied.

    :param name: in the image list.
    :param read: as the driver gives it.
    :param column: of the result.
    :param zone: of times without one.
    """

    name: str
    read: ReadColumn
    column: Column
    zone: tzinfo = UTC


def carried_values(key: Any, columns: Sequence[CarriedColumn], values: Sequence[Any]) -> Record:
    """Convert a row's values for the result, under the result's column names.

    :param key: of the row, for the error.
    :raises SourceError: when a value is not of its column's kind. It stops the run, because nearly always the
        whole column is of another kind than the DAG says, and the first rows show that. Writing NULL instead
        would hide the problem.
    """
    return {each.column.name: _fit(key, each, value) for each, value in zip(columns, values, strict=True)}


def _fit(key: Any, column: CarriedColumn, value: Any) -> Any:
    kind = column.column.kind
    try:
        if value is None:
            return None
        return _timestamp(value, column.zone) if kind is ColumnKind.TIMESTAMP else _FIT[kind](value)
    except (ValueError, TypeError, LookupError, ArithmeticError):
        raise SourceError(
            f"key {shown_key(key)}: the column {column.name!r}, which is copied, holds a value that is not"
            f" of the kind {kind.value}; correct it, or copy it as text: Carry({column.name!r}, kind='text')"
        ) from None


def carried_column(
    database: Database, listed: sa.ColumnElement[Any], carry: Carry, *, driver_type: Any, zone: tzinfo
) -> CarriedColumn:
    """Describe a copied column by the DAG's settings, or else by the database's.

    :param listed: the list's column.
    :param driver_type: its type in the driver's terms.
    :param zone: of its times without a zone.
    """
    # SQLAlchemy's own conversion would fail on values that SQLite lets any column store.
    read = ReadColumn(database, sa.type_coerce(listed, sa.types.NULLTYPE), driver_type)
    kind = ColumnKind(carry.kind) if carry.kind else _kind_of_type(database, listed.type)
    if kind is None:
        kind = database.kinds.get(driver_type) or ColumnKind.LONG_TEXT
    comment = f"From the image list, its column {carry.column}"
    return CarriedColumn(carry.column, read, Column(carry.result_name, kind, comment), zone)


def _kind_of_type(database: Database, type_: sa.types.TypeEngine[Any]) -> ColumnKind | None:
    """Return the kind of a table's column; None if its type does not determine it."""
    if isinstance(type_, sa.types.NullType):
        return None
    if database.is_boolean(type_):
        return ColumnKind.BOOLEAN
    if isinstance(type_, sa.String) and not isinstance(type_, sa.Enum):
        return ColumnKind.TEXT if (type_.length or _SHORT + 1) <= _SHORT else ColumnKind.LONG_TEXT
    # Floats are a kind of Numeric here; decimals stay exact as text.
    kinds = (
        (sa.Integer, ColumnKind.INTEGER),
        (sa.Float, ColumnKind.FLOAT),
        (sa.DateTime, ColumnKind.TIMESTAMP),
        (sa.Date, ColumnKind.DATE),
        (sa.Numeric | sa.Uuid | sa.Enum | sa.Time | sa.Interval, ColumnKind.TEXT),
    )
    return next((kind for types, kind in kinds if isinstance(type_, types)), ColumnKind.LONG_TEXT)


def _text(value: Any) -> str:
    match value:
        case str():
            text = value
        case bool():
            text = str(value).lower()
        case bytes() | bytearray() | memoryview():
            text = bytes(value).hex()
        case Decimal():
            text = f"{value:f}"
        case datetime():
            text = str(value.astimezone(UTC) if value.tzinfo else value)
        case dict() | list() | tuple():
            text = json.dumps(value, ensure_ascii=False, default=_text)
        case _:
            text = str(value)
    return clean_text(text)


def _date(value: Any) -> date:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        # A local day stays the day that it is.
        return (value.astimezone(UTC) if value.tzinfo else value).date()
    if not isinstance(value, date):
        raise ValueError
    return value


def _timestamp(value: Any, zone: tzinfo) -> datetime:
    moment = read_time(value, zone)
    assert moment is not None
    return moment.astimezone(UTC)


def _boolean(value: Any) -> bool:
    if isinstance(value, bytes | bytearray | memoryview):
        value = int.from_bytes(bytes(value))  # a BIT of MySQL
    return _NAMED_BOOLEANS[value.lower()] if isinstance(value, str) else {0: False, 1: True}[value]


def _integer(value: Any) -> int:
    number = int(value)
    if (number != value and not isinstance(value, str)) or not -_LARGEST_INTEGER <= number < _LARGEST_INTEGER:
        raise ValueError
    return number


def _float(value: Any) -> float | None:
    # Some databases and files have no representation for NaN and infinity.
    number = float(value)
    return number if math.isfinite(number) else None


_FIT: Final[dict[ColumnKind, Callable[[Any], Any]]] = {
    ColumnKind.KEY: _text,
    ColumnKind.TEXT: _text,
    ColumnKind.LONG_TEXT: _text,
    ColumnKind.DATE: _date,
    ColumnKind.BOOLEAN: _boolean,
    ColumnKind.INTEGER: _integer,
    ColumnKind.FLOAT: _float,
}
