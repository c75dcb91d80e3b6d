"""The columns that a table or view has."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.sql.dialects.known import database_of


def columns(
    connection: sa.Connection, name: str, schema: str | None = None
) -> dict[str, sa.types.TypeEngine[Any]] | None:
    """Return the types of the columns by name, in order; None where there is neither table nor view."""
    found = database_of(connection).columns(connection, name, schema)
    return None if found is None else {column.name: column.type for column in found}
