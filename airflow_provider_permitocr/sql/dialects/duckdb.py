"""Facts about DuckDB."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import visitors

from airflow_provider_permitocr.permit.columns import ColumnKind
from airflow_provider_permitocr.sql.dialects.database import (
    Connector,
    Database,
    Failure,
    Form,
    as_it_is,
    first_line,
)
from airflow_provider_permitocr.sql.dialects.dataset import Dataset
from airflow_provider_permitocr.sql.dialects.reflection import FoundColumn, RelationKind
from airflow_provider_permitocr.sql.dialects.replacing import (
    ALWAYS,
    STATEMENTS_KEPT,
    Replacing,
    Row,
    on_conflict,
)

#: Its errors are known by their classes: https://duckdb.org/docs/stable/clients/python/reference/
_FAILURES: Final = {
    "TransactionException": Failure.TRANSIENT,
    # Of text with lone surrogates, from DuckDB 2 on.
    "InvalidInputException": Failure.ROW,
    "CatalogException": Failure.NO_TABLE,
}
#: The message of a transaction error quotes the conflicting key.
_WITHOUT_VALUES: Final = (
    *("BinderException", "CatalogException", "IOException", "ParserException", "PermissionException"),
)
_READ_ONLY: Final = "attached in read-only mode"
_IN_USE: Final = "Could not set lock on file"
_MADE_ALREADY: Final = "already exists"


_IN_MEMORY: Final = ":memory:"
#: MotherDuck's databases; a token may follow.
_NO_FILE: Final = (_IN_MEMORY, "md:", "motherduck:")
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
_A_NUMBER: Final = "'-?[0-9]{1,18}'"
_DATE: Final = "DATE"
_TIMESTAMPTZ: Final = "TIMESTAMP WITH TIME ZONE"
_KINDS: Final[dict[Any, ColumnKind]] = {
    "BOOLEAN": ColumnKind.BOOLEAN,
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), ColumnKind.INTEGER),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER"), ColumnKind.INTEGER),
    **dict.fromkeys(("FLOAT", "DOUBLE"), ColumnKind.FLOAT),
    _DATE: ColumnKind.DATE,
    **dict.fromkeys(("TIMESTAMP", _TIMESTAMPTZ), ColumnKind.TIMESTAMP),
}


class DuckDb(Database):
    """DuckDB, a file on one machine."""

    title = "DuckDB"
    keeps_deleted = (
        "DuckDB keeps deleted and changed rows in free blocks of its file until it reuses "
        "them; a copy made with COPY FROM DATABASE has no such blocks"
    )
    dialects = ("duckdb",)
    conn_types = ("duckdb",)
    drivers = ("duckdb", "_duckdb")
    driver_packages: ClassVar[Mapping[str, str]] = {"duckdb": "duckdb", "duckdb_engine": "duckdb-engine"}
    read_only_remedy = "remove read_only from the connection's extra"
    is_file = True
    takes_small_batches = False
    folds_columns = True
    folds_tables = True
    comments_on_views = True
    typed_keys: ClassVar[frozenset[str]] = frozenset({"integer", "uuid"})
    # Its dialect does not know all of DuckDB's reserved words, such as "at".
    quotes_names = True
    kinds: ClassVar[Mapping[Any, ColumnKind]] = _KINDS
    instants = frozenset({_TIMESTAMPTZ})

    # Its names elsewhere

    def dataset(self, connection: Any, table: str) -> Dataset:
        """Return a table's name in asset events and lineage."""
        return Dataset.of_table(f"duckdb://localhost{quote(connection.host or '')}", *table.split(".", 1))

    # Its errors

    def failure(self, error: BaseException) -> Failure | None:
        """Classify an error of its driver."""
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

    def is_made_already(self, error: BaseException) -> bool:
        """Return whether a change was refused because another session has just made the same."""
        return type(error).__name__ == "CatalogException" and _MADE_ALREADY in str(error)

    # The connection

    def connector(self, hook: Any) -> Connector:
        """Return how Airflow's ``DuckDBHook`` opens a file, memory or MotherDuck."""
        import duckdb_engine

        database = str(hook.get_database())
        file = None if database.startswith(_NO_FILE) else database

        def connect() -> Any:
            is_new = file is not None and not Path(file).exists()
            connection = duckdb_engine.ConnectionWrapper(hook.get_conn())
            if file is not None and is_new:
                Path(file).chmod(0o600)  # it is empty yet
            return connection

        return Connector(
            "duckdb",
            connect,
            file=file,
            # Each connection to memory would open its own database.
            options={"poolclass": sa.pool.SingletonThreadPool} if database == _IN_MEMORY else {},
        )

    def set_up(self, engine: sa.Engine) -> None:
        """Quote DuckDB's reserved words; the dialect only knows those of PostgreSQL.

        Columns called ``at`` or ``pivot`` would be unreadable otherwise.
        """
        preparer = engine.dialect.identifier_preparer
        preparer.reserved_words = preparer.reserved_words | _reserved_words()

    def connection_remedy(self, error: BaseException) -> str | None:
        """Return what to change; a file that another process has open may soon be closed."""
        if _IN_USE in str(error):
            return None
        return "correct the path in the connection's host, or its extra"

    # The file

    def file_of(self, engine: sa.Engine) -> str | None:
        """Return the path of the file; None: in memory or at MotherDuck."""
        file = super().file_of(engine)
        return None if not file or file.startswith(_NO_FILE) else file

    # Catalog

    def schema_of(self, connection: sa.Connection, name: str) -> tuple[str | None, bool]:
        """Take the schema that is current."""
        return connection.dialect.default_schema_name, True

    def columns(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> list[FoundColumn] | None:
        """Return the columns of a table or view in order; None if neither exists."""
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
                is_nullable=is_nullable,
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
        """Return whether a name is that of a table, a view or neither."""
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
        # DuckDB has no partial indexes.
        indexes = _catalog("indexes", schema, "is_unique", "expressions")
        found = _named(connection, indexes, name, "is_unique", "expressions")
        return keys | {frozenset(_names(expressions)) for is_unique, expressions in found if is_unique}

    def view_definition(self, connection: sa.Connection, name: str, schema: str | None = None) -> str | None:
        """Return a view's SELECT as the database keeps it; None if it may not be read."""
        views = _catalog("views", schema, "view_name", "sql")
        found = _named(connection, views, name, "sql", named="view_name")
        return found[0][0] if found else None

    # Rows

    def upsert(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: Replacing = ALWAYS
    ) -> None:
        """Send each column as one array: a row after the other takes a hundred times as long."""
        arrays = {column.name: [row[column.name] for row in rows] for column in table.columns}
        try:
            connection.execute(_insert_from_arrays(table, rule), arrays)
        except RuntimeError as error:
            # DuckDB 1 raises no error of its own for text with lone surrogates.
            raise ValueError(f"{type(error).__name__} of DuckDB's driver") from None

    # Types that its driver returns

    def driver_types(self, connection: sa.Connection, statement: sa.Select[Any]) -> list[Any]:
        """Return the type names of a statement's columns, without reading a row."""
        return [str(each) for each in super().driver_types(connection, statement)]

    def is_readable(self, column: sa.ColumnElement[Any], driver_type: Any) -> sa.ColumnElement[bool] | None:
        """Return SQL for whether every driver can read a non-NULL value; None: they can read any.

        False for infinity, which reads as Python's last day, and years beyond Python's, which read as text.
        """
        if driver_type == _DATE:
            first, last = (sa.cast(each.isoformat(), sa.Date) for each in (date.min, date.max))
            return column.between(first, last)
        if str(driver_type).startswith("TIMESTAMP"):
            # Drivers and casts both convert an instant to the session's local time.
            ends = (sa.cast(each.isoformat(" "), sa.DateTime) for each in (datetime.min, datetime.max))
            earliest, latest = ends
            local = sa.cast(column, sa.DateTime)
            return sa.and_(sa.func.isfinite(column), local.between(earliest, latest))
        return None

    def selected_names(
        self, connection: sa.Connection, statement: sa.TextClause, wrapped: sa.Select[Any]
    ) -> list[str]:
        """Name the columns that a SELECT gives; of a subquery, the second ``id`` is called ``id_1``."""
        super().selected_names(connection, statement, wrapped)
        given = (each for each in visitors.iterate(statement) if isinstance(each, sa.BindParameter))
        described = sa.text(f"DESCRIBE {statement.text}").bindparams(*given)
        return list(connection.execute(described).scalars())

    # How its values compare

    def compared_form(
        self, connection: sa.Connection, listed: sa.Select[Any], driver_type: Any, *, is_unique: bool
    ) -> Form:
        """Return the form of a column that sorts the way it compares."""
        if str(driver_type).startswith("ENUM"):  # sorts by position in the type, but compares as text
            return lambda column: sa.cast(column, sa.Text)
        return as_it_is

    # SQL for analyses

    def typed_key(self, key: sa.ColumnElement[Any], key_type: str | None) -> sa.ColumnElement[Any]:
        """Return a key's text as its list has it if it is an integer or a UUID; NULL for other texts."""
        return sa.try_cast(key, sa.Uuid) if key_type == "uuid" else super().typed_key(key, key_type)

    def whole_number(self, text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return the whole number that a text of up to 18 digits is; NULL for another text."""
        is_number = sa.func.regexp_full_match(text, sa.literal_column(_A_NUMBER))
        return sa.case((is_number, sa.cast(text, sa.BigInteger)))

    def json_text(self, document: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[Any]:
        """Return a text of a JSON object that is kept as text."""
        return sa.func.json_extract_string(document, sa.literal_column(f"'$.{name}'"), type_=sa.Text())

    def local_day(self, moment: sa.ColumnElement[Any], minutes: int) -> sa.ColumnElement[Any]:
        """Return the day of an instant, whatever the session's time zone."""
        in_utc = sa.func.timezone("UTC", moment) if getattr(moment.type, "timezone", False) else moment
        return sa.cast(in_utc + sa.literal_column(f"INTERVAL '{minutes} minutes'"), sa.Date)

    def now(self) -> sa.ColumnElement[Any]:
        """Return the start of the transaction."""
        return sa.func.now(type_=sa.DateTime(timezone=True))


@cache
def _reserved_words() -> frozenset[str]:
    import duckdb

    with duckdb.connect() as connection:
        words = connection.execute(
            "SELECT keyword_name FROM duckdb_keywords()"
            " WHERE keyword_category IN ('reserved', 'type_function')"
        ).fetchall()
    return frozenset(word for (word,) in words)


@lru_cache(STATEMENTS_KEPT)
def _insert_from_arrays(table: sa.Table, rule: Replacing) -> Any:
    # Its dialect is derived from PostgreSQL's, and shares its statements.
    arrays = ((column.name, sa.ARRAY(column.type)) for column in table.columns)
    new = (sa.func.unnest(sa.cast(sa.bindparam(name, type_=array), array)) for name, array in arrays)
    insert = postgresql.insert(table).from_select(list(table.columns), sa.select(*new))
    return on_conflict(insert, table, rule)


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
    """Read DuckDB's catalog entry for one name."""
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
    """Parse the columns of an index, such as ``[image_key, '"card side"']``."""
    names = []
    for quoted, plain in re.findall(r"'((?:[^'\\]|\\.)*)'|([^\[\], ]+)", expressions):
        names.append(_unquoted(re.sub(r"\\(.)", r"\1", quoted) if quoted else plain))
    return names


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
