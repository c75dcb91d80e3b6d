"""What is known of DuckDB."""

from __future__ import annotations

from typing import Final

from airflow_provider_permitocr.sql.database.database import Database, Failure, first_line

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


class DuckDb(Database):
    """DuckDB, a file on one machine."""

    title = "DuckDB"
    dialects = ("duckdb",)
    drivers = ("duckdb", "_duckdb")

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

    def is_made_already(self, error: BaseException) -> bool:
        """Tell whether a change was refused because another session has just made the same."""
        return type(error).__name__ == "CatalogException" and _MADE_ALREADY in str(error)
