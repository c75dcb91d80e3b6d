"""What is known of DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from airflow_provider_permitocr.sql.database.database import Database, Failure, first_line
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


class DuckDb(Database):
    """DuckDB, a file on one machine."""

    title = "DuckDB"
    dialects = ("duckdb",)
    drivers = ("duckdb", "_duckdb")
    is_of_one_machine = True
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


@lru_cache(STATEMENTS_KEPT)
def _insert_from_arrays(table: sa.Table, rule: Replacing) -> Any:
    # Its dialect is derived from PostgreSQL's, and shares its statements.
    arrays = ((column.name, sa.ARRAY(column.type)) for column in table.columns)
    new = (sa.func.unnest(sa.cast(sa.bindparam(name, type_=array), array)) for name, array in arrays)
    insert = postgresql.insert(table).from_select(list(table.columns), sa.select(*new))
    return on_conflict(insert, table, rule)
