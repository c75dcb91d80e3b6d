"""What is known of PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from airflow_provider_permitocr.sql.database.comparing import Typed
from airflow_provider_permitocr.sql.database.database import Database, Failure, first_line
from airflow_provider_permitocr.sql.database.replacing import STATEMENTS_KEPT, Replacing, Row, on_conflict

# SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html

#: Connection, transaction rollback (serialization, deadlock), too many connections, a lock that is not to be
#: had, a server that shuts down, crashed or starts.
_TRANSIENT: Final = ("08", "40001", "40003", "40P01", "53300", "55P03", "57P01", "57P02", "57P03")
#: A trigger's or function's refusal, more rows than one, data, constraints, a view's condition, a value over
#: a limit of the server such as that of an index.
_OF_ROWS: Final = ("09", "21", "22", "23", "27", "38", "39", "44", "54000", "P0")
_NO_TABLE: Final = "42P01"
_READ_ONLY: Final = "25006"
#: About the connection, rights, names and syntax, resources, or the server's own state. All others are about
#: rows, or are raised by the user's own triggers in words of any kind.
_WITHOUT_VALUES: Final = ("08", "0A", "25", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58")
#: Refused before there is a session, of which drivers tell no SQLSTATE: passwords, rights, names, TLS.
_REFUSED_CONNECTION: Final = re.compile(
    "authentication failed|no pg_hba.conf entry|does not exist|is not permitted to log in"
    "|permission denied for database|does not support SSL|no password supplied|SSL error"
    "|invalid (connection option|sslmode|port|integer)|root certificate file"
)
#: A worker whose machine dies leaves its connection to the server's keepalive, which takes two hours, and the
#: others wait for the row that it has locked. Said before the lock is taken, and for one transaction alone:
#: behind a proxy a session's settings would meet strangers.
_LIMITS: Final = "SET LOCAL idle_in_transaction_session_timeout = '30s'; SET LOCAL lock_timeout = '45s'"
#: Index entries have a third of a page at most, 2,704 bytes; list and side take some.
_LONGEST_KEY_IN_BYTES: Final = 2_600
#: A table that is there already may be further along the search path than where a new one is made.
_SCHEMA: Final = sa.text(
    "SELECT coalesce((SELECT n.nspname FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relname = :name AND pg_catalog.pg_table_is_visible(c.oid)), current_schema())"
)
#: Numbers of types, which the driver tells for a table and for any SELECT alike: text and varchar.
_TEXT: Final = frozenset({25, 1043})
#: Those that read the same as text in the database and in Python: bigint, smallint, integer, uuid.
_KEYS: Final = _TEXT | {20, 21, 23, 2950}
_TIMESTAMPTZ: Final = 1184
#: With date and timestamp, which are in UTC here, whatever the session's time zone is.
_MOMENTS: Final = frozenset({_TIMESTAMPTZ, 1082, 1114})


class PostgreSql(Database):
    """PostgreSQL, by psycopg or psycopg2."""

    title = "PostgreSQL"
    dialects = ("postgresql",)
    drivers = ("psycopg", "psycopg2")
    #: ``now()`` is the begin of the transaction.
    clock = "clock_timestamp()"
    #: They are one parameter.
    keys_at_once = 10_000

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

    def upsert(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: Replacing
    ) -> None:
        """Send all rows as one text: one statement and one parameter, with any driver.

        psycopg2 would send a statement per row, and for both drivers SQLAlchemy would handle each value.
        """
        connection.execute(_insert_from_json(table, rule), {"rows": msgspec.json.encode(rows).decode()})

    def before_lock(self, connection: sa.Connection) -> None:
        """Bound how long this transaction may wait for a ledger's lock, and keep it."""
        connection.exec_driver_sql(_LIMITS)

    def before_reading_unsettled(self, connection: sa.Connection) -> None:
        """Keep a plan from being chosen that compares each row of a list with each of a ledger.

        As long as statistics know nothing of a list in the ledger, it is taken for one row there, which is
        kept at hand. For a million of them that does not come to an end.
        """
        connection.exec_driver_sql("SET LOCAL enable_material = off")

    def key_fault(self, image_key: str) -> str | None:
        """Say why no index of a ledger can hold a key."""
        size = len(image_key.encode())
        if size <= _LONGEST_KEY_IN_BYTES:
            return None
        return f"it has {size:,} bytes, and an index of PostgreSQL holds {_LONGEST_KEY_IN_BYTES:,}"

    def is_any_of(self, column: sa.ColumnElement[Any], values: Sequence[str]) -> sa.ColumnElement[bool]:
        """Take one parameter in place of a thousand."""
        return column == sa.any_(sa.literal(list(values), sa.ARRAY(sa.Text)))

    def in_utc(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Give a time without a zone one: of two times, that one would be taken to be in the session's."""
        return sa.func.timezone("UTC", column, type_=sa.DateTime(timezone=True))

    def same_text(
        self, connection: sa.Connection, kept: Typed, listed: Typed
    ) -> list[sa.ColumnElement[bool]] | None:
        """Compare by the database's own collation, which tells all texts apart, and indexes a ledger's keys.

        Said explicitly, columns of other collations can be compared with each other.
        """
        if listed.type not in _KEYS or kept.type not in _TEXT:
            return None
        return [kept.column == sa.collate(sa.cast(listed.column, sa.Text), "default")]

    def is_seen(
        self, listed_at: Typed, updated_at: Typed, attempted_at: Typed
    ) -> sa.ColumnElement[bool] | None:
        """Compare times with zones."""
        if not {listed_at.type, updated_at.type, attempted_at.type} <= _MOMENTS:
            return None
        seen_at = sa.func.coalesce(_moment(updated_at), _moment(attempted_at))
        return sa.or_(listed_at.column.is_(None), seen_at >= _moment(listed_at))

    def schema_of(self, connection: sa.Connection, name: str) -> tuple[str | None, bool]:
        """Look along the search path."""
        return connection.execute(_SCHEMA, {"name": name}).scalar(), False


@lru_cache(STATEMENTS_KEPT)
def _insert_from_json(table: sa.Table, rule: Replacing) -> Any:
    rows = sa.cast(sa.bindparam("rows", type_=sa.Text), postgresql.JSON)
    columns = [sa.column(column.name, column.type) for column in table.columns]
    new = sa.func.json_to_recordset(rows).table_valued(*columns, name="new").render_derived(with_types=True)
    insert = postgresql.insert(table).from_select(list(table.columns), sa.select(*new.c))
    return on_conflict(insert, table, rule)


def _moment(time: Typed) -> sa.ColumnElement[Any]:
    if time.type == _TIMESTAMPTZ:
        return time.column
    return sa.func.timezone("UTC", sa.cast(time.column, sa.DateTime()))


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
