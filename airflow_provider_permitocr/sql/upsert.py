"""Insert-or-replace by key, in each dialect's own words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from airflow_provider_permitocr.sql.merge import Merge

Row = dict[str, Any]

#: BigQuery takes 10,000 parameters in a statement.
_MERGED_PARAMETERS: Final = 9_000
#: SQL Server takes 2,100 parameters in a statement, and a key has up to three.
_DELETED_AT_ONCE: Final = 500
_STATEMENTS_KEPT: Final = 8


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Write rows, replacing those with the same primary key, within the connection's transaction.

    :param rows: at least one, and no key twice, which databases would refuse or not, depending on the driver.
    """
    _WRITERS.get(connection.dialect.name, _delete_and_insert)(connection, table, rows)


def key_names(table: sa.Table) -> list[str]:
    """Name the columns by which a row is replaced."""
    return [column.name for column in table.primary_key]


def _others(table: sa.Table) -> list[str]:
    return [column.name for column in table.columns if not column.primary_key]


def _as_json(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Send all rows as one text: one statement and one parameter, with any driver.

    psycopg2 would send a statement per row, and for both drivers SQLAlchemy would handle each value.
    """
    connection.execute(_insert_from_json(table), {"rows": msgspec.json.encode(rows).decode()})


@lru_cache(_STATEMENTS_KEPT)
def _insert_from_json(table: sa.Table) -> postgresql.Insert:
    rows = sa.cast(sa.bindparam("rows", type_=sa.Text), postgresql.JSON)
    columns = [sa.column(column.name, column.type) for column in table.columns]
    new = sa.func.json_to_recordset(rows).table_valued(*columns, name="new").render_derived(with_types=True)
    return _replacing(table, sa.select(*new.c))


def _as_arrays(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Send each column as one array: DuckDB takes a hundred times as long for a row after the other."""
    arrays = {column.name: [row[column.name] for row in rows] for column in table.columns}
    connection.execute(_insert_from_arrays(table), arrays)


@lru_cache(_STATEMENTS_KEPT)
def _insert_from_arrays(table: sa.Table) -> postgresql.Insert:
    arrays = ((column.name, sa.ARRAY(column.type)) for column in table.columns)
    new = (sa.func.unnest(sa.cast(sa.bindparam(name, type_=array), array)) for name, array in arrays)
    return _replacing(table, sa.select(*new))


def _replacing(table: sa.Table, new: sa.Select[Any]) -> postgresql.Insert:
    insert = postgresql.insert(table).from_select(list(table.columns), new)
    replaced = {name: insert.excluded[name] for name in _others(table)}
    return insert.on_conflict_do_update(index_elements=key_names(table), set_=replaced)


def _on_conflict(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    insert = sqlite.insert(table)
    replaced = {name: insert.excluded[name] for name in _others(table)}
    connection.execute(insert.on_conflict_do_update(index_elements=key_names(table), set_=replaced), rows)


def _on_duplicate_key(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    insert = mysql.insert(table)
    replaced = {name: insert.inserted[name] for name in _others(table)}
    connection.execute(insert.on_duplicate_key_update(replaced), rows)


def _merge(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    for some in _chunks(rows, _MERGED_PARAMETERS // len(table.columns)):
        connection.execute(Merge(table, some, key_names(table)))


def _delete_and_insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    for some in _chunks(rows, _DELETED_AT_ONCE):
        same_key = (sa.and_(*(table.c[key] == row[key] for key in key_names(table))) for row in some)
        connection.execute(sa.delete(table).where(sa.or_(*same_key)))
    connection.execute(sa.insert(table), rows)


def _chunks(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    return (rows[at : at + size] for at in range(0, len(rows), size))


_WRITERS: dict[str, Callable[[sa.Connection, sa.Table, Sequence[Row]], None]] = {
    "postgresql": _as_json,
    "duckdb": _as_arrays,
    "sqlite": _on_conflict,
    "mysql": _on_duplicate_key,
    "mariadb": _on_duplicate_key,
    "snowflake": _merge,
    # Through SQLAlchemy it has no transactions of several statements.
    "bigquery": _merge,
}
