"""What a database has: its tables and views, their columns, and which of them it keeps unique.

SQLAlchemy's inspector knows, but for DuckDB, whose own dialect asks it for what only PostgreSQL has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import NoSuchTableError

from airflow_provider_permitocr.sql.unique_keys import unique_keys as inspected_unique_keys

#: These take names of columns as the same whatever their case, the first three those of tables, too.
_FOLDING_TABLES: Final = ("sqlite", "duckdb", "mssql")
_FOLDING: Final = (*_FOLDING_TABLES, "mysql", "mariadb", "snowflake", "bigquery", "redshift")

_DUCKDB_HERE: Final = (
    " database_name = current_database() AND schema_name = coalesce(:schema, current_schema())"
)
_DUCKDB_RELATIONS: Final = sa.text(
    "SELECT table_name, 'table' FROM duckdb_tables() WHERE" + _DUCKDB_HERE + " UNION ALL"
    " SELECT view_name, 'view' FROM duckdb_views() WHERE" + _DUCKDB_HERE
)
_DUCKDB_COLUMNS: Final = sa.text(
    "SELECT column_name, data_type, is_nullable, column_default FROM duckdb_columns()"
    " WHERE lower(table_name) = lower(:name) AND" + _DUCKDB_HERE + " ORDER BY column_index"
)
_DUCKDB_CONSTRAINTS: Final = sa.text(
    "SELECT constraint_column_names FROM duckdb_constraints() WHERE lower(table_name) = lower(:name)"
    " AND constraint_type IN ('PRIMARY KEY', 'UNIQUE') AND" + _DUCKDB_HERE
)
_DUCKDB_INDEXES: Final = sa.text(
    "SELECT expressions FROM duckdb_indexes() WHERE is_unique AND lower(table_name) = lower(:name) AND"
    + _DUCKDB_HERE
)
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
    """Return the types of a table's or view's columns by name, in their order; None where there is neither."""
    found = found_columns(connection, name, schema)
    return None if found is None else {column.name: column.type for column in found}


def found_columns(
    connection: sa.Connection, name: str, schema: str | None = None
) -> list[FoundColumn] | None:
    """Return the columns of a table or view in their order; None where there is neither."""
    if connection.dialect.name == "duckdb":
        rows = connection.execute(_DUCKDB_COLUMNS, {"name": name, "schema": schema}).all()
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
    return [
        FoundColumn(
            column["name"],
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
    where = {"name": name, "schema": schema}
    declared = [frozenset(each) for each in connection.execute(_DUCKDB_CONSTRAINTS, where).scalars()]
    # DuckDB has no partial indexes.
    indexes = connection.execute(_DUCKDB_INDEXES, where).scalars()
    return {*declared, *(frozenset(_names(expressions)) for expressions in indexes)}


def view_definition(connection: sa.Connection, name: str, schema: str | None = None) -> str | None:
    """Return a view's SELECT as its database keeps it; None where that may not be seen."""
    if connection.dialect.name == "duckdb":
        statement = sa.text(
            "SELECT sql FROM duckdb_views() WHERE lower(view_name) = lower(:name) AND" + _DUCKDB_HERE
        )
        return connection.execute(statement, {"name": name, "schema": schema}).scalar_one_or_none()
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
    return [(name, kind) for name, kind in connection.execute(_DUCKDB_RELATIONS, {"schema": schema})]


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
