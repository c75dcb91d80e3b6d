"""Columns of an image list that go along into the result: what they hold, and their values made fit."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.core.columns import Column, ColumnKind
from airflow_provider_permitocr.core.errors import SourceError
from airflow_provider_permitocr.core.flatten import clean_text
from airflow_provider_permitocr.core.models import Record
from airflow_provider_permitocr.core.shown_key import shown_key
from airflow_provider_permitocr.sql.source.driver_types import MYSQL, driver_types
from airflow_provider_permitocr.sql.source.times import read_time
from airflow_provider_permitocr.sql.tables import Carry

#: Text of at most this length is short: MySQL adds up what a row's short texts may take.
_SHORT: Final = 255
_LARGEST_INTEGER: Final = 2**63
_NAMED_BOOLEANS: Final = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}

_POSTGRESQL: Final = {
    16: ColumnKind.BOOLEAN,
    **dict.fromkeys((20, 21, 23), ColumnKind.INTEGER),
    **dict.fromkeys((700, 701), ColumnKind.FLOAT),
    1082: ColumnKind.DATE,
    **dict.fromkeys((1114, 1184), ColumnKind.TIMESTAMP),
}
_MYSQL: Final = {
    **dict.fromkeys((1, 2, 3, 8, 9), ColumnKind.INTEGER),
    **dict.fromkeys((4, 5), ColumnKind.FLOAT),
    10: ColumnKind.DATE,
    **dict.fromkeys((7, 12), ColumnKind.TIMESTAMP),
}
_DUCKDB: Final = {
    "BOOLEAN": ColumnKind.BOOLEAN,
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), ColumnKind.INTEGER),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER"), ColumnKind.INTEGER),
    **dict.fromkeys(("FLOAT", "DOUBLE"), ColumnKind.FLOAT),
    "DATE": ColumnKind.DATE,
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"), ColumnKind.TIMESTAMP),
}
_OF_DRIVERS: Final[dict[str, dict[Any, ColumnKind]]] = {
    "postgresql": _POSTGRESQL,
    **dict.fromkeys(MYSQL, _MYSQL),
    "duckdb": _DUCKDB,
}


@dataclass(frozen=True)
class CarriedColumn:
    """A column that goes along.

    :param name: in the image list.
    :param read: as the driver gives it.
    :param column: of the result.
    """

    name: str
    read: sa.ColumnElement[Any]
    column: Column


def carried_values(key: Any, columns: Sequence[CarriedColumn], values: Sequence[Any]) -> Record:
    """Make a row's values fit for the result, under the result's names.

    :param key: of the row, for the error.
    :raises SourceError: when one is not of its column's kind. It stops the run, as nearly always the whole
        column is of another kind than the DAG says, which the first rows tell; NULL in place of a value would
        tell nobody.
    """
    return {each.column.name: _fit(key, each, value) for each, value in zip(columns, values, strict=True)}


def _fit(key: Any, column: CarriedColumn, value: Any) -> Any:
    kind = column.column.kind
    try:
        return None if value is None else _FIT[kind](value)
    except (ValueError, TypeError, LookupError, ArithmeticError):
        raise SourceError(
            f"key {shown_key(key)}: the column {column.name!r}, which is copied, holds a value that is no"
            f" {kind.value}; correct it, or copy it as text: Carry({column.name!r}, kind='text')"
        ) from None


def carried_columns(
    connection: sa.Connection, source: sa.FromClause, carried: Sequence[Carry]
) -> tuple[CarriedColumn, ...]:
    """Describe the columns that go along, by what the DAG says of them, or else the database."""
    return tuple(_carried(connection, source, each) for each in carried)


def _carried(connection: sa.Connection, source: sa.FromClause, carry: Carry) -> CarriedColumn:
    listed = source.c[carry.column]
    # SQLAlchemy's own reading would stop at what SQLite lets a column hold.
    read = sa.type_coerce(listed, sa.types.NULLTYPE)
    kind = ColumnKind(carry.kind) if carry.kind else _kind_of_type(listed.type)
    if kind is None:
        (type_,) = driver_types(connection, sa.select(read).select_from(source))
        kind = _OF_DRIVERS.get(connection.dialect.name, {}).get(type_, ColumnKind.LONG_TEXT)
    comment = f"From the image list, its column {carry.column}"
    return CarriedColumn(carry.column, read, Column(carry.result_name, kind, comment))


def _kind_of_type(type_: sa.types.TypeEngine[Any]) -> ColumnKind | None:
    """Return the kind of a table's column; None where its type says nothing."""
    if isinstance(type_, sa.types.NullType):
        return None
    if isinstance(type_, mysql.TINYINT) and type_.display_width == 1:
        return ColumnKind.BOOLEAN
    if isinstance(type_, sa.String) and not isinstance(type_, sa.Enum):
        return ColumnKind.TEXT if (type_.length or _SHORT + 1) <= _SHORT else ColumnKind.LONG_TEXT
    # Floats are a kind of Numeric here; decimals stay exact as text.
    kinds = (
        (sa.Boolean, ColumnKind.BOOLEAN),
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
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return _timestamp(value).date()


def _timestamp(value: Any) -> datetime:
    moment = read_time(value)
    assert moment is not None
    return moment.astimezone(UTC)


def _boolean(value: Any) -> bool:
    return _NAMED_BOOLEANS[value.lower()] if isinstance(value, str) else {0: False, 1: True}[value]


def _integer(value: Any) -> int:
    number = int(value)
    if (number != value and not isinstance(value, str)) or not -_LARGEST_INTEGER <= number < _LARGEST_INTEGER:
        raise ValueError
    return number


_FIT: Final[dict[ColumnKind, Callable[[Any], Any]]] = {
    ColumnKind.KEY: _text,
    ColumnKind.TEXT: _text,
    ColumnKind.LONG_TEXT: _text,
    ColumnKind.DATE: _date,
    ColumnKind.BOOLEAN: _boolean,
    ColumnKind.INTEGER: _integer,
    ColumnKind.FLOAT: float,
    ColumnKind.TIMESTAMP: _timestamp,
}
