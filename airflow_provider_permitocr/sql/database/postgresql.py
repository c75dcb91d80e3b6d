"""What is known of PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, DropIndex

from airflow_provider_permitocr.sql.database.concurrent_index import (
    create_concurrently,
    is_large,
    unusable_indexes,
)
from airflow_provider_permitocr.sql.database.database import LOCK_SECONDS, Database, Failure, first_line

# SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html

#: Connection, transaction rollback (serialization, deadlock), too many connections, a lock that is not to be
#: had, a server that shuts down, crashed or starts.
_TRANSIENT: Final = ("08", "40001", "40003", "40P01", "53300", "55P03", "57P01", "57P02", "57P03")
#: A trigger's or function's refusal, more rows than one, data, constraints, a view's condition, a value over
#: a limit of the server such as that of an index.
_OF_ROWS: Final = ("09", "21", "22", "23", "27", "38", "39", "44", "54000", "P0")
_NO_TABLE: Final = "42P01"
_READ_ONLY: Final = "25006"
_LOCKED: Final = "55P03"
#: A table, column or type; an entry in a catalog, or one that was changed at the same moment; a view that got
#: further columns, which a replacement may not drop.
_MADE_ALREADY: Final = frozenset({"42P07", "42701", "42710", "23505", "XX000", "42P16"})
#: About the connection, rights, names and syntax, resources, or the server's own state. All others are about
#: rows, or are raised by the user's own triggers in words of any kind.
_WITHOUT_VALUES: Final = ("08", "0A", "25", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58")
#: Refused before there is a session, of which drivers tell no SQLSTATE: passwords, rights, names, TLS.
_REFUSED_CONNECTION: Final = re.compile(
    "authentication failed|no pg_hba.conf entry|does not exist|is not permitted to log in"
    "|permission denied for database|does not support SSL|no password supplied|SSL error"
    "|invalid (connection option|sslmode|port|integer)|root certificate file"
)


class PostgreSql(Database):
    """PostgreSQL, by psycopg or psycopg2."""

    title = "PostgreSQL"
    dialects = ("postgresql",)
    drivers = ("psycopg", "psycopg2")

    def failure(self, error: BaseException) -> Failure | None:
        """Tell what an error of its driver means."""
        state = _state(error)
        if state is None:
            return _failure_without_server(error)
        if state.startswith(_TRANSIENT):
            return Failure.TRANSIENT
        if state.startswith(_OF_ROWS):
            return Failure.ROW
        return {_NO_TABLE: Failure.NO_TABLE, _READ_ONLY: Failure.READ_ONLY}.get(state, Failure.REFUSAL)

    def describe(self, error: BaseException) -> str:
        """Describe an error of its driver without any value of a row."""
        name, state = type(error).__name__, _state(error)
        if state is None:
            # A server gives a state to all that it says.
            return f"{name}: {first_line(error)}" if _is_of_connection(error) else name
        if state.startswith(_WITHOUT_VALUES):
            return f"{name}: {first_line(error)}"
        return f"{name} (SQLSTATE {state})"

    @contextmanager
    def changing(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Begin a transaction that changes tables or views, and commit it.

        The limit is the transaction's: a session may be a stranger's next, behind a proxy.
        https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT
        """
        # Where the user's connection commits each statement by itself, there is no transaction otherwise.
        with engine.connect() as connection:
            connection.execution_options(isolation_level="READ COMMITTED")
            with connection.begin():
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
                yield connection

    def create_index(self, engine: sa.Engine, index: sa.Index) -> None:
        """Create an index of a table that may be in use, without waiting for long.

        Readers are not in its way, and never wait for it. A table that is large stays open for writers, too.
        """
        with self.changing(engine) as connection:
            assert index.table is not None
            if index.name in unusable_indexes(connection, index.table.schema):
                connection.execute(DropIndex(index))
            if not is_large(connection, index.table):
                connection.execute(CreateIndex(index))
                return
        create_concurrently(engine, index)

    def unusable_indexes(self, connection: sa.Connection, schema: str | None) -> Set[str]:
        """Return the names of indexes that a build which was broken off has left, and nobody is making."""
        return unusable_indexes(connection, schema)

    def is_locked(self, error: BaseException) -> bool:
        """Tell whether another session holds a lock that was not to be had in time."""
        return _state(error) == _LOCKED

    def is_made_already(self, error: BaseException) -> bool:
        """Tell whether a change was refused because another session has just made the same."""
        return _state(error) in _MADE_ALREADY

    def finding_holders(self, table: str) -> str:
        """Say how to find who holds a lock on a table or view."""
        quoted = table.replace("'", "''")
        return (
            "find it with SELECT pid, usename, state, xact_start FROM pg_stat_activity WHERE pid IN"  # noqa: S608
            f" (SELECT pid FROM pg_locks WHERE relation = '{quoted}'::regclass)"
        )


def _state(error: Any) -> str | None:
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return state if isinstance(state, str) else None


def _failure_without_server(error: BaseException) -> Failure | None:
    """Without a state no server has answered in a session: it restarts, or moves to another host."""
    if not _is_of_connection(error):
        return None
    return Failure.REFUSAL if _REFUSED_CONNECTION.search(str(error)) else Failure.TRANSIENT


def _is_of_connection(error: BaseException) -> bool:
    """Tell by the driver's class, whose subclasses have states."""
    return type(error).__name__ in ("OperationalError", "InterfaceError", "ConnectionTimeout")
