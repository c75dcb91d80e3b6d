"""The table, view or SELECT that an image list is read from, with the requested columns."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import quoted_name

from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.options.targets.result_table import split_schema
from airflow_provider_permitocr.sql.database.failures import describe_statement, is_transient
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.source.query_text import query_text


def find_source(connection: sa.Connection, described: ImageTable | ImageQuery) -> sa.FromClause:
    """Find the described list in the database; of a table, its columns have the types that they have there.

    :raises SourceError: naming the table, column or part of the statement to change.
    """
    return (
        _query(connection, described) if isinstance(described, ImageQuery) else _table(connection, described)
    )


def _table(connection: sa.Connection, described: ImageTable) -> sa.FromClause:
    schema, name = split_schema(described.table)
    database = database_of(connection)
    columns = database.columns(connection, name, schema)
    if columns is None:
        given = described.table.removesuffix(name)
        hint = _hint(described.table, [f"{given}{each}" for each in database.relations(connection, schema)])
        raise SourceError(f"connection {described.conn_id!r} has no table {described.table!r}{hint}")
    found = {each.name: each.type for each in columns}
    _require_columns(described, found)
    quote = database.quotes_names
    asked_for = dict(described.purposes)
    return sa.table(
        quoted_name(name, quote),
        *(sa.column(quoted_name(each, quote), found[each]) for each in asked_for),
        schema=schema,
    )


def _query(connection: sa.Connection, described: ImageQuery) -> sa.FromClause:
    database = database_of(connection)
    named = f"the SELECT on connection {described.conn_id!r}"
    try:
        statement = query_text(described.sql, described.parameters, database.quoted)
        probe: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(
            statement.columns().subquery("listed")
        )
        found = database.selected_names(connection, statement, probe.limit(0))
    except ValueError as error:
        raise SourceError(f"{named} does not work: {error}") from None
    except (TypeError, OverflowError) as error:
        # Of drivers, in words of any kind.
        raise SourceError(
            f"{named} does not work: its driver does not accept such a value in parameters"
            f" ({type(error).__name__});"
            " give texts, numbers, dates, times, or lists of them"
        ) from None
    except SQLAlchemyError as error:
        if is_transient(error):
            raise
        raise SourceError(f"{named} does not work: {describe_statement(error)}") from None
    _require_columns(described, found)
    for column, _ in described.purposes:
        if found.count(column) > 1:
            raise SourceError(
                f"{named} gives {found.count(column)} columns called {column!r}; give all but one another"
                f" name: ... AS other_{column}"
            )
    return statement.columns(*(sa.column(name) for name in dict.fromkeys(found))).subquery("listed")


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
