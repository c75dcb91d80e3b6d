"""What is known of DuckDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from airflow_provider_permitocr.sql.database.database import Connector, Database, Failure, first_line
from airflow_provider_permitocr.sql.database.replacing import STATEMENTS_KEPT, Replacing, Row, on_conflict

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
_MADE_ALREADY: Final = "already exists"


_IN_MEMORY: Final = ":memory:"
#: MotherDuck's databases; what follows may hold a token.
_NO_FILE: Final = (_IN_MEMORY, "md:", "motherduck:")


class DuckDb(Database):
    """DuckDB, a file on one machine."""

    title = "DuckDB"
    dialects = ("duckdb",)
    conn_types = ("duckdb",)
    drivers = ("duckdb", "_duckdb")
    driver_packages: ClassVar[Mapping[str, str]] = {"duckdb": "duckdb", "duckdb_engine": "duckdb-engine"}
    is_file = True
    takes_small_batches = False

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

    def upsert(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: Replacing
    ) -> None:
        """Send each column as one array: a row after the other takes a hundred times as long."""
        arrays = {column.name: [row[column.name] for row in rows] for column in table.columns}
        connection.execute(_insert_from_arrays(table, rule), arrays)

    def schema_of(self, connection: sa.Connection, name: str) -> tuple[str | None, bool]:
        """Take the schema that is current."""
        return connection.dialect.default_schema_name, True

    # The connection

    def connector(self, hook: Any) -> Connector:
        """Return how Airflow's ``DuckDBHook`` leads to a file, to memory or to MotherDuck."""
        import duckdb_engine

        database = str(hook.get_database())
        return Connector(
            "duckdb",
            lambda: duckdb_engine.ConnectionWrapper(hook.get_conn()),
            file=None if database.startswith(_NO_FILE) else database,
            # All connections to memory would be databases of their own.
            options={"poolclass": sa.pool.SingletonThreadPool} if database == _IN_MEMORY else {},
        )

    def set_up(self, engine: sa.Engine) -> None:
        """Have reserved words quoted, which the dialect takes to be those of PostgreSQL.

        A column called ``at`` or ``pivot`` could not be read otherwise.
        """
        import duckdb

        with duckdb.connect() as connection:
            words = connection.execute(
                "SELECT keyword_name FROM duckdb_keywords()"
                " WHERE keyword_category IN ('reserved', 'type_function')"
            ).fetchall()
        preparer = engine.dialect.identifier_preparer
        preparer.reserved_words = {*preparer.reserved_words, *(word for (word,) in words)}

    def connection_remedy(self, error: BaseException) -> str | None:
        """Say what to change; a file that another process has open may be closed a little later."""
        if _IN_USE in str(error):
            return None
        return "correct the path in the connection's host, or its extra"

    # The file

    def file_of(self, engine: sa.Engine) -> str | None:
        """Return the path of the file; None: in memory or at MotherDuck."""
        file = super().file_of(engine)
        return None if not file or file.startswith(_NO_FILE) else file

    def is_made_already(self, error: BaseException) -> bool:
        """Tell whether a change was refused because another session has just made the same."""
        return type(error).__name__ == "CatalogException" and _MADE_ALREADY in str(error)


@lru_cache(STATEMENTS_KEPT)
def _insert_from_arrays(table: sa.Table, rule: Replacing) -> Any:
    # Its dialect is derived from PostgreSQL's, and shares its statements.
    arrays = ((column.name, sa.ARRAY(column.type)) for column in table.columns)
    new = (sa.func.unnest(sa.cast(sa.bindparam(name, type_=array), array)) for name, array in arrays)
    insert = postgresql.insert(table).from_select(list(table.columns), sa.select(*new))
    return on_conflict(insert, table, rule)
