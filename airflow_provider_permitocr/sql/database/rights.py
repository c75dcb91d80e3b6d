"""Whether the connection's user may do with a table what will be done."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.sql.database.database import Failure
from airflow_provider_permitocr.sql.database.failures import describe, failure_of
from airflow_provider_permitocr.sql.database.known import database_of

_NOTHING: Final = sa.text("1 = 0")


def require_rights(
    connection: sa.Connection, table: sa.Table, *, named: str, with_delete: bool = False
) -> None:
    """Try on no row what will be done: every database then checks the rights, and changes nothing.

    :param named: how messages name the table, e.g. ``the result table 'permits'``.
    :param with_delete: rows will be deleted, too.
    :raises TargetError: naming the right that is missing, or that nothing can be changed there.
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
            raise_refusal(error, f"the connection's user may not {right} {named}", "grant the right to do so")
    connection.rollback()


def raise_refusal(error: SQLAlchemyError, refused: str, advice: str) -> None:
    """Raise what a user can do about a change that the database has refused.

    :param refused: what was refused, e.g. ``the connection's user may not update the table 'permits'``.
    :param advice: what to do where it is the user's right that is missing.
    :raises TargetError: with that advice, or naming another server where this one takes no changes.
    :raises SQLAlchemyError: the error itself, where the same may succeed a little later.
    """
    failure = failure_of(error)
    if failure is Failure.TRANSIENT:
        raise error
    if failure is Failure.READ_ONLY:
        advice = (
            "this server, or the connection to it, takes no changes: name a connection of the one that"
            " does, such as the primary"
        )
    raise TargetError(f"{refused} ({describe(error)}); {advice}") from None


def why_not_creatable(connection: sa.Connection, schema: str | None) -> str | None:
    """Say why no table can be created in a schema; None where one can, or where only trying would tell.

    :param schema: None: the one that is current.
    """
    return database_of(connection).why_not_creatable(connection, schema)
