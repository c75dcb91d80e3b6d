"""What is known of SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from airflow_provider_permitocr.core.errors import ConfigurationError
from airflow_provider_permitocr.sql.database.comparing import Typed
from airflow_provider_permitocr.sql.database.database import (
    LOCK_SECONDS,
    Connector,
    Database,
    Failure,
    first_line,
)
from airflow_provider_permitocr.sql.database.replacing import STATEMENTS_KEPT, Replacing, Row, on_conflict

# Result codes: https://www.sqlite.org/rescode.html

#: BUSY, LOCKED, PROTOCOL (a race for the file), SCHEMA (changed while a statement was prepared).
_TRANSIENT: Final = frozenset({5, 6, 15, 17})
#: TOOBIG, CONSTRAINT, MISMATCH.
_OF_ROWS: Final = frozenset({18, 19, 20})
_READ_ONLY: Final = 8
_MAIN_SCHEMA: Final = "main"
_DAY: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
_TIME: Final = "[0-9][0-9]:[0-9][0-9]:[0-9][0-9]"
_SECOND: Final = f"{_DAY}[ T]{_TIME}"
#: A ledger's own times.
_AS_WRITTEN: Final = f"{_DAY} {_TIME}.[0-9][0-9][0-9][0-9][0-9][0-9]"


_SCHEME: Final = "sqlite:///"
_URI: Final = "file:"
_IN_MEMORY: Final = ("", ":memory:")
#: The whole file is locked, for as long as one exchange takes.
_BUSY_MILLISECONDS: Final = 45_000
_LOCKED: Final = frozenset({5, 6})
_MADE_ALREADY: Final = ("already exists", "duplicate column name")


class Sqlite(Database):
    """SQLite, a file on one machine."""

    title = "SQLite"
    dialects = ("sqlite",)
    conn_types = ("sqlite",)
    drivers = ("sqlite3",)
    clock = "strftime('%Y-%m-%d %H:%M:%f', 'now')"
    is_file = True

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

    def upsert(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: Replacing
    ) -> None:
        """Write rows, replacing those with the same primary key."""
        connection.execute(_insert_on_conflict(table, rule), rows)

    def same_text(
        self, connection: sa.Connection, kept: Typed, listed: Typed
    ) -> list[sa.ColumnElement[bool]] | None:
        """Compare texts by their bytes, and integers as text: a column may hold any type in each row."""
        return [
            sa.func.typeof(listed.column).in_(("integer", "text")),
            sa.func.typeof(kept.column) == "text",
            kept.column == sa.collate(sa.cast(listed.column, sa.Text), "BINARY"),
        ]

    def is_seen(
        self, listed_at: Typed, updated_at: Typed, attempted_at: Typed
    ) -> sa.ColumnElement[bool] | None:
        """Compare times as text, those that are plainly in UTC."""
        changed, is_changed_plain = _plain_time(listed_at.column)
        seen = sa.type_coerce(sa.func.coalesce(updated_at.column, attempted_at.column), sa.Text)
        not_changed = sa.and_(_globs(seen, _AS_WRITTEN), is_changed_plain, seen >= changed)
        return sa.or_(listed_at.column.is_(None), not_changed)

    def schema_of(self, connection: sa.Connection, name: str) -> tuple[str | None, bool]:
        """A file has one schema."""
        return _MAIN_SCHEMA, True

    # The connection

    def connector(self, hook: Any) -> Connector:
        """Return how Airflow's ``SqliteHook`` leads to a file, with the parameters of its extra.

        ``get_conn`` opens the same URI; its connections cannot be used by another thread than the one that
        has opened them. Parameters: https://www.sqlite.org/uri.html

        :raises ConfigurationError: when it leads to memory.
        """
        import sqlite3

        uri = str(hook.get_uri()).replace(_SCHEME, _URI)
        path, _, query = uri.removeprefix(_URI).partition("?")
        file = unquote(path.partition("#")[0])
        if file in _IN_MEMORY or "memory" in parse_qs(query).get("mode", ()):
            raise ConfigurationError(
                "it leads to a database in memory, which is gone with its connection; name a file in its host"
            )
        return Connector("sqlite", lambda: sqlite3.connect(uri, uri=True, check_same_thread=False), file=file)

    def set_up_for_ledger(self, engine: sa.Engine) -> None:
        """Have each session wait for others' exchanges."""

        @sa.event.listens_for(engine, "connect")
        def _wait_for_others(connection: Any, _record: Any) -> None:
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")

    def connection_remedy(self, error: BaseException) -> str | None:
        """Say what to change: nobody else can be in the way of opening a file."""
        return "correct the path in the connection's host, or the parameters in its extra"

    # The file

    def file_of(self, engine: sa.Engine) -> str | None:
        """Return the path of the file; None: in memory."""
        file = super().file_of(engine)
        return None if not file or file in _IN_MEMORY or file.startswith(_URI) else file

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


@lru_cache(STATEMENTS_KEPT)
def _insert_on_conflict(table: sa.Table, rule: Replacing) -> Any:
    return on_conflict(sqlite.insert(table), table, rule)


def _plain_time(column: sa.ColumnElement[Any]) -> tuple[sa.ColumnElement[str], sa.ColumnElement[bool]]:
    """Give a time that is kept as text in a form that sorts as time does, and tell whether it has one.

    What is missing at its end is zeros, and a text sorts after its own beginning, as it should.
    """
    text = sa.type_coerce(column, sa.Text)
    in_utc = sa.func.replace(sa.func.replace(text, "+00:00", ""), "Z", "")
    fraction = sa.func.substr(in_utc, 21)
    is_plain = sa.or_(
        _globs(text, _SECOND),  # mostly, and found soonest
        _globs(in_utc, _DAY),
        _globs(in_utc, _SECOND),
        sa.and_(_globs(in_utc, f"{_SECOND}.*"), sa.not_(_globs(fraction, "*[^0-9]*"))),
    )
    return sa.func.substr(in_utc, 1, 10).concat(" ").concat(sa.func.substr(in_utc, 12)), is_plain


def _globs(text: sa.ColumnElement[Any], pattern: str) -> sa.ColumnElement[bool]:
    return text.op("GLOB", is_comparison=True)(pattern)


def _code(error: BaseException) -> int | None:
    """Return the primary result code; None for what is the driver's own."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
