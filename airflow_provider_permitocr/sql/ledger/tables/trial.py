"""Whether a ledger's tables keep to transactions, found out by writing a row and rolling it back."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.sql.database.failures import blames_a_row
from airflow_provider_permitocr.sql.database.patience import BRIEFLY
from airflow_provider_permitocr.sql.database.rights import raise_refusal
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

_TRYING: Final = "trying the tables of the ledger"


def require_transactions(engine: sa.Engine, tables: LedgerTables, conn_id: str) -> None:
    """Write a row into each table that no run would write, roll back, and make sure that the rows are gone.

    A row that the database refuses for its values proves nothing, and counts as passed.

    :param conn_id: the connection, for the message.
    :raises TargetError: when a row stays, or the user may not write it; naming what to change.
    :raises SQLAlchemyError: when the database cannot be reached.
    """
    # First and alone, because it detects a connection without transactions before the other tables are
    # written.
    _require_transactions_of(engine, tables.state, conn_id)
    others = [table for table in tables if table is not tables.state]
    with suppress(SQLAlchemyError):  # otherwise the check of each table reports it
        if BRIEFLY.wait_out(lambda: _are_gone(engine, others), _TRYING):
            return
    for table in others:
        _require_transactions_of(engine, table, conn_id)


def _are_gone(engine: sa.Engine, tables: Sequence[sa.Table]) -> bool:
    """Try tables in one transaction: one transaction per table would slow each start of a distant worker."""
    rows = {table: _trial_row(table) for table in tables}
    stay = [
        sa.exists().where(_is_trial(table, row)).label(f"stays_{number}")
        for number, (table, row) in enumerate(rows.items())
    ]
    with engine.connect() as connection:
        try:
            for table, row in rows.items():
                connection.execute(sa.insert(table), [row])
        finally:
            connection.rollback()
        if not any(connection.execute(sa.select(*stay)).one()):
            return True
        for table, row in rows.items():
            with suppress(SQLAlchemyError):
                connection.execute(sa.delete(table).where(_is_trial(table, row)))
                connection.commit()
            connection.rollback()
    return False


def _require_transactions_of(engine: sa.Engine, table: sa.Table, conn_id: str) -> None:
    try:
        BRIEFLY.wait_out(lambda: _try(engine, table, conn_id), _TRYING)
    except SQLAlchemyError as error:
        if blames_a_row(error):
            return
        refused = f"the ledger's table {table.fullname!r} does not accept a row"
        raise_refusal(error, refused, "grant the connection's user the right to write to it")


def _try(engine: sa.Engine, table: sa.Table, conn_id: str) -> None:
    row = _trial_row(table)
    is_trial = _is_trial(table, row)
    with engine.connect() as connection:
        connection.execute(sa.insert(table), [row])
        connection.rollback()
        if connection.execute(sa.select(sa.literal(1)).select_from(table).where(is_trial)).first() is None:
            return
        connection.rollback()
        with suppress(SQLAlchemyError):  # without the right to delete, it stays: no list has a number below 0
            connection.execute(sa.delete(table).where(is_trial))
            connection.commit()
        connection.rollback()
        raise _refusal(connection, table, conn_id)


def _is_trial(table: sa.Table, row: Mapping[str, Any]) -> sa.ColumnElement[bool]:
    return sa.and_(*(column == row[column.name] for column in table.primary_key))


def _refusal(connection: sa.Connection, table: sa.Table, conn_id: str) -> TargetError:
    if found := database_of(connection).engine_without_transactions(connection, table):
        return TargetError(
            f"the ledger's table {table.fullname!r} is kept by the storage engine {found}, which has no"
            f" transactions; run: ALTER TABLE {table.fullname} ENGINE=InnoDB"
        )
    return TargetError(
        f"a ledger needs transactions, and connection {conn_id!r} commits each statement separately: remove"
        " autocommit from its extra"
    )


def _trial_row(table: sa.Table) -> Mapping[str, Any]:
    return {column.name: _trial_value(column) for column in table.columns if not column.nullable}


def _trial_value(column: sa.Column[Any]) -> Any:
    if isinstance(column.type, sa.Integer):
        return -secrets.randbelow(2**31) - 1
    if column.name == "card_side":
        return "FRONT"
    if column.name.endswith(("_at", "_until")):
        return datetime.now(UTC)
    return secrets.token_hex(16)
