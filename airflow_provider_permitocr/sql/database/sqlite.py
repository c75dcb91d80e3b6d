"""What is known of SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.sql.database.database import LOCK_SECONDS, Database, Failure, first_line

# Result codes: https://www.sqlite.org/rescode.html

#: BUSY, LOCKED, PROTOCOL (a race for the file), SCHEMA (changed while a statement was prepared).
_TRANSIENT: Final = frozenset({5, 6, 15, 17})
#: TOOBIG, CONSTRAINT, MISMATCH.
_OF_ROWS: Final = frozenset({18, 19, 20})
_READ_ONLY: Final = 8
_LOCKED: Final = frozenset({5, 6})
_MADE_ALREADY: Final = ("already exists", "duplicate column name")


class Sqlite(Database):
    """SQLite, a file on one machine."""

    title = "SQLite"
    dialects = ("sqlite",)
    drivers = ("sqlite3",)
    replaces_views = False

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

    @contextmanager
    def changing(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Begin a transaction that changes tables or views, and commit it.

        While it waits for readers to end, no other begins to read: https://www.sqlite.org/lockingv3.html
        """
        with engine.connect() as connection:
            waits = int(connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one())
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {min(waits, LOCK_SECONDS * 1000)}")
            try:
                session: Any = connection.connection.driver_connection
                if not session.in_transaction:  # the driver itself begins none before such statements
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
                connection.commit()
            finally:
                connection.rollback()
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {waits}")

    def is_locked(self, error: BaseException) -> bool:
        """Tell whether another session holds a lock that was not to be had in time."""
        return _code(error) in _LOCKED

    def is_made_already(self, error: BaseException) -> bool:
        """Tell whether a change was refused because another session has just made the same."""
        return any(words in str(error) for words in _MADE_ALREADY)


def _code(error: BaseException) -> int | None:
    """Return the primary result code; None for what is the driver's own."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
