"""Insert-or-replace by key, in each dialect's own words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

Row = dict[str, Any]


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Write rows, replacing those with the same primary key, within the connection's transaction.

    Of rows with one key among themselves the last one is written: databases would refuse the batch, or not,
    depending on the driver.
    """
    last = {tuple(row[key] for key in _keys(table)): row for row in rows}
    if last:
        _WRITERS.get(connection.dialect.name, _delete_and_insert)(connection, table, list(last.values()))


def _keys(table: sa.Table) -> list[str]:
    return [column.name for column in table.primary_key]


def _others(table: sa.Table) -> list[str]:
    return [column.name for column in table.columns if not column.primary_key]


def _on_conflict(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(table)
    replaced = {name: insert.excluded[name] for name in _others(table)}
    connection.execute(insert.on_conflict_do_update(index_elements=_keys(table), set_=replaced), rows)


def _on_duplicate_key(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    insert = mysql.insert(table)
    replaced = {name: insert.inserted[name] for name in _others(table)}
    connection.execute(insert.on_duplicate_key_update(replaced), rows)


def _delete_and_insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    keys = _keys(table)
    same_key = sa.and_(*(table.c[key] == sa.bindparam(f"old_{key}") for key in keys))
    connection.execute(
        sa.delete(table).where(same_key), [{f"old_{key}": row[key] for key in keys} for row in rows]
    )
    connection.execute(sa.insert(table), rows)


_WRITERS: dict[str, Callable[[sa.Connection, sa.Table, Sequence[Row]], None]] = {
    "postgresql": _on_conflict,
    "sqlite": _on_conflict,
    "mysql": _on_duplicate_key,
    "mariadb": _on_duplicate_key,
}
