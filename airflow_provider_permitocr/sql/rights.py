"""Whether the connection's user may do with a table what will be done."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.sql.database.failures import describe, is_transient

_NOTHING: Final = sa.text("1 = 0")
_RIGHT_TO_CREATE: Final = sa.text(
    "SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace"
    " WHERE nspname = coalesce(CAST(:schema AS name), current_schema())"
)


def require_rights(
    connection: sa.Connection, table: sa.Table, *, named: str, with_delete: bool = False
) -> None:
    """Try on no row what will be done: every database then checks the rights, and changes nothing.

    :param named: how messages name the table, e.g. ``the result table 'permits'``.
    :param with_delete: rows will be deleted, too.
    :raises TargetError: naming the right that is missing.
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
            if is_transient(error):
                raise
            raise TargetError(
                f"the connection's user may not {right} {named} ({describe(error)}); grant the right to do so"
            ) from None
    connection.rollback()


def why_not_creatable(connection: sa.Connection, schema: str | None) -> str | None:
    """Say why no table can be created in a schema; None where one can, or where only trying would tell.

    :param schema: None: the one that is current.
    """
    if connection.dialect.name != "postgresql":
        return None
    granted = connection.execute(_RIGHT_TO_CREATE, {"schema": schema}).scalar_one_or_none()
    if granted is None:
        return f"there is no schema {schema!r}" if schema else "no schema is current"
    return None if granted else "the connection's user may not create tables in its schema"
