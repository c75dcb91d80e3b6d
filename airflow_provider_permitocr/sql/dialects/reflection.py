"""Translates what SQLAlchemy's inspector reports into this package's terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import NoSuchTableError


class RelationKind(StrEnum):
    """What a name refers to."""

    TABLE = "table"
    VIEW = "view"


@dataclass(frozen=True)
class FoundColumn:
    """A column as it exists in the database.

    :param is_filled: whether a row may omit it: it allows NULL, or has a default.
    :param is_nullable: whether it allows NULL.
    :param is_generated: whether the database computes its value, so that it cannot be written.
    :param length: maximum length in characters; None: unlimited, or not enforced.
    :param size: maximum length in bytes, if the limit is in bytes.
    :param characters: name of its encoding, if that lacks some Chinese characters.
    :param merging: name of its collation, if that treats different texts as equal.
    :param padding: name of its collation, if that only ignores trailing blanks.
    :param alteration: how the database alters texts that are written to it; None: it doesn't.
    :param digits: number of fractional digits of a second that it keeps; None: six or more.
    """

    name: str
    type: sa.types.TypeEngine[Any]
    is_filled: bool
    is_nullable: bool = True
    is_generated: bool = False
    length: int | None = None
    size: int | None = None
    characters: str | None = None
    merging: str | None = None
    padding: str | None = None
    alteration: str | None = None
    digits: int | None = None


def columns(connection: sa.Connection, name: str, schema: str | None) -> list[FoundColumn] | None:
    """Return the columns of a table or view in order; None if neither exists."""
    try:
        found = sa.inspect(connection).get_columns(name, schema)
    except NoSuchTableError:
        return None
    return [
        FoundColumn(
            each["name"],
            each["type"],
            is_nullable=bool(each["nullable"]),
            is_filled=bool(each["nullable"] or each.get("default") is not None or _is_made(each)),
            is_generated=_takes_no_value(each),
            length=getattr(each["type"], "length", None),
        )
        for each in found
    ]


def unique_keys(
    connection: sa.Connection, name: str, schema: str | None, *, without: Sequence[str] = ()
) -> set[frozenset[str]]:
    """Return the sets of columns that are declared unique over all rows: keys, constraints and indexes.

    :param without: names of indexes and constraints that do not count.
    """
    inspector = sa.inspect(connection)
    primary = inspector.get_pk_constraint(name, schema)
    declared: list[Any] = [primary["constrained_columns"]] if primary.get("name") not in without else []
    declared += [
        each["column_names"]
        for each in inspector.get_unique_constraints(name, schema)
        if each["name"] not in without
    ]
    # SQLAlchemy finds constraints of SQLite by its own reading of CREATE TABLE, which not always finds them.
    declared += [
        index["column_names"]
        for index in inspector.get_indexes(name, schema, include_auto_indexes=True)
        if _is_full(index) and index["name"] not in without
    ]
    # An expression in an index appears as None.
    return {frozenset(columns) for columns in declared if columns and None not in columns}


def relation_kind(
    connection: sa.Connection, name: str, schema: str | None, *, folds: bool
) -> RelationKind | None:
    """Return whether a name is that of a table, a view or neither.

    :param folds: table names are case-insensitive.
    """
    inspector = sa.inspect(connection)
    if not inspector.has_table(name, schema):
        return None
    known = views(inspector, schema)
    if folds:
        known, name = [each.lower() for each in known], name.lower()
    return RelationKind.VIEW if name in known else RelationKind.TABLE


def relations(connection: sa.Connection, schema: str | None) -> list[str]:
    """Name the tables and views of a schema."""
    inspector = sa.inspect(connection)
    return [*inspector.get_table_names(schema), *views(inspector, schema)]


def views(inspector: sa.Inspector, schema: str | None) -> list[str]:
    """Name the views of a schema, materialized ones included."""
    plain = inspector.get_view_names(schema)
    try:
        return [*plain, *inspector.get_materialized_view_names(schema)]
    except NotImplementedError:  # the database has no such feature
        return plain


def _is_full(index: Any) -> bool:
    """Return whether an index is unique over all rows, and not just those that its WHERE chooses."""
    options = index.get("dialect_options", {})
    return bool(index["unique"]) and not any(option.endswith("_where") for option in options)


def _takes_no_value(column: Any) -> bool:
    identity = column.get("identity")
    return bool(column.get("computed") or (identity and identity["always"]))


def _is_made(column: Any) -> bool:
    """Return whether the database makes the column's values itself."""
    return bool(column.get("autoincrement") is True or column.get("identity") or column.get("computed"))
