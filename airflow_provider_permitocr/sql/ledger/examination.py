"""Whether the tables that are there can hold a ledger. Changes nothing."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.sql.column_types import is_without_zone, misfit
from airflow_provider_permitocr.sql.database.known import database_of
from airflow_provider_permitocr.sql.inspection import (
    FoundColumn,
    RelationKind,
    folded,
    found_columns,
    relation_kind,
    unique_keys,
)
from airflow_provider_permitocr.sql.ledger.schema import SHAPES, LedgerTables, Shape
from airflow_provider_permitocr.sql.result_schema import ExactText
from airflow_provider_permitocr.sql.rights import require_rights

_OTHERWISE: Final = 'give the ledger another name, ledger=Ledger("...", conn_id="..."), or change this table'


def examine(connection: sa.Connection, tables: LedgerTables) -> tuple[set[str], frozenset[tuple[str, str]]]:
    """Check the tables of a ledger that are there.

    :return: the names of the shapes that have no table yet, and the columns of times that the database keeps
        without a time zone, each after the name of its shape.
    :raises TargetError: naming what to change.
    """
    missing: set[str] = set()
    without_zone: set[tuple[str, str]] = set()
    for shape, table in zip(SHAPES, tables, strict=True):
        kind = relation_kind(connection, table.name, table.schema)
        if kind is None:
            missing.add(shape.name)
            continue
        if kind is RelationKind.VIEW:
            raise TargetError(f"{table.fullname!r} is a view, not a table of a ledger; {_OTHERWISE}")
        without_zone |= {(shape.name, column) for column in _examine_table(connection, shape, table)}
        _require_rights(connection, table)
    return missing, frozenset(without_zone)


def require_all_rights(connection: sa.Connection, tables: LedgerTables) -> None:
    """Make sure that the tables may be read and written.

    :raises TargetError: naming the right that is missing.
    """
    for table in tables:
        _require_rights(connection, table)


def _require_rights(connection: sa.Connection, table: sa.Table) -> None:
    require_rights(connection, table, named=f"the ledger's table {table.fullname!r}")


def lacking_indexes(connection: sa.Connection, tables: LedgerTables) -> list[sa.Index]:
    """Return the indexes that the tables of a ledger have under no name, or have unusable ones for."""
    inspector = sa.inspect(connection)
    unusable = database_of(connection).unusable_indexes(connection, tables.state.schema)
    lacking: list[sa.Index] = []
    for table in tables:
        if not table.indexes:
            continue
        found = [
            [folded(connection.dialect.name, name) for name in each["column_names"] if name]
            for each in inspector.get_indexes(table.name, table.schema)
            if each["name"] not in unusable
        ]
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            wanted = [column.name for column in index.columns]
            if not any(columns[: len(wanted)] == wanted for columns in found):
                lacking.append(index)
    return lacking


def _examine_table(connection: sa.Connection, shape: Shape, table: sa.Table) -> list[str]:
    """Return the columns of times without a time zone.

    :raises TargetError: naming all that is wrong with the table.
    """
    dialect = connection.dialect
    found = {
        folded(dialect.name, column.name): column
        for column in found_columns(connection, table.name, table.schema) or ()
    }
    present = [(column, found[column.name]) for column in shape.columns if column.name in found]
    wrong = [f"it lacks {column.name}" for column in shape.columns if column.name not in found]
    for column, has in present:
        why = misfit(column, has, dialect) or _too_short(table.c[column.name], has)
        wrong += [why] if why else []
    own = {column.name for column in shape.columns}
    wrong += [
        f"it takes no row without {has.name}, which no ledger has"
        for name, has in found.items()
        if name not in own and not has.is_filled
    ]
    unique = [
        {folded(dialect.name, each) for each in key}
        for key in unique_keys(connection, table.name, table.schema)
    ]
    if set(shape.key) not in unique:
        wrong.append(f"it has no primary key or unique constraint on ({', '.join(shape.key)})")
    wrong += [
        f"it allows one row only for each ({', '.join(sorted(key))})"
        for key in unique
        if key < set(shape.key)
    ]
    if wrong:
        raise TargetError(
            f"the table {table.fullname!r} exists already and is not one of a ledger: {'; '.join(wrong)};"
            f" {_OTHERWISE}"
        )
    return [column.name for column, has in present if is_without_zone(column, has, dialect)]


def _too_short(column: sa.Column[str], found: FoundColumn) -> str | None:
    """Say that a column would cut keys off; servers that are not strict do so without a word."""
    length = getattr(found.type, "length", None)
    if not isinstance(column.type, ExactText) or length is None or length >= (column.type.length or 0):
        return None
    return f"{column.name} holds {length} characters instead of {column.type.length}"
