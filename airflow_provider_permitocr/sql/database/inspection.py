"""What a database has: its tables and views, their columns, and which of them it keeps unique."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.dialects.reflection import FoundColumn, RelationKind

__all__ = [
    "FoundColumn",
    "RelationKind",
    "columns",
    "folded",
    "found_columns",
    "relation_kind",
    "relations",
    "unique_keys",
    "view_definition",
]


def folded(known_by: sa.Engine | sa.Connection | sa.Dialect, name: str) -> str:
    """Give a column's name in the form in which its database tells them apart."""
    return name.lower() if database_of(known_by).folds_columns else name


def columns(
    connection: sa.Connection, name: str, schema: str | None = None
) -> dict[str, sa.types.TypeEngine[Any]] | None:
    """Return the types of the columns of a table or view by name, in order; None where there is neither."""
    found = found_columns(connection, name, schema)
    return None if found is None else {column.name: column.type for column in found}


def found_columns(
    connection: sa.Connection, name: str, schema: str | None = None
) -> list[FoundColumn] | None:
    """Return the columns of a table or view in their order; None where there is neither."""
    return database_of(connection).columns(connection, name, schema)


def relation_kind(connection: sa.Connection, name: str, schema: str | None = None) -> RelationKind | None:
    """Tell whether a name stands for a table, a view or nothing."""
    return database_of(connection).relation_kind(connection, name, schema)


def relations(connection: sa.Connection, schema: str | None = None) -> list[str]:
    """Name the tables and views of a schema."""
    return database_of(connection).relations(connection, schema)


def unique_keys(connection: sa.Connection, name: str, schema: str | None = None) -> set[frozenset[str]]:
    """Return the sets of columns that are declared unique over all rows: keys, constraints and indexes."""
    return database_of(connection).unique_keys(connection, name, schema)


def view_definition(connection: sa.Connection, name: str, schema: str | None = None) -> str | None:
    """Return a view's SELECT as its database keeps it; None where that may not be seen."""
    return database_of(connection).view_definition(connection, name, schema)
