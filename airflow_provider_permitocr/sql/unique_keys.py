"""Which columns of a table its database keeps unique."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

#: Elsewhere (Redshift, Snowflake, BigQuery …) a key may be declared that nobody keeps.
KEPT_BY: Final = ("postgresql", "mysql", "mariadb", "sqlite", "mssql", "duckdb")


def unique_keys(inspector: sa.Inspector, table: str, schema: str | None) -> set[frozenset[str]]:
    """Return the sets of columns that are declared unique over all rows: keys, constraints and indexes."""
    declared: list[Any] = [inspector.get_pk_constraint(table, schema)["constrained_columns"]]
    declared += [each["column_names"] for each in inspector.get_unique_constraints(table, schema)]
    # SQLAlchemy finds constraints of SQLite by its own reading of CREATE TABLE, which not always finds them.
    indexes = [
        index for index in inspector.get_indexes(table, schema, include_auto_indexes=True) if _is_full(index)
    ]
    unfinished = _unfinished(inspector) if indexes else set()
    declared += [index["column_names"] for index in indexes if index["name"] not in unfinished]
    return {frozenset(columns) for columns in declared if columns}


def _is_full(index: Any) -> bool:
    """Tell whether an index is unique over all rows, and not just those that its WHERE chooses."""
    options = index.get("dialect_options", {})
    return bool(index["unique"]) and not any(name.endswith("_where") for name in options)


def _unfinished(inspector: sa.Inspector) -> set[str]:
    """Name the indexes that PostgreSQL could not finish, for instance as what they index is not unique.

    SQLAlchemy says so itself from 2.1 on only.
    """
    if inspector.dialect.name != "postgresql":
        return set()
    statement = "SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid WHERE NOT indisvalid"
    with inspector.engine.connect() as connection:
        return set(connection.execute(sa.text(statement)).scalars())
