"""The table, view or SELECT that an image list is read from, with the columns that are asked for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.sql import quoted_name

from airflow_provider_permitocr.core.errors import SourceError
from airflow_provider_permitocr.sql.driver_types import MYSQL
from airflow_provider_permitocr.sql.error_codes import number_of
from airflow_provider_permitocr.sql.errors import describe
from airflow_provider_permitocr.sql.inspection import columns, relations
from airflow_provider_permitocr.sql.tables import ImageQuery, ImageTable, split_schema

#: MySQL's numbers for them.
_UNKNOWN_COLUMN: Final = 1054
_SYNTAX: Final = 1064


def find_source(connection: sa.Connection, described: ImageTable | ImageQuery) -> sa.FromClause:
    """Find the described list in the database; of a table, its columns have the types that they have there.

    :raises SourceError: naming the table, column or part of the statement to change.
    """
    return (
        _query(connection, described) if isinstance(described, ImageQuery) else _table(connection, described)
    )


def _table(connection: sa.Connection, described: ImageTable) -> sa.FromClause:
    schema, name = split_schema(described.table)
    found = columns(connection, name, schema)
    if found is None:
        hint = _hint(name, relations(connection, schema))
        raise SourceError(f"connection {described.conn_id!r} has no table {described.table!r}{hint}")
    _require_columns(described, found)
    # DuckDB's dialect does not know all the words that DuckDB reserves, such as "at".
    quote = True if connection.dialect.name == "duckdb" else None
    asked_for = dict(described.purposes)
    return sa.table(
        quoted_name(name, quote),
        *(sa.column(quoted_name(each, quote), found[each]) for each in asked_for),
        schema=schema,
    )


def _query(connection: sa.Connection, described: ImageQuery) -> sa.FromClause:
    # It becomes part of another statement; the line break ends a comment on its last line.
    statement = sa.text(described.sql.strip().rstrip(";") + "\n")
    try:
        # Left untyped, a text value takes the type that the database finds in the statement; typed, a date
        # given as text would be compared as text.
        statement = statement.bindparams(
            *(
                sa.bindparam(name, value, sa.types.NULLTYPE if isinstance(value, str) else None)
                for name, value in described.parameters.items()
            )
        )
        probe: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(
            statement.columns().subquery("listed")
        )
        found = list(connection.execute(probe.limit(0)).keys())
    except SQLAlchemyError as error:
        if isinstance(error, OperationalError) and not _is_of_statement(connection.dialect.name, error):
            raise
        # What the driver has not seen holds no more than the statement's own words.
        reason = _describe(error) if isinstance(error, DBAPIError) else str(getattr(error, "orig", error))
        raise SourceError(f"the SELECT on connection {described.conn_id!r} does not work: {reason}") from None
    _require_columns(described, found)
    return statement.columns(*(sa.column(name) for name in found)).subquery("listed")


def _describe(error: DBAPIError) -> str:
    cause = error.orig
    if cause is None or number_of(cause) != _SYNTAX:
        return describe(error)
    # It quotes the statement, with its parameters: here they are the DAG author's own, and no row's.
    words = str(cause.args[-1]).partition("\n")[0]
    return f"{type(cause).__name__}: {words}"


def _is_of_statement(dialect: str, error: OperationalError) -> bool:
    """Tell whether an error that mostly means that a database cannot be reached is about the statement."""
    if dialect in MYSQL:
        return error.orig is not None and number_of(error.orig) == _UNKNOWN_COLUMN
    return dialect == "sqlite"


def _require_columns(described: ImageTable | ImageQuery, found: Iterable[str]) -> None:
    known = list(found)
    for column, purpose in described.purposes:
        if column not in known:
            raise SourceError(
                f"the image list has no column {column!r} ({purpose}); it has {', '.join(known)}"
                f"{_hint(column, known)}"
            )


def _hint(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=2)
    return f"; did you mean {' or '.join(repr(each) for each in close)}?" if close else ""
