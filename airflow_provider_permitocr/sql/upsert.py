"""Insert-or-replace by key, in each dialect's own words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from airflow_provider_permitocr.sql.merge import Merge
from airflow_provider_permitocr.sql.source.times import as_utc

Row = dict[str, Any]
_Insert = TypeVar("_Insert", postgresql.Insert, sqlite.Insert)

#: BigQuery takes 10,000 parameters in a statement.
_MERGED_PARAMETERS: Final = 9_000
#: SQL Server takes 2,100 parameters in a statement, and a key has up to three.
_DELETED_AT_ONCE: Final = 500
#: A ledger's nine tables, and those of some results in three forms each.
_STATEMENTS_KEPT: Final = 64


class _Rule(NamedTuple):
    """How rows with the same key are replaced.

    :param guard: column by which a row is replaced by none that has less there; None: by any.
    :param keep: columns that a row which is there keeps.
    """

    guard: str | None
    keep: frozenset[str]

    def replaced(self, table: sa.Table) -> list[str]:
        """Name the columns that are replaced, the guard last: MySQL already sees what was assigned before."""
        names = [
            column.name
            for column in table.columns
            if not column.primary_key and column.name not in self.keep and column.name != self.guard
        ]
        return names if self.guard is None or not names else [*names, self.guard]

    def applies(self, old: Any, new: Any) -> sa.ColumnElement[bool] | None:
        """Return the condition under which a row is replaced; None: always.

        :param old, new: columns of the row that is there, and of the one to write.
        """
        if self.guard is None:
            return None
        return sa.or_(old[self.guard].is_(None), old[self.guard] <= new[self.guard])


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Row],
    *,
    guard: str | None = None,
    keep: Collection[str] = (),
) -> None:
    """Write rows, replacing those with the same primary key, within the connection's transaction.

    :param rows: at least one, and no key twice, which databases would refuse or not, depending on the driver.
    :param guard: a column, such as a version, by which a row is replaced by none that has less there; NULL in
        the table is less than all. By default rows are always replaced.
    :param keep: columns that a row which is there keeps; a new row gets what ``rows`` says. Where these are
        all columns, a row which is there stays as it is.
    """
    write = _WRITERS.get(connection.dialect.name, _delete_and_insert)
    write(connection, table, rows, _Rule(guard, frozenset(keep)))


def key_names(table: sa.Table) -> list[str]:
    """Name the columns by which a row is replaced."""
    return [column.name for column in table.primary_key]


def _as_json(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: _Rule) -> None:
    """Send all rows as one text: one statement and one parameter, with any driver.

    psycopg2 would send a statement per row, and for both drivers SQLAlchemy would handle each value.
    """
    connection.execute(_insert_from_json(table, rule), {"rows": msgspec.json.encode(rows).decode()})


@lru_cache(_STATEMENTS_KEPT)
def _insert_from_json(table: sa.Table, rule: _Rule) -> postgresql.Insert:
    rows = sa.cast(sa.bindparam("rows", type_=sa.Text), postgresql.JSON)
    columns = [sa.column(column.name, column.type) for column in table.columns]
    new = sa.func.json_to_recordset(rows).table_valued(*columns, name="new").render_derived(with_types=True)
    return _replacing(table, sa.select(*new.c), rule)


def _as_arrays(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: _Rule) -> None:
    """Send each column as one array: DuckDB takes a hundred times as long for a row after the other."""
    arrays = {column.name: [row[column.name] for row in rows] for column in table.columns}
    connection.execute(_insert_from_arrays(table, rule), arrays)


@lru_cache(_STATEMENTS_KEPT)
def _insert_from_arrays(table: sa.Table, rule: _Rule) -> postgresql.Insert:
    arrays = ((column.name, sa.ARRAY(column.type)) for column in table.columns)
    new = (sa.func.unnest(sa.cast(sa.bindparam(name, type_=array), array)) for name, array in arrays)
    return _replacing(table, sa.select(*new), rule)


def _replacing(table: sa.Table, new: sa.Select[Any], rule: _Rule) -> postgresql.Insert:
    return _on_conflict_of(postgresql.insert(table).from_select(list(table.columns), new), table, rule)


def _on_conflict(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: _Rule) -> None:
    connection.execute(_insert_on_conflict(table, rule), rows)


@lru_cache(_STATEMENTS_KEPT)
def _insert_on_conflict(table: sa.Table, rule: _Rule) -> sqlite.Insert:
    return _on_conflict_of(sqlite.insert(table), table, rule)


def _on_conflict_of(insert: _Insert, table: sa.Table, rule: _Rule) -> _Insert:
    """Say what becomes of rows that are there, as PostgreSQL and SQLite do in the same words."""
    keys = key_names(table)
    if not (replaced := rule.replaced(table)):
        return insert.on_conflict_do_nothing(index_elements=keys)
    return insert.on_conflict_do_update(
        index_elements=keys,
        set_={name: insert.excluded[name] for name in replaced},
        where=rule.applies(table.c, insert.excluded),
    )


def _on_duplicate_key(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: _Rule) -> None:
    connection.execute(_insert_on_duplicate_key(table, rule), rows)


@lru_cache(_STATEMENTS_KEPT)
def _insert_on_duplicate_key(table: sa.Table, rule: _Rule) -> mysql.Insert:
    # PyMySQL makes one statement of many rows only where no parameter follows VALUES.
    insert = mysql.insert(table)
    new = insert.inserted
    is_replaced = rule.applies(table.c, new)
    if not (replaced := rule.replaced(table)):
        # Not IGNORE, which takes what a column cannot hold for a warning.
        key = key_names(table)[0]
        return insert.on_duplicate_key_update([(key, table.c[key])])
    return insert.on_duplicate_key_update(
        [
            (
                name,
                new[name] if is_replaced is None else sa.case((is_replaced, new[name]), else_=table.c[name]),
            )
            for name in replaced
        ]
    )


def _merge(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: _Rule) -> None:
    for some in _chunks(rows, _MERGED_PARAMETERS // len(table.columns)):
        merge = Merge(table, some, key_names(table), replaced=rule.replaced(table), guard=rule.guard)
        connection.execute(merge)


def _delete_and_insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: _Rule) -> None:
    written: list[Row] = []
    for some in _chunks(rows, _DELETED_AT_ONCE):
        replacing = _after_rule(connection, table, some, rule)
        if replacing:
            connection.execute(sa.delete(table).where(_same_key(table, replacing)))
        written += replacing
    if written:
        connection.execute(sa.insert(table), written)


def _after_rule(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: _Rule
) -> Sequence[Row]:
    """Return the rows to write in place of those that are there, with what these keep."""
    keys, kept = key_names(table), sorted(rule.keep)
    asked = [*keys, *kept, *([rule.guard] if rule.guard else [])]
    if asked == keys:
        return rows
    statement = sa.select(*(table.c[name] for name in asked)).where(_same_key(table, rows))
    there = {_key_of(row, keys): row for row in connection.execute(statement).mappings()}
    replacing = []
    for row in rows:
        old = there.get(_key_of(row, keys))
        if old is None:
            replacing.append(row)
        elif rule.replaced(table) and (
            rule.guard is None or old[rule.guard] is None or _is_newer(row[rule.guard], old[rule.guard])
        ):
            replacing.append(row | {name: old[name] for name in kept})
    return replacing


def _is_newer(new: Any, old: Any) -> bool:
    return new is not None and bool(old <= new)


def _key_of(row: Any, keys: Sequence[str]) -> tuple[Any, ...]:
    values = (row[key] for key in keys)
    return tuple(as_utc(value) if isinstance(value, datetime) else value for value in values)


def _same_key(table: sa.Table, rows: Sequence[Row]) -> sa.ColumnElement[bool]:
    keys = key_names(table)
    return sa.or_(*(sa.and_(*(table.c[key] == row[key] for key in keys)) for row in rows))


def _chunks(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    return (rows[at : at + size] for at in range(0, len(rows), size))


_WRITERS: dict[str, Callable[[sa.Connection, sa.Table, Sequence[Row], _Rule], None]] = {
    "postgresql": _as_json,
    "duckdb": _as_arrays,
    "sqlite": _on_conflict,
    "mysql": _on_duplicate_key,
    "mariadb": _on_duplicate_key,
    "snowflake": _merge,
    # Through SQLAlchemy it has no transactions of several statements.
    "bigquery": _merge,
}
