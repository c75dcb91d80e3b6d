"""What is known of PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.columns import ColumnKind
from airflow_provider_permitocr.sql.database.database import (
    Database,
    Failure,
    bound_keys,
    first_line,
)

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

# Numbers of types: https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat

_DATE: Final = 1082
_TIMES: Final = frozenset({1083, 1266})
_TIMESTAMPTZ: Final = 1184
_TIMESTAMPS: Final = frozenset({1114, _TIMESTAMPTZ})
_KINDS: Final[dict[Any, ColumnKind]] = {
    16: ColumnKind.BOOLEAN,
    **dict.fromkeys((20, 21, 23), ColumnKind.INTEGER),
    **dict.fromkeys((700, 701), ColumnKind.FLOAT),
    _DATE: ColumnKind.DATE,
    **dict.fromkeys(_TIMESTAMPS, ColumnKind.TIMESTAMP),
}


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

    # What its driver reads

    def kind_of(self, driver_type: Any) -> ColumnKind | None:
        """Return the kind of what a column of this driver's type holds; None where it does not tell."""
        return _KINDS.get(driver_type)

    def is_instant(self, driver_type: Any) -> bool:
        """Tell whether a column of this driver's type holds moments, and not local times of some place."""
        return bool(driver_type == _TIMESTAMPTZ)

    def is_readable(self, column: sa.ColumnElement[Any], driver_type: Any) -> sa.ColumnElement[bool] | None:
        """Tell of a value that is not NULL whether every driver can read it; None: of any.

        Not infinity, years that Python does not have, and the hour 24.
        """
        if driver_type == _DATE:
            return column.between(sa.literal(date.min, sa.Date), sa.literal(date.max, sa.Date))
        if driver_type in _TIMESTAMPS:
            # Drivers read a moment as the session's local time, and so does a cast.
            local = sa.cast(column, sa.DateTime)
            first, last = (sa.literal(each, sa.DateTime) for each in (datetime.min, datetime.max))
            return local.between(first, last)
        if driver_type in _TIMES:
            return sa.cast(column, sa.Time) < sa.cast(sa.literal_column("'24:00:00'"), sa.Time)
        return None

    # How its values compare

    def bound(self, value: Any) -> sa.ColumnElement[Any]:
        """Give a value that the driver read to be compared with the column that it was read of."""
        return sa.literal(_untyped(value), sa.types.NULLTYPE)

    def is_among(
        self, key: sa.ColumnElement[Any], compared_key: sa.ColumnElement[Any], values: Sequence[Any]
    ) -> sa.ColumnElement[bool]:
        """Tell whether a row has one of these keys, as the driver read them."""
        return compared_key.in_(bound_keys([_untyped(each) for each in values], sa.types.NULLTYPE))


def _untyped(value: Any) -> Any:
    """Give a value as text without a type, which PostgreSQL reads as the type of what it is compared with.

    Given as text with a type, a CHAR(n) is compared without its padding, and an enum not at all; a number,
    a REAL never equals what was read of it.
    """
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else str(value)


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
