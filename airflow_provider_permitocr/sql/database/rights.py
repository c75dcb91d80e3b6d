"""Whether the connection's user may do with a table what will be done."""

from __future__ import annotations

from typing import Final, NoReturn

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.sql.database.failures import describe, failure_of
from airflow_provider_permitocr.sql.dialects.database import NO_CHANGES, Failure
from airflow_provider_permitocr.sql.dialects.known import database_of, database_of_error

_NOTHING: Final = sa.text("1 = 0")


def require_rights(
    connection: sa.Connection, table: sa.Table, *, named: str, with_delete: bool = False
) -> None:
    """Try on no row what will be done: every database then checks the rights, and changes nothing.

    :param named: how messages name the table, e.g. ``the result table 'permits'``.
    :param with_delete: rows will be deleted, too.
    :raises TargetError: naming the right that is missing, or why the table takes no such rows, or that
        nothing can be changed there.
    :raises SQLAlchemyError: when the database cannot be reached.
    """
    none = sa.select(*table.c).where(_NOTHING)
    others = {column.name: column for column in table.c if not column.primary_key}
    tried: dict[str, sa.Executable] = {
        "read": none,
        "insert into": sa.insert(table).from_select([column.name for column in table.c], none),
        "update": sa.update(table).values(others).where(_NOTHING),
    }
    if with_delete:
        tried["delete from"] = sa.delete(table).where(_NOTHING)
    for right, statement in tried.items():
        try:
            connection.execute(statement)
        except SQLAlchemyError as error:
            refused = f"the connection's user may not {right} {named}"
            raise_refusal(error, refused, "grant the right to do so")
    upsert = database_of(connection).upsert_of_nothing(table)
    if upsert is not None:
        try:
            connection.execute(upsert)
        except SQLAlchemyError as error:
            refused = f"{named} accepts no rows that replace those with the same key"
            raise_refusal(error, refused, "change the table accordingly, or name another")
    connection.rollback()


def raise_refusal(error: SQLAlchemyError, refused: str, advice: str) -> NoReturn:
    """Raise an error that says what a user can do about a refused change.

    :param refused: what was refused, e.g. ``the connection's user may not update the table 'permits'``.
    :param advice: what to do if the user lacks the right.
    :raises TargetError: with that advice, or other advice if the server accepts no changes at all.
    :raises SQLAlchemyError: the original error if it is transient.
    """
    failure = failure_of(error)
    if failure is Failure.TRANSIENT:
        raise error
    why, remedy = describe(error), advice
    if failure is Failure.READ_ONLY and (database := database_of_error(getattr(error, "orig", error))):
        why, remedy = NO_CHANGES, database.read_only_remedy
    raise TargetError(f"{refused}: {why}; {remedy}") from None


def require_creatable(connection: sa.Connection, schema: str | None, refused: str, advice: str) -> None:
    """Refuse to create a table if that would fail, as far as the database can report that in advance.

    :param schema: None: the current schema.
    :param refused, advice: as for ``raise_refusal``.
    :raises TargetError: with that advice, or other advice if the server accepts no changes at all.
    """
    database = database_of(connection)
    why = database.why_not_creatable(connection, schema)
    if why is not None:
        remedy = database.read_only_remedy if why == NO_CHANGES else advice
        raise TargetError(f"{refused}: {why}; {remedy}")
