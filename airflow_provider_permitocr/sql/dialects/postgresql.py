"""Facts about PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any, ClassVar, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, DropIndex

from airflow_provider_permitocr.permit.columns import ColumnKind
from airflow_provider_permitocr.sql.dialects import reflection
from airflow_provider_permitocr.sql.dialects.concurrent_index import (
    create_concurrently,
    is_large,
    unusable_indexes,
)
from airflow_provider_permitocr.sql.dialects.database import (
    LOCK_SECONDS,
    NO_CHANGES,
    Connector,
    Database,
    Failure,
    Typed,
    bound_keys,
    first_line,
)
from airflow_provider_permitocr.sql.dialects.dataset import Dataset, server
from airflow_provider_permitocr.sql.dialects.drivers import postgresql as drivers
from airflow_provider_permitocr.sql.dialects.drivers.postgresql import PSYCOPG, PSYCOPG2
from airflow_provider_permitocr.sql.dialects.reflection import FoundColumn
from airflow_provider_permitocr.sql.dialects.replacing import (
    ALWAYS,
    STATEMENTS_KEPT,
    Replacing,
    Row,
    on_conflict,
)

# SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html

#: Connection failures, rollbacks (serialization, deadlock), too many connections, lock timeouts, and servers
#: that shut down, crashed or start.
_TRANSIENT: Final = ("08", "40001", "40003", "40P01", "53300", "55P03", "57P01", "57P02", "57P03")
#: Raised by a trigger or function, more than one row, data, constraints, a view's condition, or a server
#: limit such as an index's entry size.
_OF_ROWS: Final = ("09", "21", "22", "23", "27", "38", "39", "44", "54000", "P0")
_NO_TABLE: Final = "42P01"
_READ_ONLY: Final = "25006"
_LOCKED: Final = frozenset({"55P03"})
_NO_RIGHT: Final = frozenset({"42501"})
#: A table, column or type; an entry in a catalog, or one that was changed at the same moment; a view that got
#: further columns, which a replacement may not drop.
_MADE_ALREADY: Final = frozenset({"42P07", "42701", "42710", "23505", "XX000", "42P16"})
#: About the connection, rights, names and syntax, resources, or the server's own state. All others are about
#: rows, or are raised by the user's own triggers in words of any kind.
_WITHOUT_VALUES: Final = ("08", "0A", "25", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58")
#: If a worker's machine dies, the server's keepalive closes its connection only after two hours, and others
#: wait for the locked row. Set before locking and for one transaction only: behind a proxy, session settings
#: would reach other clients. One statement, because several cannot be prepared.
_LIMITS: Final = (
    "SELECT set_config('idle_in_transaction_session_timeout', '30s', true),"
    " set_config('lock_timeout', '45s', true)"
)
#: PgBouncer's words where pool_mode is statement: https://www.pgbouncer.org/config.html#pool_mode
_STATEMENT_POOLING: Final = "statement pooling mode"
#: A policy's refusal has the SQLSTATE of a missing right.
_ROW_SECURITY: Final = "row-level security policy"
#: Index entries have a third of a page at most, 2,704 bytes; list and side take some.
_LONGEST_KEY_IN_BYTES: Final = 2_600
#: An existing table may be later in the search path than the schema for new tables.
_SCHEMA: Final = sa.text(
    "SELECT coalesce((SELECT n.nspname FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relname = :name AND pg_catalog.pg_table_is_visible(c.oid)), current_schema())"
)
#: Type OIDs, which the driver returns both for tables and for any SELECT: text and varchar.
_TEXT: Final = frozenset({25, 1043})
#: Those that read the same as text in the database and in Python: bigint, smallint, integer, uuid.
_KEYS: Final = _TEXT | {20, 21, 23, 2950}
_TIMESTAMPTZ: Final = 1184
#: With date and timestamp, which are UTC here, whatever the session's time zone.
_MOMENTS: Final = frozenset({_TIMESTAMPTZ, 1082, 1114})


#: A table without a schema is the one found in the session's search path.
_TABLE: Final = """
    (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = :name
    AND CASE WHEN CAST(:schema AS text) IS NULL THEN pg_table_is_visible(c.oid) ELSE nspname = :schema END)
"""
#: Nondeterministic collations, since PostgreSQL 12, and what SQLAlchemy does not report about a domain: its
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
#: Indexes that are invalid, for instance because a concurrent build found duplicates (SQLAlchemy reports that
#: only from 2.1 on), and those of DEFERRABLE constraints, which ON CONFLICT cannot use.
_NOT_IN_FORCE: Final = """
    SELECT relname FROM pg_index JOIN pg_class made ON made.oid = indexrelid
    WHERE NOT (indisvalid AND indimmediate) AND indrelid = {table}
""".replace("{table}", _TABLE)
_RIGHT_TO_CREATE: Final = """
    SELECT has_schema_privilege(oid, 'CREATE'), current_setting('transaction_read_only') = 'on'
    FROM pg_namespace WHERE nspname = coalesce(CAST(:schema AS name), current_schema())
"""
_SERVER_ENCODING: Final = "SELECT current_setting('server_encoding')"
_A_NUMBER: Final = "'^-?[0-9]{1,18}$'"
_A_UUID: Final = "'^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$'"
_DIGITS: Final = 6
#: The type modifier of a text includes four bytes for its length.
_LENGTH_BEFORE: Final = 4

# Numbers of types: https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat

_DATE: Final = 1082
_TIMES: Final = frozenset({1083, 1266})
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
    keeps_deleted = "PostgreSQL keeps deleted and changed rows in its files until VACUUM has removed them"
    dialects = ("postgresql",)
    conn_types = ("postgres",)
    drivers = (PSYCOPG, PSYCOPG2)
    driver_packages: ClassVar[Mapping[str, str]] = {PSYCOPG: "psycopg[binary]", PSYCOPG2: "psycopg2-binary"}
    #: ``now()`` is the begin of the transaction.
    clock = "clock_timestamp()"
    comments_on_views = True
    typed_keys: ClassVar[frozenset[str]] = frozenset({"integer", "uuid"})
    #: They are one parameter.
    keys_at_once = 10_000
    key_remark = " that is not DEFERRABLE"
    #: https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
    longest_name = 63
    kinds: ClassVar[Mapping[Any, ColumnKind]] = _KINDS
    instants = frozenset({_TIMESTAMPTZ})
    locked = _LOCKED
    made_already = _MADE_ALREADY
    denied = _NO_RIGHT

    # Its names elsewhere

    def dataset(self, connection: Any, table: str) -> Dataset:
        """Return a table's name in asset events and lineage."""
        schema, _, name = table.rpartition(".")
        # Without a database, libpq connects to the one named like the user.
        database = connection.schema or connection.login or "postgres"
        return Dataset.of_table(server("postgres", connection, 5432), database, schema or "public", name)

    # Its errors

    def code(self, error: BaseException) -> str | None:
        """Return the SQLSTATE of an error of the server's."""
        state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        return state if isinstance(state, str) else None

    def failure(self, error: BaseException) -> Failure | None:
        """Classify an error of its driver."""
        state = self.code(error)
        if state is None:
            # No server has answered in a session: it restarts, or moves to another host.
            return Failure.TRANSIENT if _is_of_connection(error) else None
        if self.is_final(error):
            return Failure.REFUSAL
        if state.startswith(_TRANSIENT):
            return Failure.TRANSIENT
        if state.startswith(_OF_ROWS) or _ROW_SECURITY in str(error):
            return Failure.ROW
        return {_NO_TABLE: Failure.NO_TABLE, _READ_ONLY: Failure.READ_ONLY}.get(state, Failure.REFUSAL)

    def describe(self, error: BaseException) -> str:
        """Describe an error of its driver without any value of a row."""
        name, state = type(error).__name__, self.code(error)
        if state is None:
            # Every message of the server has a state.
            return f"{name}: {first_line(error)}" if _is_of_connection(error) else name
        if state.startswith(_WITHOUT_VALUES):
            return f"{name}: {first_line(error)}"
        return f"{name} (SQLSTATE {state})"

    def is_final(self, error: BaseException) -> bool:
        """Return whether PgBouncer takes no transactions: its pool_mode must be transaction or session."""
        return _STATEMENT_POOLING in str(error)

    # The connection

    def connector(self, hook: Any) -> Connector:
        """Return how Airflow's ``PostgresHook`` reaches its database."""
        return drivers.connector(hook)

    def connection_remedy(self, error: BaseException) -> str | None:
        """Return what to change, by the server's or the driver's message."""
        return drivers.remedy(error)

    # Catalog

    def schema_of(self, connection: sa.Connection, name: str) -> tuple[str | None, bool]:
        """Look along the search path."""
        return connection.execute(_SCHEMA, {"name": name}).scalar(), False

    def columns(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> list[FoundColumn] | None:
        """Return the columns of a table or view in order; None if neither exists."""
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
        rows = connection.execute(sa.text(_NOT_IN_FORCE), {"name": name, "schema": schema})
        return reflection.unique_keys(connection, name, schema, without=rows.scalars().all())

    def narrow_encoding(self, connection: sa.Connection) -> str | None:
        """Name the database's encoding, unless it is the only one of a server's that has all characters.

        SQL_ASCII takes any bytes and checks none.
        https://www.postgresql.org/docs/current/multibyte.html
        """
        encoding = connection.execute(sa.text(_SERVER_ENCODING)).scalar_one()
        return None if encoding == "UTF8" else str(encoding)

    def why_not_creatable(self, connection: sa.Connection, schema: str | None) -> str | None:
        """Return why no table can be created in a schema; None if one can."""
        found = connection.execute(sa.text(_RIGHT_TO_CREATE), {"schema": schema}).one_or_none()
        if found is None:
            return f"there is no schema {schema!r}" if schema else "there is no current schema"
        is_granted, is_read_only = found
        if is_read_only:
            return NO_CHANGES
        return None if is_granted else "the connection's user may not create tables in its schema"

    # Changes of tables, indexes and views

    @contextmanager
    def changing(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Begin a transaction that changes tables or views, and commit it.

        The limit is the transaction's: a session may be a stranger's next, behind a proxy.
        https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT
        """
        with engine.connect() as connection:
            # The user's connection may be in autocommit, where there would be no transaction.
            connection.execution_options(isolation_level="READ COMMITTED")
            try:
                with connection.begin():
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
                    yield connection
            finally:
                connection.invalidate()  # others are to get one as the user's hook makes it

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
        """Return the names of indexes that an interrupted build left, and that no session is building."""
        return unusable_indexes(connection, schema)

    def finding_holders(self, table: str) -> str:
        """Return advice on finding the session that locks a table or view."""
        quoted = table.replace("'", "''")
        return (
            "find it with SELECT pid, usename, state, xact_start FROM pg_stat_activity WHERE pid IN"  # noqa: S608
            f" (SELECT pid FROM pg_locks WHERE relation = '{quoted}'::regclass)"
        )

    # Rows

    def upsert(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: Replacing = ALWAYS
    ) -> None:
        """Send all rows as one text: one statement and one parameter, with any driver.

        psycopg2 would send a statement per row, and for both drivers SQLAlchemy would handle each value.
        """
        connection.execute(_insert_from_json(table, rule), {"rows": msgspec.json.encode(rows).decode()})

    def upsert_of_nothing(self, table: sa.Table) -> sa.Executable | None:
        """Return an ``upsert`` of no row: a table with rules refuses even that."""
        insert = postgresql.insert(table).from_select(
            list(table.columns), sa.select(*table.c).where(sa.false())
        )
        upsert: sa.Executable = on_conflict(insert, table, ALWAYS)
        return upsert

    # Types that its driver returns

    def is_readable(self, column: sa.ColumnElement[Any], driver_type: Any) -> sa.ColumnElement[bool] | None:
        """Return SQL for whether every driver can read a non-NULL value; None: they can read any.

        False for infinity, years beyond Python's, and hour 24.
        """
        if driver_type == _DATE:
            return column.between(sa.literal(date.min, sa.Date), sa.literal(date.max, sa.Date))
        if driver_type in _TIMESTAMPS:
            # Drivers and casts both convert an instant to the session's local time.
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
        """Return whether a row has one of these keys, as the driver read them."""
        return compared_key.in_(bound_keys([_untyped(each) for each in values], sa.types.NULLTYPE))

    # SQL for analyses

    def typed_key(self, key: sa.ColumnElement[Any], key_type: str | None) -> sa.ColumnElement[Any]:
        """Return a key's text as its list has it if it is an integer or a UUID; NULL for other texts."""
        if key_type == "uuid":
            return sa.case((key.op("~")(sa.literal_column(_A_UUID)), sa.cast(key, postgresql.UUID)))
        return super().typed_key(key, key_type)

    def whole_number(self, text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return the whole number that a text of up to 18 digits is; NULL for another text."""
        return sa.case((text.op("~")(sa.literal_column(_A_NUMBER)), sa.cast(text, sa.BigInteger)))

    def json_text(self, document: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[Any]:
        """Return a text of a JSON object that is kept as text."""
        named: sa.ColumnElement[Any] = sa.literal_column(f"'{name}'")
        return sa.cast(document, postgresql.JSONB).op("->>", return_type=sa.Text())(named)

    def local_day(self, moment: sa.ColumnElement[Any], minutes: int) -> sa.ColumnElement[Any]:
        """Return the day of an instant, whatever the session's time zone."""
        in_utc = sa.func.timezone("UTC", moment) if getattr(moment.type, "timezone", False) else moment
        return sa.cast(in_utc + sa.literal_column(f"INTERVAL '{minutes} minutes'"), sa.Date)

    def now(self) -> sa.ColumnElement[Any]:
        """Return the start of the transaction."""
        return sa.func.now(type_=sa.DateTime(timezone=True))

    def epoch_milliseconds(self, moment: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return the whole milliseconds from 1970 to a time of a ledger, with a zone or in UTC."""
        return sa.cast(sa.func.floor(sa.extract("epoch", moment) * 1000), sa.BigInteger)

    # A ledger in it

    def key_fault(self, image_key: str) -> str | None:
        """Return why no index of a ledger can store a key; None if one can."""
        size = len(image_key.encode())
        if size <= _LONGEST_KEY_IN_BYTES:
            return None
        return f"it has {size:,} bytes, and an index of PostgreSQL holds {_LONGEST_KEY_IN_BYTES:,}"

    def before_lock(self, connection: sa.Connection) -> None:
        """Bound how long this transaction may wait for a ledger's lock, and keep it."""
        connection.exec_driver_sql(_LIMITS)

    def is_any_of(self, column: sa.ColumnElement[Any], values: Sequence[str]) -> sa.ColumnElement[bool]:
        """Use one parameter instead of a thousand."""
        return column == sa.any_(sa.literal(list(values), sa.ARRAY(sa.Text)))

    def in_utc(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Give a time without a zone one: of two times, that one would be taken to be in the session's."""
        return sa.func.timezone("UTC", column, type_=sa.DateTime(timezone=True))

    def before_reading_unsettled(self, connection: sa.Connection) -> None:
        """Prevent a plan that compares each row of a list with each row of a ledger.

        Without statistics about a new list, the planner expects a single row of it and materializes that.
        With a million rows, such a query never ends.
        """
        connection.exec_driver_sql("SET LOCAL enable_material = off")

    def same_text(
        self, connection: sa.Connection, kept: Typed, listed: Typed
    ) -> list[sa.ColumnElement[bool]] | None:
        """Compare by the database's own collation, which distinguishes all texts and indexes a ledger's keys.

        An explicit collation also allows comparing columns with different collations.
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


def _described(column: FoundColumn, known: Any) -> FoundColumn:
    """Add to a column what its type does to texts and times.

    :param known: the server's catalog row about it.
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
        return "pads text with blanks"
    # SQLAlchemy uses a subclass for all texts except "name" (63 bytes) and "char" (one byte).
    return "truncates text" if type(kind) is sa.String else None


def _untyped(value: Any) -> Any:
    """Pass a value as untyped text, so that PostgreSQL casts it to the type that it is compared with.

    With a text type, a CHAR(n) would compare without its padding, and an enum not at all; passed as a
    number, a REAL never equals the value read from it.
    """
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else str(value)


def _is_of_connection(error: BaseException) -> bool:
    """Classify by the driver's class, whose subclasses have states."""
    return type(error).__name__ in ("OperationalError", "InterfaceError", "ConnectionTimeout")
