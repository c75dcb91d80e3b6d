"""Columns in a form by which their database sorts and tells rows apart as it compares them with a value.

Not every database does so by itself: some sort by one order and compare by another, or take for equal what
is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.errors import SourceError
from airflow_provider_permitocr.sql.source.driver_types import MYSQL, driver_types

_MYSQL_FLOAT: Final = 4

Form = Callable[[sa.ColumnElement[Any]], sa.ColumnElement[Any]]


def compared_form(
    connection: sa.Connection, source: sa.FromClause, name: str, *, is_unique: bool = False
) -> Form:
    """Return the form in which a column sorts and compares alike, and which tells all its texts apart.

    :param is_unique: whether its database keeps it unique: it then tells rows apart as it is, by its index.
    :raises SourceError: when there is no such form.
    """
    column = source.c[name]
    dialect = connection.dialect.name
    if dialect == "sqlite" and not is_unique:
        return lambda column: sa.collate(column, "BINARY")  # COLLATE NOCASE takes a for A
    if dialect == "duckdb":
        (kind,) = driver_types(connection, sa.select(column).select_from(source))
        if kind.startswith("ENUM"):  # sorted by its place in the type, but compared as text
            return lambda column: sa.cast(column, sa.Text)
    if dialect in MYSQL:
        _refuse_float(connection, source, name)
        # An enum is sorted by its place in the type here, too.
        if not is_unique or isinstance(column.type, sa.Enum):
            return in_bytes if _is_text(connection, source, column) else _as_it_is
    return _as_it_is


def _as_it_is(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return column


def in_bytes(text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return MySQL's text in a form that tells all texts apart: its collations take a for A or Ä.

    Binary collations are not enough, as most ignore blanks at the end.
    """
    # Compared with text as the driver gives it.
    return sa.type_coerce(sa.cast(in_utf8(text), sa.BINARY), sa.types.NULLTYPE)


def in_utf8(text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return MySQL's text in the character set that holds all, whatever its column's is."""
    return sa.func.convert(text.op("USING")(sa.literal_column("utf8mb4")))


def _is_text(connection: sa.Connection, source: sa.FromClause, column: sa.ColumnElement[Any]) -> bool:
    one = sa.select(column).select_from(source).limit(1).scalar_subquery()
    return bool(connection.execute(sa.select(sa.func.charset(one))).scalar_one() != "binary")


def _refuse_float(connection: sa.Connection, source: sa.FromClause, name: str) -> None:
    if driver_types(connection, sa.select(source.c[name]).select_from(source)) == [_MYSQL_FLOAT]:
        raise SourceError(
            f"the column {name!r} is of type FLOAT, which seldom equals what is read of it, so that its rows"
            " could not be told apart; make it DOUBLE or DECIMAL, or take another column"
        )
