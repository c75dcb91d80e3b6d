"""Facts about SQLite."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, quote, unquote

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.permit.columns import ColumnKind
from airflow_provider_permitocr.sql.dialects.database import (
    LOCK_SECONDS,
    Comparison,
    Connector,
    Database,
    Failure,
    Form,
    Typed,
    as_it_is,
    first_line,
)
from airflow_provider_permitocr.sql.dialects.dataset import Dataset
from airflow_provider_permitocr.sql.dialects.families import HOLDING, Family
from airflow_provider_permitocr.sql.dialects.reflection import FoundColumn
from airflow_provider_permitocr.sql.dialects.replacing import (
    ALWAYS,
    STATEMENTS_KEPT,
    Replacing,
    Row,
    on_conflict,
)

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
#: Each exchange locks the whole file while it runs.
_BUSY_MILLISECONDS: Final = 45_000
_LOCKED: Final = frozenset({5, 6})
_MADE_ALREADY: Final = ("already exists", "duplicate column name")
#: SQLite stores days and times as text and booleans as numbers, whatever the column's declared type, and
#: CREATE TABLE AS declares them that way. A numeric column would strip leading zeros from text:
#: https://www.sqlite.org/datatype3.html#type_affinity
_HOLDING: Final[Mapping[ColumnKind, frozenset[Family]]] = {
    **HOLDING,
    ColumnKind.DATE: frozenset({Family.DATE, Family.TEXT, Family.NUMBER}),
    ColumnKind.TIMESTAMP: frozenset({Family.TIMESTAMP, Family.TEXT, Family.NUMBER}),
    ColumnKind.BOOLEAN: frozenset({Family.BOOLEAN, Family.INTEGER, Family.NUMBER}),
    ColumnKind.INTEGER: frozenset({Family.INTEGER, Family.NUMBER}),
}
#: The collations of unique indexes; a column's own collation is only in its CREATE TABLE statement.
_COLLATIONS: Final = """
    SELECT compared.name, compared.coll
    FROM pragma_index_list(:name, :schema) AS known, pragma_index_xinfo(known.name, :schema) AS compared
    WHERE known."unique" AND compared.key AND upper(compared.coll) <> 'BINARY'
"""
#: Raised by the driver, without a code: a text is not UTF-8.
_UNREADABLE: Final = "Could not decode"
#: This package's own SQL functions.
_IS_UTF8: Final = "permitocr_is_utf8"
_PLAIN_TIME: Final = "permitocr_plain_time"
#: Times are text in any of several forms; they only compare in one form, in UTC.
_TIME_FORM: Final = "%Y-%m-%d %H:%M:%f"
_DOUBLED: Final = re.compile(r":\d+$")
_ZONES: Final = ("*[Zz]", "*[+-][0-9][0-9]:[0-9][0-9]")


class Sqlite(Database):
    """SQLite, a file on one machine."""

    title = "SQLite"
    keeps_deleted = "SQLite keeps deleted and changed rows in free pages of its file until VACUUM"
    dialects = ("sqlite",)
    conn_types = ("sqlite",)
    drivers = ("sqlite3",)
    clock = "strftime('%Y-%m-%d %H:%M:%f', 'now')"
    read_only_remedy = (
        "remove mode=ro and immutable from the connection's extra, or let this user write the file"
    )
    is_file = True
    replaces_views = False
    folds_columns = True
    folds_tables = True
    holding: ClassVar[Mapping[ColumnKind, frozenset[Family]]] = _HOLDING
    is_lenient = True
    locked = _LOCKED
    quoted = rf"{Database.quoted}|`[^`]*`"

    # Its names elsewhere

    def dataset(self, connection: Any, table: str) -> Dataset:
        """Return a table's name in asset events and lineage."""
        return Dataset.of_table(f"sqlite://localhost{quote(connection.host or '')}", *table.split(".", 1))

    # Its errors

    def code(self, error: BaseException) -> int | None:
        """Return the primary result code; None for the driver's own errors."""
        code = getattr(error, "sqlite_errorcode", None)
        return None if code is None else code & 0xFF

    def failure(self, error: BaseException) -> Failure | None:
        """Classify an error of its driver."""
        code = self.code(error)
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
        name, code = type(error).__name__, self.code(error)
        # The driver's own, without a code, quote values; so do triggers, which are constraints.
        is_of_database = code is not None and code not in _OF_ROWS and name == "OperationalError"
        return f"{name}: {first_line(error)}" if is_of_database else name

    def is_made_already(self, error: BaseException) -> bool:
        """Return whether a change was refused because another session has just made the same."""
        return any(words in str(error) for words in _MADE_ALREADY)

    # The connection

    def connector(self, hook: Any) -> Connector:
        """Return how Airflow's ``SqliteHook`` opens a file, with the parameters of its extra.

        ``get_conn`` opens the same URI; its connections cannot be used by another thread than the one that
        has opened them. Parameters: https://www.sqlite.org/uri.html

        :raises ConfigurationError: for a database in memory.
        """
        import sqlite3

        uri = str(hook.get_uri()).replace(_SCHEME, _URI)
        path, _, query = uri.removeprefix(_URI).partition("?")
        file = unquote(path.partition("#")[0])
        if file in _IN_MEMORY or "memory" in parse_qs(query).get("mode", ()):
            raise ConfigurationError(
                "it is an in-memory database, which is lost with its connection; name a file in its host"
            )
        may_create = parse_qs(query).get("mode", ["rwc"])[-1] == "rwc"

        def connect() -> sqlite3.Connection:
            if may_create and not Path(file).exists():
                # Readable only by its owner, as are the files that SQLite then creates beside it.
                with suppress(OSError):  # SQLite reports what is wrong
                    Path(file).touch(mode=0o600)
            return sqlite3.connect(uri, uri=True, check_same_thread=False)

        return Connector("sqlite", connect, file=file)

    def set_up_for_ledger(self, engine: sa.Engine) -> None:
        """Have each session wait for others' exchanges."""

        @sa.event.listens_for(engine, "connect")
        def _wait_for_others(connection: Any, _record: Any) -> None:
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")

    def connection_remedy(self, error: BaseException) -> str | None:
        """Return what to change: opening a file never fails because of another user."""
        return "correct the path in the connection's host, or the parameters in its extra"

    # The file

    def file_of(self, engine: sa.Engine) -> str | None:
        """Return the path of the file; None: in memory."""
        file = super().file_of(engine)
        return None if not file or file in _IN_MEMORY or file.startswith(_URI) else file

    # Catalog

    def schema_of(self, connection: sa.Connection, name: str) -> tuple[str | None, bool]:
        """A file has one schema."""
        return _MAIN_SCHEMA, True

    def columns(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> list[FoundColumn] | None:
        """Return the columns of a table or view in order; None if neither exists."""
        found = super().columns(connection, name, schema)
        if found is None:
            return None
        rows = connection.execute(sa.text(_COLLATIONS), {"name": name, "schema": schema or "main"})
        merging = {column.lower(): collation for column, collation in rows if column}
        return [replace(each, length=None, merging=merging.get(each.name.lower())) for each in found]

    # Its types

    def family(self, kind: sa.types.TypeEngine[Any]) -> Family:
        """Return the family of a type that it has: its floats have 8 bytes, and no number is rounded."""
        if isinstance(kind, sa.Float):
            return Family.FLOAT
        return Family.NUMBER if isinstance(kind, sa.Numeric) else super().family(kind)

    def is_without_zone(self, kind: sa.types.TypeEngine[Any]) -> bool:
        """Return whether a column of such a type holds times without a time zone."""
        return False  # SQLAlchemy writes and reads texts

    # Changes of tables, indexes and views

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

    # Rows

    def upsert(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: Replacing = ALWAYS
    ) -> None:
        """Write rows, replacing those with the same primary key."""
        connection.execute(_insert_on_conflict(table, rule), rows)

    # Types that its driver returns

    def is_readable(self, column: sa.ColumnElement[Any], driver_type: Any) -> sa.ColumnElement[bool] | None:
        """Return SQL for whether its driver can read a non-NULL value: any value except non-UTF-8 text."""
        in_bytes = sa.cast(column, sa.LargeBinary)
        text, yes = sa.literal_column("'text'", sa.Text), sa.literal_column("1", sa.Integer)
        return sa.or_(sa.func.typeof(column) != text, sa.Function(_IS_UTF8, in_bytes) == yes)

    def before_reading(self, connection: sa.Connection) -> None:
        """Give a connection the functions that ``is_readable`` and ``compare_time`` ask."""
        made: Any = connection.connection.dbapi_connection
        made.create_function(_IS_UTF8, 1, _is_utf8, deterministic=True)
        made.create_function(_PLAIN_TIME, 1, _in_plain_form, deterministic=True)

    def selected_names(
        self, connection: sa.Connection, statement: sa.TextClause, wrapped: sa.Select[Any]
    ) -> list[str]:
        """Name the columns that a SELECT gives; of a subquery, the second ``id`` is called ``id:1``."""
        names = super().selected_names(connection, statement, wrapped)
        known = set(names)
        return [first if (first := _DOUBLED.sub("", name)) in known else name for name in names]

    # How its values compare

    def exact_text(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return text in a form that compares exactly; COLLATE NOCASE treats a and A as equal."""
        return sa.collate(column, "BINARY")

    def compared_form(
        self, connection: sa.Connection, listed: sa.Select[Any], driver_type: Any, *, is_unique: bool
    ) -> Form:
        """Return the form of a column that sorts the way it compares, and that distinguishes all texts."""
        return as_it_is if is_unique else self.exact_text

    def compare_time(
        self, column: sa.ColumnElement[Any], compares: Comparison, moment: datetime, local: datetime
    ) -> sa.ColumnElement[bool]:
        """Compare a column of times with an instant; times that don't name a zone are local.

        Python parses more time formats than SQLite does. Unparsable values match every interval, so that the
        list's reader reports the row; matching none would silently skip the image.
        """
        listed = sa.type_coerce(column, sa.Text)
        is_known = sa.func.strftime(_TIME_FORM, listed).is_not(None)
        in_bytes = sa.cast(listed, sa.LargeBinary)
        text = sa.case((is_known, listed), else_=sa.Function(_PLAIN_TIME, in_bytes, type_=sa.Text))
        has_zone = sa.or_(*(text.op("GLOB", is_comparison=True)(each) for each in _ZONES))
        in_one_form = sa.func.strftime(_TIME_FORM, text)
        compared = sa.case((has_zone, _in_form(moment)), else_=_in_form(local))
        bound = _in_form(local) if moment.replace(tzinfo=None) == local else compared
        yes = sa.literal_column("1", sa.Integer)
        is_no_time = sa.and_(
            listed.is_not(None), in_one_form.is_(None), sa.Function(_IS_UTF8, in_bytes) == yes
        )
        return sa.or_(compares(in_one_form, bound), is_no_time)

    # SQL for analyses

    def whole_number(self, text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return the whole number that a text of up to 18 digits is; NULL for another text."""
        digits = sa.func.ltrim(text, "-")
        is_number = sa.and_(
            sa.func.length(digits).between(1, 18),
            sa.func.length(text) - sa.func.length(digits) <= 1,
            sa.not_(digits.op("GLOB", is_comparison=True)("*[^0-9]*")),
        )
        return sa.case((is_number, sa.cast(text, sa.BigInteger)))

    def json_text(self, document: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[Any]:
        """Return a text of a JSON object that is kept as text."""
        return sa.func.json_extract(document, sa.literal_column(f"'$.{name}'"), type_=sa.Text())

    def day_of_text(self, text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return the day that a text in ISO form is, which is how days are stored."""
        return sa.func.date(text, type_=sa.Date)

    def local_day(self, moment: sa.ColumnElement[Any], minutes: int) -> sa.ColumnElement[Any]:
        """Return the day of an instant, which is stored as text in UTC."""
        return sa.func.date(_to_the_second(moment), f"{minutes:+d} minutes", type_=sa.Date)

    def now(self) -> sa.ColumnElement[Any]:
        """Return the time at which a statement runs."""
        return sa.func.datetime("now", type_=sa.Text)

    def days_between(
        self, earlier: sa.ColumnElement[Any], later: sa.ColumnElement[Any]
    ) -> sa.ColumnElement[Any]:
        """Return how many days after another a day is."""
        # Whole days apart, which a julian day holds exactly.
        return sa.cast(sa.func.julianday(later) - sa.func.julianday(earlier), sa.Integer)

    def epoch_milliseconds(self, moment: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return a ledger's time, which is stored as text, as whole milliseconds since 1970."""
        text = sa.type_coerce(moment, sa.Text)
        seconds = sa.cast(sa.func.strftime("%s", _to_the_second(moment)), sa.BigInteger)
        return seconds * 1000 + sa.cast(sa.func.substr(text, 21, 3), sa.BigInteger)

    # A ledger in it

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


@lru_cache(STATEMENTS_KEPT)
def _insert_on_conflict(table: sa.Table, rule: Replacing) -> Any:
    return on_conflict(sqlite.insert(table), table, rule)


def _plain_time(column: sa.ColumnElement[Any]) -> tuple[sa.ColumnElement[str], sa.ColumnElement[bool]]:
    """Convert a time's text to a form that sorts chronologically, and return whether that's possible.

    A missing end counts as zeros, and a text sorts after its own prefix, which is the right order.
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


def _to_the_second(moment: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Cut a time's fraction off: SQLite rounds it to milliseconds, and so into the next second and day."""
    return sa.func.substr(sa.type_coerce(moment, sa.Text), 1, len("2026-01-31 12:00:00"), type_=sa.Text)


def _in_form(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(" ", "milliseconds")


def _is_utf8(text: bytes | None) -> bool:
    try:
        (text or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def _in_plain_form(text: bytes | None) -> str | None:
    """Return a time in a form that SQLite parses, too; None if it isn't a time."""
    try:
        return datetime.fromisoformat((text or b"").decode()).isoformat(" ")
    except ValueError:
        return None
