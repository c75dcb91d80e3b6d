"""Whether existing tables can hold a ledger. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import ReflectedIndex

from airflow_provider_permitocr.permit.columns import Column, ColumnKind
from airflow_provider_permitocr.sql.database.fit import Wanted, examine_table, require_encoding
from airflow_provider_permitocr.sql.database.rights import require_rights
from airflow_provider_permitocr.sql.database.types import ExactText
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.tables.schema import SHAPES, LedgerTables, Shape

_ADVICE: Final = 'give the ledger another name, ledger=Ledger("...", conn_id="...")'
_HOLDS: Final = "a ledger"
#: In characters: the longest values of texts without a limit, such as a key in PostgreSQL's ledger, or a
#: portrait.
_LONGEST: Final = {ColumnKind.TEXT: 2_600, ColumnKind.LONG_TEXT: 2**20}


def examine(connection: sa.Connection, tables: LedgerTables) -> tuple[set[str], frozenset[tuple[str, str]]]:
    """Check the existing tables of a ledger.

    :return: the names of the shapes that have no table yet, and the columns of times that the database keeps
        without a time zone, each after the name of its shape.
    :raises TargetError: naming what to change.
    """
    require_encoding(connection, _HOLDS)
    missing: set[str] = set()
    without_zone: set[tuple[str, str]] = set()
    for shape, table in zip(SHAPES, tables, strict=True):
        fit = examine_table(connection, _wanted(shape, table))
        if fit is None:
            missing.add(shape.name)
            continue
        without_zone |= {(shape.name, column) for column in fit.without_zone}
        _require_rights(connection, table)
    return missing, frozenset(without_zone)


def require_all_rights(connection: sa.Connection, tables: LedgerTables) -> None:
    """Make sure that the tables may be read and written, and texts be kept.

    :raises TargetError: naming the right that is missing, or the database's encoding.
    """
    require_encoding(connection, _HOLDS)
    for table in tables:
        _require_rights(connection, table)


def _require_rights(connection: sa.Connection, table: sa.Table) -> None:
    require_rights(connection, table, named=f"the ledger's table {table.fullname!r}")


def lacking_indexes(connection: sa.Connection, tables: LedgerTables) -> list[sa.Index]:
    """Return the indexes that the tables of a ledger have under no name, or have unusable ones for."""
    database = database_of(connection)
    unusable = database.unusable_indexes(connection, tables.state.schema)
    indexed = [table for table in tables if table.indexes]
    lacking: list[sa.Index] = []
    for table, known in zip(indexed, _indexes(connection, indexed), strict=True):
        found = [
            [database.folded(name) for name in each["column_names"] if name]
            for each in known
            if each["name"] not in unusable
        ]
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            wanted = [column.name for column in index.columns]
            if not any(columns[: len(wanted)] == wanted for columns in found):
                lacking.append(index)
    return lacking


def _indexes(connection: sa.Connection, tables: Sequence[sa.Table]) -> Iterator[Sequence[ReflectedIndex]]:
    """Read the indexes of tables of one schema, of all at once where the database can: each run does it."""
    inspector, schema = sa.inspect(connection), tables[0].schema
    known = inspector.get_multi_indexes(schema, filter_names=[table.name for table in tables])
    for table in tables:
        found = known.get((schema, table.name))
        # A database that folds names lists a table under another.
        yield inspector.get_indexes(table.name, schema) if found is None else found


def _wanted(shape: Shape, table: sa.Table) -> Wanted:
    columns = [replace(column, longest=_longest(column, table)) for column in shape.columns]
    return Wanted(table, columns, shape.key, holds=_HOLDS, advice=_ADVICE)


def _longest(column: Column, table: sa.Table) -> int | None:
    """Return how many characters a column has to hold: a key that is cut off would be another's."""
    kind = table.c[column.name].type
    return kind.length if isinstance(kind, ExactText) else _LONGEST.get(column.kind)
