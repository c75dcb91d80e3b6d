"""What is known of PostgreSQL."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from airflow_provider_permitocr.sql.database import reflection
from airflow_provider_permitocr.sql.database.database import Database, Failure, first_line
from airflow_provider_permitocr.sql.database.reflection import FoundColumn

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
#: A table without a schema is the one that is found by the session's search path.
_TABLE: Final = """
    (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = :name
    AND CASE WHEN CAST(:schema AS text) IS NULL THEN pg_table_is_visible(c.oid) ELSE nspname = :schema END)
"""
#: Nondeterministic collations, since PostgreSQL 12, and what SQLAlchemy does not say of a domain: its
#: length, and whether it keeps a time's zone.
#: https://www.postgresql.org/docs/current/collation.html#COLLATION-NONDETERMINISTIC
_COLUMNS: Final = """
    SELECT attname AS name,
        CASE to_jsonb(pg_collation) ->> 'collisdeterministic' WHEN 'false' THEN collname END AS merging,
        CASE typtype WHEN 'd' THEN typtypmod ELSE -1 END AS modifier,
        format_type(typbasetype, -1) LIKE '%with time zone' AS has_zone
    FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
    LEFT JOIN pg_collation ON pg_collation.oid = attcollation
    WHERE attnum > 0 AND NOT attisdropped AND attrelid = {table}
""".replace("{table}", _TABLE)
#: Indexes that could not be finished, for instance as what they index is not unique; SQLAlchemy says so
#: itself from 2.1 on only.
_UNFINISHED: Final = """
    SELECT relname FROM pg_index JOIN pg_class made ON made.oid = indexrelid
    WHERE NOT indisvalid AND indrelid = {table}
""".replace("{table}", _TABLE)
_RIGHT_TO_CREATE: Final = """
    SELECT has_schema_privilege(oid, 'CREATE'), current_setting('transaction_read_only') = 'on'
    FROM pg_namespace WHERE nspname = coalesce(CAST(:schema AS name), current_schema())
"""
_ENCODING: Final = "SELECT current_setting('server_encoding')"
_DIGITS: Final = 6
#: A type modifier of texts counts the four bytes that say how long each is.
_LENGTH_BEFORE: Final = 4


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

    def columns(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> list[FoundColumn] | None:
        """Return the columns of a table or view in their order; None where there is neither."""
        found = super().columns(connection, name, schema)
        if found is None:
            return None
        rows = connection.execute(sa.text(_COLUMNS), {"name": name, "schema": schema})
        known = {row.name: row for row in rows}
        return [_described(each, known[each.name]) for each in found if each.name in known]

    def unique_keys(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> set[frozenset[str]]:
        """Return the sets of columns that are unique over all rows: keys, constraints and indexes."""
        rows = connection.execute(sa.text(_UNFINISHED), {"name": name, "schema": schema})
        return reflection.unique_keys(connection, name, schema, without=rows.scalars().all())

    def narrow_encoding(self, connection: sa.Connection) -> str | None:
        """Name the database's encoding, unless it is the only one of a server's that has all characters.

        SQL_ASCII takes any bytes and checks none.
        https://www.postgresql.org/docs/current/multibyte.html
        """
        encoding = connection.execute(sa.text(_ENCODING)).scalar_one()
        return None if encoding == "UTF8" else str(encoding)

    def why_not_creatable(self, connection: sa.Connection, schema: str | None) -> str | None:
        """Say why no table can be created in a schema; None where one can."""
        found = connection.execute(sa.text(_RIGHT_TO_CREATE), {"schema": schema}).one_or_none()
        if found is None:
            return f"there is no schema {schema!r}" if schema else "no schema is current"
        is_granted, is_read_only = found
        if is_read_only:
            return "this server, or the connection to it, takes no changes"
        return None if is_granted else "the connection's user may not create tables in its schema"


def _described(column: FoundColumn, known: Any) -> FoundColumn:
    """Add to a column what its type does to texts and times.

    :param known: the row of the server's about it.
    """
    kind = column.type
    if isinstance(kind, postgresql.DOMAIN):
        is_time = isinstance(kind.data_type, sa.DateTime)
        kind = postgresql.TIMESTAMP(timezone=known.has_zone) if is_time else kind.data_type
    is_time, is_limited = isinstance(kind, sa.DateTime), known.modifier >= 0
    length = known.modifier - _LENGTH_BEFORE if is_limited else getattr(kind, "length", None)
    digits = known.modifier if is_limited else getattr(kind, "precision", None)
    return replace(
        column,
        type=kind,
        length=None if is_time else length,
        merging="citext" if isinstance(kind, postgresql.CITEXT) else known.merging,
        alteration=_alteration(kind),
        digits=digits if is_time and digits is not None and digits < _DIGITS else None,
    )


def _alteration(kind: sa.types.TypeEngine[Any]) -> str | None:
    if isinstance(kind, sa.CHAR):
        return "fills texts up with blanks"
    # SQLAlchemy has a class of its own for all texts but "name", of 63 bytes, and "char", of one.
    return "cuts texts off" if type(kind) is sa.String else None


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
