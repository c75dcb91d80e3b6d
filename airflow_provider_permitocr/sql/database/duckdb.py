"""What is known of DuckDB."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.columns import ColumnKind
from airflow_provider_permitocr.sql.database.database import (
    Database,
    Failure,
    Form,
    as_it_is,
    first_line,
)

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
    dialects = ("duckdb",)
    drivers = ("duckdb", "_duckdb")
    # Its dialect does not know all the words that DuckDB reserves, such as "at".
    quotes_names = True

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

    # What its driver reads

    def driver_types(self, connection: sa.Connection, statement: sa.Select[Any]) -> list[Any]:
        """Return the names of the types of what a statement selects, without reading a row."""
        return [str(each) for each in super().driver_types(connection, statement)]

    def kind_of(self, driver_type: Any) -> ColumnKind | None:
        """Return the kind of what a column of this driver's type holds; None where it does not tell."""
        return _KINDS.get(driver_type)

    def is_instant(self, driver_type: Any) -> bool:
        """Tell whether a column of this driver's type holds moments, and not local times of some place."""
        return bool(driver_type == _TIMESTAMPTZ)

    def is_readable(self, column: sa.ColumnElement[Any], driver_type: Any) -> sa.ColumnElement[bool] | None:
        """Tell of a value that is not NULL whether every driver can read it; None: of any.

        Not infinity, which reads as Python's last day, and years that Python does not have, which are text.
        """
        if driver_type == _DATE:
            first, last = (sa.cast(each.isoformat(), sa.Date) for each in (date.min, date.max))
            return column.between(first, last)
        if str(driver_type).startswith("TIMESTAMP"):
            # A moment is read as the session's local time, and so does a cast.
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
        described = sa.text(f"DESCRIBE {statement.text}").bindparams(*statement._bindparams.values())
        return list(connection.execute(described).scalars())

    # How its values compare

    def compared_form(
        self, connection: sa.Connection, listed: sa.Select[Any], driver_type: Any, *, is_unique: bool
    ) -> Form:
        """Return the form in which a column sorts and compares alike."""
        if str(driver_type).startswith("ENUM"):  # sorted by its place in the type, but compared as text
            return lambda column: sa.cast(column, sa.Text)
        return as_it_is
