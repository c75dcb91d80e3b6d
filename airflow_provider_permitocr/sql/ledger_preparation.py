"""The tables of a ledger, made where they are missing, and refused where they cannot hold it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError

from airflow_provider_permitocr.core.columns import Column
from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.sql.calls_table import CallsTable
from airflow_provider_permitocr.sql.changes import Change, carry_out, is_refusal
from airflow_provider_permitocr.sql.column_types import is_without_zone, misfit
from airflow_provider_permitocr.sql.errors import describe
from airflow_provider_permitocr.sql.inspection import (
    RelationKind,
    folded,
    found_columns,
    relation_kind,
    unique_keys,
)
from airflow_provider_permitocr.sql.ledger_schema import (
    BUDGET_COLUMNS,
    BUDGET_KEY,
    CALL_COLUMNS,
    CALL_KEY,
    LOOKED_UP_BY,
    budget_table,
    calls_table,
)
from airflow_provider_permitocr.sql.rights import require_rights

#: They keep no key unique, or have no transactions through SQLAlchemy: nothing is counted exactly there.
_UNFIT: Final = ("redshift", "snowflake", "bigquery", "databricks", "trino", "presto", "athena", "clickhouse")


def prepare_tables(engine: sa.Engine, described: CallsTable) -> frozenset[str]:
    """Create the two tables where they are missing, and check those that are there; nothing else is altered.

    :return: columns of times that the table of calls keeps without a time zone.
    :raises TargetError: naming what to change.
    :raises SQLAlchemyError: when the database cannot be reached.
    """
    _require_fit(engine.dialect.name)
    calls, budget = calls_table(described.table), budget_table(described.table)
    try:
        carry_out(engine, partial(_lacking, calls=calls, budget=budget))
    except SQLAlchemyError as error:
        if not is_refusal(error):
            raise
        raise TargetError(
            f"the call ledger {described.table!r} could not be created: {describe(error)}; create its schema,"
            " grant the connection's user the right to create tables and indexes, or create it as"
            " docs/ledger.md tells"
        ) from None
    with engine.connect() as connection:
        return _examine_both(connection, described)


def check_tables(engine: sa.Engine, described: CallsTable) -> bool:
    """Check the two tables as far as they are there. Changes nothing.

    :return: whether both are.
    :raises TargetError: naming what to change.
    :raises SQLAlchemyError: when the database cannot be reached.
    """
    _require_fit(engine.dialect.name)
    with engine.connect() as connection:
        there = [
            relation_kind(connection, table.name, table.schema) is not None
            for table in (calls_table(described.table), budget_table(described.table))
        ]
        if any(there):
            _examine_both(connection, described, *there)
        return all(there)


def _require_fit(dialect: str) -> None:
    if dialect in _UNFIT:
        raise TargetError(
            f"a call ledger cannot be kept in {dialect}: it keeps no keys unique or has no"
            " transactions, so that calls could not be counted exactly; let CallsTable name a connection of"
            " PostgreSQL, MySQL or the like"
        )


def _examine_both(
    connection: sa.Connection, described: CallsTable, has_calls: bool = True, has_budget: bool = True
) -> frozenset[str]:
    without_zone: frozenset[str] = frozenset()
    there = []
    if has_calls:
        without_zone = _examine(connection, calls_table(described.table), CALL_COLUMNS, CALL_KEY)
        there.append(calls_table(described.table, without_zone=without_zone))
    if has_budget:
        budget = budget_table(described.table)
        _examine(connection, budget, BUDGET_COLUMNS, BUDGET_KEY)
        there.append(budget)
    for table in there:
        require_rights(connection, table, named=f"the call ledger's table {table.name!r}")
    return without_zone


def _lacking(connection: sa.Connection, *, calls: sa.Table, budget: sa.Table) -> list[Change]:
    changes: list[Change] = [
        partial(table.create, checkfirst=False)
        for table in (calls, budget)
        if relation_kind(connection, table.name, table.schema) is None
    ]
    if not changes and not _has_index(connection, calls):
        # Whoever created the table was killed before its index, or a database without DDL in transactions.
        changes += [partial(index.create, checkfirst=False) for index in calls.indexes]
    return changes


def _has_index(connection: sa.Connection, calls: sa.Table) -> bool:
    """Whether calls can be looked up by image; a table that is refused later needs no index."""
    dialect = connection.dialect.name
    found = {
        folded(dialect, column.name) for column in found_columns(connection, calls.name, calls.schema) or ()
    }
    if dialect == "duckdb" or not found.issuperset(LOOKED_UP_BY):
        return True  # DuckDB's dialect cannot tell; there, both are created in one transaction
    try:
        indexes = sa.inspect(connection).get_indexes(calls.name, calls.schema)
    except NoSuchTableError:
        return True
    return any((each["column_names"] or [None])[0] == LOOKED_UP_BY[0] for each in indexes)


def _examine(
    connection: sa.Connection, table: sa.Table, columns: Sequence[Column], key: Collection[str]
) -> frozenset[str]:
    """Check that a table can hold its part of the ledger.

    :return: its columns of times without a time zone.
    :raises TargetError: naming what to change.
    """
    name = f"{table.schema}.{table.name}" if table.schema else table.name
    if relation_kind(connection, table.name, table.schema) is RelationKind.VIEW:
        raise TargetError(f"{name!r} is a view, and no table for a call ledger; {_OTHERWISE}")
    dialect = connection.dialect
    found = {
        folded(dialect.name, column.name): column
        for column in found_columns(connection, table.name, table.schema) or ()
    }
    wrong = [f"it lacks {column.name}" for column in columns if column.name not in found]
    present = [(column, found[column.name]) for column in columns if column.name in found]
    wrong += [why for column, has in present if (why := misfit(column, has, dialect))]
    own = {column.name for column in columns}
    wrong += [
        f"it takes no row without {has.name}, which no call has"
        for column_name, has in found.items()
        if column_name not in own and not has.is_filled
    ]
    unique = [
        {folded(dialect.name, each) for each in found_key}
        for found_key in unique_keys(connection, table.name, table.schema)
    ]
    if set(key) not in unique:
        wrong.append(f"it has no primary key or unique constraint on ({', '.join(key)})")
    if wrong:
        raise TargetError(
            f"the table {name!r} exists already and is no call ledger: {'; '.join(wrong)}; {_OTHERWISE}"
        )
    return frozenset(column.name for column, has in present if is_without_zone(column, has, dialect))


_OTHERWISE: Final = "name another table in CallsTable, which will then be created, or change this one"
