"""What is known of SQLite."""

from __future__ import annotations

from typing import Final

from airflow_provider_permitocr.sql.database.database import Database, Failure, first_line

# Result codes: https://www.sqlite.org/rescode.html

#: BUSY, LOCKED, PROTOCOL (a race for the file), SCHEMA (changed while a statement was prepared).
_TRANSIENT: Final = frozenset({5, 6, 15, 17})
#: TOOBIG, CONSTRAINT, MISMATCH.
_OF_ROWS: Final = frozenset({18, 19, 20})
_READ_ONLY: Final = 8


class Sqlite(Database):
    """SQLite, a file on one machine."""

    title = "SQLite"
    dialects = ("sqlite",)
    drivers = ("sqlite3",)

    def failure(self, error: BaseException) -> Failure | None:
        """Tell what an error of its driver means."""
        code = _code(error)
        if code in _TRANSIENT:
            return Failure.TRANSIENT
        if code in _OF_ROWS:
            return Failure.ROW
        if code == _READ_ONLY:
            return Failure.READ_ONLY
        return Failure.NO_TABLE if str(error).startswith("no such table") else None

    def describe(self, error: BaseException) -> str:
        """Describe an error of its driver without any value of a row."""
        name, code = type(error).__name__, _code(error)
        # The driver's own, without a code, quote values; so do triggers, which are constraints.
        is_of_database = code is not None and code not in _OF_ROWS and name == "OperationalError"
        return f"{name}: {first_line(error)}" if is_of_database else name


def _code(error: BaseException) -> int | None:
    """Return the primary result code; None for what is the driver's own."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
