"""Resolves a table's name: two spellings of one table are one target, which only one list may fill."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from airflow_provider_permitocr.options.targets.result_table import ResultTable, split_schema
from airflow_provider_permitocr.sql.database.failures import database_errors
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

_OF_A_FILE: Final = "main"


def resolved_name(engine: sa.Engine, target: ResultTable, patience: Patience = Patience(0)) -> str:
    """Name a result table by its connection, and by the schema and table that its database finds.

    :param engine: of the target's connection.
    :param patience: how long to wait for the database.
    :raises DatabaseError: when the database cannot be reached.
    """
    schema, name = split_schema(target.table)
    database = database_of(engine)
    if database.missing_file(engine) is not None:
        schema, is_folded = schema or _OF_A_FILE, True
    else:
        doing = f"looking for the result table {target.table!r}"
        with database_errors(doing):
            found, is_folded = patience.read(
                engine, lambda connection: database.schema_of(connection, name), doing
            )
        schema = schema or found
    table = f"{schema}.{name}" if schema else name
    return f"{target.conn_id}:{table.lower() if is_folded else table}"


def known_name(
    engine: sa.Engine,
    tables: LedgerTables,
    target: ResultTable,
    *,
    is_named: Callable[[str, str], bool] | None = None,
) -> str | None:
    """Return the ledger's name for a result table whose database cannot be queried.

    :param engine: of the ledger.
    :param is_named: returns whether a name in the ledger may be the table in another spelling; None: compare
        schema and name, or only the name in any case.
    :return: None if the ledger does not know it, or more than one table matches.
    """
    if database_of(engine).missing_file(engine) is not None:
        return None
    is_named = is_named or _is_named
    deliveries = tables.deliveries.c
    with database_errors("looking for a result table in the ledger"), engine.connect() as connection:
        if not sa.inspect(connection).has_table(tables.deliveries.name, tables.deliveries.schema):
            return None
        known = connection.execute(sa.select(deliveries.target).distinct()).scalars().all()
    prefix = f"{target.conn_id}:"
    of_table = [
        each
        for each in known
        if each.startswith(prefix) and is_named(each.removeprefix(prefix), target.table)
    ]
    return of_table[0] if len(of_table) == 1 else None


def _is_named(known: str, table: str) -> bool:
    schema, name = split_schema(table)
    known_schema, known_table = split_schema(known)
    return (known_schema, known_table) == (schema, name) or (
        schema is None and known_table.lower() == name.lower()
    )
