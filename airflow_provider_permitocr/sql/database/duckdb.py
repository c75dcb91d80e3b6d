"""What is known of DuckDB."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.sql.database.database import Database, Failure, first_line
from airflow_provider_permitocr.sql.database.reflection import FoundColumn, RelationKind

#: Its errors are known by their classes: https://duckdb.org/docs/stable/clients/python/reference/
_FAILURES: Final = {
    "TransactionException": Failure.TRANSIENT,
    # Of text with lone surrogates.
    "InvalidInputException": Failure.ROW,
    "CatalogException": Failure.NO_TABLE,
}
#: That of a transaction quotes the key over which it failed.
_WITHOUT_VALUES: Final = (
    *("BinderException", "CatalogException", "IOException", "ParserException", "PermissionException"),
)
_READ_ONLY: Final = "attached in read-only mode"
_IN_USE: Final = "Could not set lock on file"
_TYPES: Final[dict[str, type[sa.types.TypeEngine[Any]]]] = {
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
    "FLOAT": sa.REAL,
    "DOUBLE": sa.Double,
    "UUID": sa.Uuid,
    "BLOB": sa.LargeBinary,
}
#: https://duckdb.org/docs/stable/sql/data_types/timestamp
_DIGITS: Final = {"TIMESTAMP_S": 0, "TIMESTAMP_MS": 3}
_NAME: Final = r'("(?:[^"]|"")+"|\w+)'
_COLLATED: Final = re.compile(rf"[(,]\s*{_NAME} VARCHAR COLLATE ([\w.]+)")
_GENERATED: Final = re.compile(rf"[(,]\s*{_NAME} [\w ]+(?:\([\d,]+\))? GENERATED ALWAYS AS")


class DuckDb(Database):
    """DuckDB, a file on one machine."""

    title = "DuckDB"
    dialects = ("duckdb",)
    drivers = ("duckdb", "_duckdb")
    folds_columns = True
    folds_tables = True

    def failure(self, error: BaseException) -> Failure | None:
        """Tell what an error of its driver means."""
        words = str(error)
        if _READ_ONLY in words:
            return Failure.READ_ONLY
        # Another process has the file open.
        return Failure.TRANSIENT if _IN_USE in words else _FAILURES.get(type(error).__name__)

    def describe(self, error: BaseException) -> str:
        """Describe an error of its driver without any value of a row."""
        name = type(error).__name__
        is_without_values = name in _WITHOUT_VALUES or _READ_ONLY in str(error)
        return f"{name}: {first_line(error)}" if is_without_values else name

    # Its SQLAlchemy dialect asks it for what only PostgreSQL has: its own tables about itself are read.

    def columns(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> list[FoundColumn] | None:
        """Return the columns of a table or view in their order; None where there is neither."""
        read = ("column_name", "data_type", "is_nullable", "column_default")
        known = _catalog("columns", schema, "column_index", *read)
        rows = _named(connection, known, name, *read, order_by="column_index")
        if not rows:
            return None
        collations, generated = _declared(connection, name, schema)
        return [
            FoundColumn(
                column,
                _type(kind),
                is_filled=is_nullable or default is not None,
                is_generated=column in generated,
                merging=collations.get(column),
                digits=_DIGITS.get(kind),
            )
            for column, kind, is_nullable, default in rows
        ]

    def relation_kind(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> RelationKind | None:
        """Tell whether a name stands for a table, a view or nothing."""
        found = {each.lower(): kind for each, kind in _relations(connection, schema)}
        return found.get(name.lower())

    def relations(self, connection: sa.Connection, schema: str | None = None) -> list[str]:
        """Name the tables and views of a schema."""
        return [name for name, _ in _relations(connection, schema)]

    def unique_keys(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> set[frozenset[str]]:
        """Return the sets of columns that are unique over all rows: keys, constraints and indexes."""
        constraints = _catalog("constraints", schema, "constraint_type", "constraint_column_names")
        declared = _named(connection, constraints, name, "constraint_type", "constraint_column_names")
        keys = {frozenset(key) for kind, key in declared if kind in ("PRIMARY KEY", "UNIQUE")}
        # There are no partial indexes.
        indexes = _catalog("indexes", schema, "is_unique", "expressions")
        found = _named(connection, indexes, name, "is_unique", "expressions")
        return keys | {frozenset(_names(expressions)) for is_unique, expressions in found if is_unique}

    def view_definition(self, connection: sa.Connection, name: str, schema: str | None = None) -> str | None:
        """Return a view's SELECT as it is kept; None where that may not be seen."""
        views = _catalog("views", schema, "view_name", "sql")
        found = _named(connection, views, name, "sql", named="view_name")
        return found[0][0] if found else None


def _relations(connection: sa.Connection, schema: str | None) -> list[tuple[str, RelationKind]]:
    found: list[tuple[str, RelationKind]] = []
    for catalog, name, kind in (
        ("tables", "table_name", RelationKind.TABLE),
        ("views", "view_name", RelationKind.VIEW),
    ):
        known = _catalog(catalog, schema, name)
        found += [(each, kind) for each in connection.execute(sa.select(known.c[name])).scalars()]
    return found


def _declared(
    connection: sa.Connection, name: str, schema: str | None
) -> tuple[dict[str, str], frozenset[str]]:
    """Read from CREATE TABLE, as DuckDB writes it down, the collations of columns and which are generated."""
    known = _catalog("tables", schema, "table_name", "sql")
    sql = "".join(row[0] or "" for row in _named(connection, known, name, "sql"))
    collations = {_unquoted(column): collation for column, collation in _COLLATED.findall(sql)}
    return collations, frozenset(map(_unquoted, _GENERATED.findall(sql)))


def _catalog(catalog: str, schema: str | None, *columns: str) -> sa.Subquery:
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


def _type(name: str) -> sa.types.TypeEngine[Any]:
    if name in _TYPES:
        return _TYPES[name]()
    if name.startswith("TIMESTAMP"):
        return sa.DateTime(timezone=name == "TIMESTAMP WITH TIME ZONE")
    if decimal := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", name):
        return sa.Numeric(int(decimal[1]), int(decimal[2]))
    return sa.Enum() if name.startswith("ENUM(") else sa.types.NullType()


def _names(expressions: str) -> list[str]:
    """Read the columns of an index, such as ``[image_key, '"card side"']``."""
    names = []
    for quoted, plain in re.findall(r"'((?:[^'\\]|\\.)*)'|([^\[\], ]+)", expressions):
        names.append(_unquoted(re.sub(r"\\(.)", r"\1", quoted) if quoted else plain))
    return names


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
