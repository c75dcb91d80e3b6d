"""What drivers say of the types of columns, of tables and of any SELECT alike."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

MYSQL: Final = ("mysql", "mariadb")


def driver_types(connection: sa.Connection, statement: sa.Select[Any]) -> list[Any]:
    """Return the types of what a statement selects in the driver's own terms, without reading a row.

    PostgreSQL's drivers give numbers of types, those of MySQL numbers of the protocol, DuckDB's something
    that reads as its name; SQLite's gives None.
    """
    cursor = connection.execute(statement.limit(0)).cursor
    types = [column[1] for column in (cursor and cursor.description) or ()]
    return [str(each) for each in types] if connection.dialect.name == "duckdb" else types
