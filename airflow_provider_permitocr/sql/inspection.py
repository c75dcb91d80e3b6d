"""What a database has: its tables and views, their columns, and which of them it keeps unique.

SQLAlchemy's inspector knows, but for DuckDB, whose own dialect asks it for what only PostgreSQL has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import NoSuchTableError

from airflow_provider_permitocr.sql.unique_keys import unique_keys as inspected_unique_keys

#: These take names of columns as the same whatever their case, the first three those of tables, too.
_FOLDING_TABLES: Final = ("sqlite", "duckdb", "mssql")
_FOLDING: Final = (*_FOLDING_TABLES, "mysql", "mariadb", "snowflake", "bigquery", "redshift")

_DUCKDB_COLUMN: Final = ("data_type", "is_nullable", "column_default")
_DUCKDB_TYPES: Final[dict[str, type[sa.types.TypeEngine[Any]]]] = {
    "VARCHAR": sa.Text,
    "BOOLEAN": sa.Boolean,
    "DATE": sa.Date,
    "TIME": sa.Time,
    "TINYINT": sa.SmallInteger,
    "UTINYINT": sa.SmallInteger,
    "SMALLINT": sa.SmallInteger,
    "USMALLINT": sa.Integer,
    "INTEGER": sa.Integer,
    "UINTEGER": sa.BigInteger,
    "BIGINT": sa.BigInteger,
    "UBIGINT": sa.BigInteger,
    "HUGEINT": sa.BigInteger,
    "FLOAT": sa.Float,
    "DOUBLE": sa.Double,
    "UUID": sa.Uuid,
    "BLOB": sa.LargeBinary,
}
_MYSQL_COLLATIONS: Final = sa.text(
    "SELECT column_name, collation_name FROM information_schema.columns"
    " WHERE table_schema = coalesce(:schema, database()) AND table_name = :name"
)


class RelationKind(StrEnum):
    """What a name stands for."""

    TABLE = "table"
    VIEW = "view"


@dataclass(frozen=True)
class FoundColumn:
    """A column as the database has it.

    :param is_filled: whether a row that does not name it is taken: it may be NULL or the database gives it
        a value.
    :param collation: by which its texts are compared, where that is known.
    """

    name: str
    type: sa.types.TypeEngine[Any]
    is_filled: bool
    collation: str | None = None


def folded(dialect: str, name: str) -> str:
    """Give a column's name in the form in which its database tells them apart."""
    return name.lower() if dialect in _FOLDING else name


def columns(
    connection: sa.Connection, name: str, schema: str | None = None
) -> dict[str, sa.types.TypeEngine[Any]] | None:
    """Return the types of the columns of a table or view by name, in order; None where there is neither."""
    found = found_columns(connection, name, schema)
    return None if found is None else {column.name: column.type for column in found}


def found_columns(
    connection: sa.Connection, name: str, schema: str | None = None
) -> list[FoundColumn] | None:
    """Return the columns of a table or view in their order; None where there is neither."""
    if connection.dialect.name == "duckdb":
        known = _duckdb_catalog("columns", schema, "column_index", "column_name", *_DUCKDB_COLUMN)
        rows = _named(connection, known, name, "column_name", *_DUCKDB_COLUMN, order_by="column_index")
        described = [
            FoundColumn(each, _duckdb_type(kind), nullable or default is not None)
            for each, kind, nullable, default in rows
        ]
        return described or None
    try:
        found = sa.inspect(connection).get_columns(name, schema)
    except NoSuchTableError:
        return None
    collations = _collations(connection, name, schema)
    # SQLAlchemy reads MySQL's own statement, and leaves the quotes within names doubled.
    quote = "``" if connection.dialect.name in ("mysql", "mariadb") else "`"
    return [
        FoundColumn(
            column["name"].replace(quote, "`"),
            column["type"],
            bool(column["nullable"] or column.get("default") is not None or _is_made(column)),
            collations.get(column["name"].lower()) or getattr(column["type"], "collation", None),
        )
        for column in found
    ]


def relation_kind(connection: sa.Connection, name: str, schema: str | None = None) -> RelationKind | None:
    """Tell whether a name stands for a table, a view or nothing."""
    if connection.dialect.name == "duckdb":
        found = {each.lower(): kind for each, kind in _duckdb_relations(connection, schema)}
        return RelationKind(found[name.lower()]) if name.lower() in found else None
    inspector = sa.inspect(connection)
    if not inspector.has_table(name, schema):
        return None
    views = _views(inspector, schema)
    if connection.dialect.name in _FOLDING_TABLES:
        views, name = [view.lower() for view in views], name.lower()
    return RelationKind.VIEW if name in views else RelationKind.TABLE


def relations(connection: sa.Connection, schema: str | None = None) -> list[str]:
    """Name the tables and views of a schema."""
    if connection.dialect.name == "duckdb":
        return [name for name, _ in _duckdb_relations(connection, schema)]
    inspector = sa.inspect(connection)
    return [*inspector.get_table_names(schema), *_views(inspector, schema)]


def unique_keys(connection: sa.Connection, name: str, schema: str | None = None) -> set[frozenset[str]]:
    """Return the sets of columns that are declared unique over all rows: keys, constraints and indexes."""
    if connection.dialect.name != "duckdb":
        return inspected_unique_keys(sa.inspect(connection), name, schema)
    constraints = _duckdb_catalog("constraints", schema, "constraint_type", "constraint_column_names")
    declared = _named(connection, constraints, name, "constraint_type", "constraint_column_names")
    keys = {frozenset(key) for kind, key in declared if kind in ("PRIMARY KEY", "UNIQUE")}
    # DuckDB has no partial indexes.
    indexes = _duckdb_catalog("indexes", schema, "is_unique", "expressions")
    found = _named(connection, indexes, name, "is_unique", "expressions")
    return keys | {frozenset(_names(expressions)) for is_unique, expressions in found if is_unique}


def view_definition(connection: sa.Connection, name: str, schema: str | None = None) -> str | None:
    """Return a view's SELECT as its database keeps it; None where that may not be seen."""
    if connection.dialect.name == "duckdb":
        views = _duckdb_catalog("views", schema, "view_name", "sql")
        found = _named(connection, views, name, "sql", named="view_name")
        return found[0][0] if found else None
    return sa.inspect(connection).get_view_definition(name, schema)


def _views(inspector: sa.Inspector, schema: str | None) -> list[str]:
    views = inspector.get_view_names(schema)
    if inspector.dialect.name == "postgresql":
        views = [*views, *inspector.get_materialized_view_names(schema)]
    return views


def _is_made(column: Any) -> bool:
    """Tell whether the database makes the column's values itself."""
    return bool(column.get("autoincrement") is True or column.get("identity") or column.get("computed"))


def _collations(connection: sa.Connection, name: str, schema: str | None) -> dict[str, str]:
    if connection.dialect.name not in ("mysql", "mariadb"):
        return {}
    rows = connection.execute(_MYSQL_COLLATIONS, {"name": name, "schema": schema})
    return {column.lower(): collation for column, collation in rows if collation}


def _duckdb_relations(connection: sa.Connection, schema: str | None) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for catalog, name, kind in (("tables", "table_name", "table"), ("views", "view_name", "view")):
        known = _duckdb_catalog(catalog, schema, name)
        found += [(each, kind) for each in connection.execute(sa.select(known.c[name])).scalars()]
    return found


def _duckdb_catalog(catalog: str, schema: str | None, *columns: str) -> sa.Subquery:
    """Select from a table of DuckDB's about itself what is in one schema of the connection's database."""
    function: sa.Function[Any] = sa.Function(f"duckdb_{catalog}")
    names = {"database_name", "schema_name", *columns}
    if catalog not in ("tables", "views"):
        names.add("table_name")
    known = function.table_valued(*sorted(names))
    return (
        sa.select(*known.c)
        .where(known.c.database_name == sa.func.current_database())
        .where(known.c.schema_name == (sa.func.current_schema() if schema is None else schema))
        .subquery()
    )


def _named(
    connection: sa.Connection,
    known: sa.Subquery,
    name: str,
    *columns: str,
    named: str = "table_name",
    order_by: str | None = None,
) -> Sequence[Any]:
    """Read what DuckDB says of one name."""
    statement = sa.select(*(known.c[column] for column in columns))
    statement = statement.where(sa.func.lower(known.c[named]) == sa.func.lower(name))
    return connection.execute(statement.order_by(known.c[order_by]) if order_by else statement).all()


def _duckdb_type(name: str) -> sa.types.TypeEngine[Any]:
    if name in _DUCKDB_TYPES:
        return _DUCKDB_TYPES[name]()
    if name.startswith("TIMESTAMP"):
        return sa.DateTime(timezone=name == "TIMESTAMP WITH TIME ZONE")
    if decimal := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", name):
        return sa.Numeric(int(decimal[1]), int(decimal[2]))
    return sa.Enum() if name.startswith("ENUM(") else sa.types.NullType()


def _names(expressions: str) -> list[str]:
    """Read the columns of DuckDB's index, such as ``[image_key, '"card side"']``."""
    names = []
    for quoted, plain in re.findall(r"'((?:[^'\\]|\\.)*)'|([^\[\], ]+)", expressions):
        name = re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
        names.append(name[1:-1].replace('""', '"') if name.startswith('"') else name)
    return names
