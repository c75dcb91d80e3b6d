"""What is known of SQLite."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.sql.database.database import (
    Comparison,
    Database,
    Failure,
    Form,
    as_it_is,
    first_line,
)

# Result codes: https://www.sqlite.org/rescode.html

#: BUSY, LOCKED, PROTOCOL (a race for the file), SCHEMA (changed while a statement was prepared).
_TRANSIENT: Final = frozenset({5, 6, 15, 17})
#: TOOBIG, CONSTRAINT, MISMATCH.
_OF_ROWS: Final = frozenset({18, 19, 20})
_READ_ONLY: Final = 8
#: Of the driver alone, without a code: a text is not UTF-8.
_UNREADABLE: Final = "Could not decode"
#: Of this package, beside SQLite's own functions.
_IS_UTF8: Final = "permitocr_is_utf8"
#: Times are text in any of several forms; they only compare in one form, in UTC.
_TIME_FORM: Final = "%Y-%m-%d %H:%M:%f"
_SECOND: Final = re.compile(r":\d+$")
_ZONES: Final = ("*[Zz]", "*[+-][0-9][0-9]:[0-9][0-9]")


class Sqlite(Database):
    """SQLite, a file on one machine."""

    title = "SQLite"
    dialects = ("sqlite",)
    drivers = ("sqlite3",)
    quoted = rf"{Database.quoted}|`[^`]*`"

    def failure(self, error: BaseException) -> Failure | None:
        """Tell what an error of its driver means."""
        code = _code(error)
        if code in _TRANSIENT:
            return Failure.TRANSIENT
        if code in _OF_ROWS:
            return Failure.ROW
        if code == _READ_ONLY:
            return Failure.READ_ONLY
        if code is None and str(error).startswith(_UNREADABLE):
            return Failure.ROW
        return Failure.NO_TABLE if str(error).startswith("no such table") else None

    def describe(self, error: BaseException) -> str:
        """Describe an error of its driver without any value of a row."""
        name, code = type(error).__name__, _code(error)
        # The driver's own, without a code, quote values; so do triggers, which are constraints.
        is_of_database = code is not None and code not in _OF_ROWS and name == "OperationalError"
        return f"{name}: {first_line(error)}" if is_of_database else name

    # What its driver reads

    def is_readable(self, column: sa.ColumnElement[Any], driver_type: Any) -> sa.ColumnElement[bool] | None:
        """Tell of a value that is not NULL whether its driver can read it: text in UTF-8, and all else."""
        in_bytes = sa.cast(column, sa.LargeBinary)
        text, yes = sa.literal_column("'text'", sa.Text), sa.literal_column("1", sa.Integer)
        return sa.or_(sa.func.typeof(column) != text, sa.Function(_IS_UTF8, in_bytes) == yes)

    def selected_names(
        self, connection: sa.Connection, statement: sa.TextClause, wrapped: sa.Select[Any]
    ) -> list[str]:
        """Name the columns that a SELECT gives; of a subquery, the second ``id`` is called ``id:1``."""
        names = super().selected_names(connection, statement, wrapped)
        known = set(names)
        return [first if (first := _SECOND.sub("", name)) in known else name for name in names]

    def before_reading(self, connection: sa.Connection) -> None:
        """Give a connection the function that ``is_readable`` asks."""
        made: Any = connection.connection.dbapi_connection
        made.create_function(_IS_UTF8, 1, _is_utf8, deterministic=True)

    # How its values compare

    def exact_text(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return text in a form that tells all texts apart: COLLATE NOCASE takes a for A."""
        return sa.collate(column, "BINARY")

    def compared_form(
        self, connection: sa.Connection, listed: sa.Select[Any], driver_type: Any, *, is_unique: bool
    ) -> Form:
        """Return the form in which a column sorts and compares alike, and which tells all its texts apart."""
        return as_it_is if is_unique else self.exact_text

    def compare_time(
        self, column: sa.ColumnElement[Any], compares: Comparison, moment: datetime, local: datetime
    ) -> sa.ColumnElement[bool]:
        """Compare a column of times with a moment: others than those that name a zone as local."""
        text = sa.type_coerce(column, sa.Text)
        has_zone = sa.or_(*(text.op("GLOB", is_comparison=True)(each) for each in _ZONES))
        in_one_form = sa.func.strftime(_TIME_FORM, column)
        compared = sa.case((has_zone, _in_form(moment)), else_=_in_form(local))
        return compares(in_one_form, _in_form(local) if moment.replace(tzinfo=None) == local else compared)


def _in_form(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(" ", "milliseconds")


def _is_utf8(text: bytes | None) -> bool:
    try:
        (text or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def _code(error: BaseException) -> int | None:
    """Return the primary result code; None for what is the driver's own."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
