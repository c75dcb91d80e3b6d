"""Facts about a database: defaults that hold for most, which a subclass overrides for one.

Each database has one file with one subclass, whose only instance is in ``known.DATABASES``. No other code
asks which database it is; it asks for the capability that it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.permit.columns import ColumnKind
from airflow_provider_permitocr.sql.dialects import reflection
from airflow_provider_permitocr.sql.dialects.dataset import Dataset
from airflow_provider_permitocr.sql.dialects.families import HOLDING, Family, family_of
from airflow_provider_permitocr.sql.dialects.reflection import FoundColumn, RelationKind
from airflow_provider_permitocr.sql.dialects.replacing import ALWAYS, Replacing, Row

#: Why nothing can be changed, whatever rights the user has.
NO_CHANGES: Final = "this server, or the connection to it, accepts no changes"
#: The column of a result that holds its images' keys.
KEY: Final = "image_key"
#: How long one try to change a table or view waits for a lock: all who read it later wait behind it.
LOCK_SECONDS: Final = 2


#: Converts a column into another form, such as one that sorts the way it compares.
Form: TypeAlias = Callable[[sa.ColumnElement[Any]], sa.ColumnElement[Any]]
#: Compares a column with a value, as ``operator.ge`` does.
Comparison: TypeAlias = Callable[[Any, Any], sa.ColumnElement[bool]]


class Failure(Enum):
    """What an error means for the failed operation."""

    TRANSIENT = auto()  #: a retry may succeed
    ROW = auto()  #: a row has an unacceptable value; other rows may be written
    NO_TABLE = auto()  #: the table does not exist, or no longer exists
    READ_ONLY = auto()  #: this server, or this connection to it, accepts no changes
    REFUSAL = auto()  #: a retry will be refused again


class HookFailedError(Exception):
    """The hook of an Airflow connection could not open one again; the message holds no values."""


class OversizedRowError(ValueError):
    """A row is too large to be sent. The message holds no values."""


@dataclass(frozen=True)
class Connector:
    """How the hook of an Airflow connection reaches its database.

    :param scheme: SQLAlchemy's name of the dialect and the driver, e.g. ``postgresql+psycopg``.
    :param connect: opens a connection of that driver, as the hook's own ``get_conn`` does.
    :param file: path of the file that the database is; None: it isn't a file.
    :param options: of ``sqlalchemy.create_engine``.
    """

    scheme: str
    connect: Callable[[], Any]
    file: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Typed:
    """A column, or what a query selects, with its type in the driver's own terms.

    :param type: as returned by ``Database.driver_types``.
    """

    column: sa.ColumnElement[Any]
    type: Any


class Database:
    """Facts about one database, and operations that each database does in its own way.

    :cvar title: its product name.
    :cvar dialects: SQLAlchemy's names for it.
    :cvar conn_types: Airflow's names for it.
    :cvar drivers: top-level modules of the drivers that raise its errors.
    :cvar driver_packages: what to install, by the top-level module that is missing.
    :cvar locked: codes of errors after waiting in vain for another session's lock.
    :cvar made_already: codes of changes that are refused because another session just made the same or a
        similar one.
    :cvar denied: codes of rights or a view's table that are missing, which only a change in the database
        fixes, if the class of the error does not show that a statement is wrong.
    :cvar is_file: whether it is a file, which opening it would create, and which other workers don't have.
    :cvar read_only_remedy: what to change if the server, endpoint or file accepts no changes.
    :cvar clock: SQL for the time in UTC at which a statement runs, even after it, or an earlier statement of
        the transaction, has waited for a lock; None: the database cannot keep a ledger.
    :cvar table_options: SQLAlchemy's options for new tables.
    :cvar keys_at_once: how many keys one statement can ask for; drivers accept a few thousand parameters.
    :cvar takes_small_batches: whether it is made for many small transactions; others are filled once, at the
        end of a run.
    :cvar replaces_by_any_key: whether an upsert replaces rows that match in any unique key.
    :cvar changes_in_transactions: whether schema changes can be rolled back.
    :cvar replaces_views: whether it supports ``CREATE OR REPLACE VIEW``.
    :cvar comments_on_views: whether it keeps comments on views and their columns.
    :cvar typed_keys: key types, by their names in a ledger, that texts are converted to when joined with the
        list; others stay text.
    :cvar folds_columns: whether column names are case-insensitive.
    :cvar folds_tables: whether table names are case-insensitive.
    :cvar quotes_names: True: quote all names, because its dialect does not know all reserved words.
    :cvar quoted: pattern of its SQL's quoted texts, quoted names and comments.
    :cvar text: the type of texts without a limit that anybody would notice.
    :cvar long_text: the type of texts of megabytes.
    :cvar zoned_time: the type of times with a time zone; None if there is none.
    :cvar zoneless_time: the type of times without a zone, with six digits of a second's fractions.
    :cvar kinds: what kind of values a type holds, as its driver names or numbers types; as far as known.
    :cvar instants: the driver's types that hold instants rather than local times.
    :cvar holding: the type families that store each kind of column unchanged.
    :cvar is_lenient: whether a column of a type unknown to SQLAlchemy, or without a type, stores everything.
    :cvar key_remark: what else a table's key requires, appended to "no unique constraint on (...)".
    :cvar longest_name: the length in bytes at which it silently truncates names.
    :cvar keeps_deleted: what it retains of deleted or changed rows, and until when, in words.
    :cvar casts_compare_alike: whether a cast to text compares by the column's own rules.
    """

    title: ClassVar[str]
    dialects: ClassVar[tuple[str, ...]]
    conn_types: ClassVar[tuple[str, ...]]
    drivers: ClassVar[tuple[str, ...]]
    driver_packages: ClassVar[Mapping[str, str]] = {}
    locked: ClassVar[frozenset[Any]] = frozenset()
    made_already: ClassVar[frozenset[Any]] = frozenset()
    denied: ClassVar[frozenset[Any]] = frozenset()
    is_file: ClassVar[bool] = False
    read_only_remedy: ClassVar[str] = (
        "name the primary server, or the endpoint for writers, in the connection"
    )
    clock: ClassVar[str | None] = None
    table_options: ClassVar[Mapping[str, str]] = {}
    keys_at_once: ClassVar[int] = 1_000
    takes_small_batches: ClassVar[bool] = True
    replaces_by_any_key: ClassVar[bool] = False
    changes_in_transactions: ClassVar[bool] = True
    replaces_views: ClassVar[bool] = True
    comments_on_views: ClassVar[bool] = False
    typed_keys: ClassVar[frozenset[str]] = frozenset({"integer"})
    folds_columns: ClassVar[bool] = False
    folds_tables: ClassVar[bool] = False
    quotes_names: ClassVar[bool | None] = None
    quoted: ClassVar[str] = (
        r"(?<!\w)[eE]'(?:[^'\\]|\\.|'')*'"
        r"|'(?:[^']|'')*'"
        r'|"(?:[^"]|"")*"'
        r"|(?<!\w)\$(?P<tag>\w*)\$.*?\$(?P=tag)\$"
        r"|--[^\n]*"
        r"|/\*.*?\*/"
    )
    text: ClassVar[sa.types.TypeEngine[Any]] = sa.Text()
    long_text: ClassVar[sa.types.TypeEngine[Any]] = sa.Text()
    zoned_time: ClassVar[sa.types.TypeEngine[Any] | None] = sa.DateTime(timezone=True)
    zoneless_time: ClassVar[sa.types.TypeEngine[Any]] = sa.DateTime()
    kinds: ClassVar[Mapping[Any, ColumnKind]] = {}
    instants: ClassVar[frozenset[Any]] = frozenset()
    holding: ClassVar[Mapping[ColumnKind, frozenset[Family]]] = HOLDING
    is_lenient: ClassVar[bool] = False
    key_remark: ClassVar[str] = ""
    longest_name: ClassVar[int | None] = None
    keeps_deleted: ClassVar[str] = ""
    casts_compare_alike: ClassVar[bool] = True

    # Its names elsewhere

    def dataset(self, connection: Any, table: str) -> Dataset:
        """Return a table's name in asset events and lineage.

        :param connection: Airflow's connection of the database.
        :param table: as the database finds it, with its schema if it has one.
        """
        raise NotImplementedError

    # Its errors

    def code(self, error: BaseException) -> Any:
        """Return the driver's error number or SQLSTATE; None if there is none.

        :param error: as the driver raised it.
        """
        return None

    def failure(self, error: BaseException) -> Failure | None:
        """Classify an error of its driver; None: use the driver's class of error.

        :param error: as the driver raised it.
        """
        raise NotImplementedError

    def describe(self, error: BaseException) -> str:
        """Describe an error of its driver without any value of a row.

        :param error: as the driver raised it.
        """
        raise NotImplementedError

    def describe_statement(self, error: BaseException) -> str:
        """Describe an error about a statement of the DAG's author; such messages quote no row.

        :param error: as the driver raised it.
        """
        return self.describe(error)

    def is_final(self, error: BaseException) -> bool:
        """Return whether a connection will break off in the same way again.

        :param error: as the driver raised it.
        """
        return False

    def is_made_already(self, error: BaseException) -> bool:
        """Return whether a change was refused because another session just made the same or a similar one.

        :param error: as the driver raised it.
        """
        return self.code(error) in self.made_already

    # The connection

    def connector(self, hook: Any) -> Connector:
        """Return how a hook reaches its database; nothing is opened yet.

        The connection's extra applies as with the hook's own ``get_conn``, except for cursor classes and
        encodings, which would change the rows that are read.

        :param hook: of an Airflow connection to such a database.
        :raises ConfigurationError: naming what of the connection to change.
        """
        raise NotImplementedError

    def set_up(self, engine: sa.Engine) -> None:
        """Set up all sessions of a new engine, and extend its dialect. Nothing by default."""

    def set_up_for_ledger(self, engine: sa.Engine) -> None:
        """Set timeouts for the sessions of a ledger's engine. Nothing by default.

        A worker that dies during an exchange must not lock others out for long.
        """

    def connection_remedy(self, error: BaseException) -> str | None:
        """Return what to change about a connection that could not be opened.

        :param error: the driver's.
        :return: None if a retry may open it.
        """
        return None

    # The file

    def file_of(self, engine: sa.Engine) -> str | None:
        """Return the path of the file that a database is; None if it isn't a file."""
        return engine.url.database if self.is_file else None

    def missing_file(self, engine: sa.Engine) -> str | None:
        """Return a database's file if it is missing; None if it exists, or the database isn't a file."""
        file = self.file_of(engine)
        return None if file is None or Path(file).exists() else file

    def require_file(self, engine: sa.Engine, conn_id: str) -> None:
        """Make sure that a database that is a file exists.

        :raises ConfigurationError: when it is not.
        """
        if (file := self.missing_file(engine)) is not None:
            raise ConfigurationError(
                f"connection {conn_id!r} leads to {file}, which does not exist here; correct its host, or run"
                " this on the machine that has the file"
            )

    # Catalog

    def schema_of(self, connection: sa.Connection, name: str) -> tuple[str | None, bool]:
        """Return the default schema, and whether table names are case-insensitive."""
        return connection.dialect.default_schema_name, False

    def folded(self, name: str) -> str:
        """Normalize a column's name, so that names of the same column are equal."""
        return name.lower() if self.folds_columns else name

    def columns(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> list[FoundColumn] | None:
        """Return the columns of a table or view in order; None if neither exists."""
        return reflection.columns(connection, name, schema)

    def relation_kind(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> RelationKind | None:
        """Return whether a name is that of a table, a view or neither."""
        return reflection.relation_kind(connection, name, schema, folds=self.folds_tables)

    def relations(self, connection: sa.Connection, schema: str | None = None) -> list[str]:
        """Name the tables and views of a schema."""
        return reflection.relations(connection, schema)

    def unique_keys(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> set[frozenset[str]]:
        """Return the sets of columns that are unique over all rows: keys, constraints and indexes."""
        return reflection.unique_keys(connection, name, schema)

    def view_definition(self, connection: sa.Connection, name: str, schema: str | None = None) -> str | None:
        """Return a view's SELECT as the database keeps it; None if it may not be read."""
        return sa.inspect(connection).get_view_definition(name, schema)

    def narrow_encoding(self, connection: sa.Connection) -> str | None:
        """Return the text encoding if it lacks some Chinese characters, or accepts any bytes; else None."""
        return None

    def why_not_creatable(
        self,
        connection: sa.Connection,
        schema: str | None,
    ) -> str | None:
        """Return why no table can be created in a schema; None if one can, or only trying would show.

        :param schema: None: the current schema.
        """
        return None

    def engine_without_transactions(self, connection: sa.Connection, table: sa.Table) -> str | None:
        """Return a table's storage engine if it has no transactions; else None."""
        return None

    # Its types

    def family(self, kind: sa.types.TypeEngine[Any]) -> Family:
        """Return the family of a type that it has."""
        return family_of(kind)

    def is_without_zone(self, kind: sa.types.TypeEngine[Any]) -> bool:
        """Return whether a column of such a type holds times without a time zone."""
        return isinstance(kind, sa.DateTime) and not kind.timezone

    def exact_text_type(
        self,
        dialect: sa.Dialect,
        length: int | None,
    ) -> sa.types.TypeEngine[Any]:
        """Return the type of keys: texts that differ in anything, trailing blanks included, are distinct.

        :param length: in characters; None: the length of an image's key.
        """
        return sa.Text()

    # Changes of tables, indexes and views

    @contextmanager
    def changing(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Begin a transaction that changes tables or views, and commit it.

        Statements wait at most ``LOCK_SECONDS`` for a lock, if the database supports that. The session's
        settings are restored afterwards.

        :raises SQLAlchemyError: when the database refuses, or waiting for a lock times out.
        """
        with engine.begin() as connection:
            yield connection

    def create_index(self, engine: sa.Engine, index: sa.Index) -> None:
        """Create an index of a table that may be in use, without waiting for long.

        :raises SQLAlchemyError: when it cannot be made, or not now.
        """
        with self.changing(engine) as connection:
            connection.execute(CreateIndex(index))

    def unusable_indexes(self, connection: sa.Connection, schema: str | None) -> Set[str]:
        """Return the names of unusable indexes that no session is building.

        :param schema: of the indexes; None: the current schema.
        """
        return frozenset()

    def finding_holders(self, table: str) -> str:
        """Return advice on finding the session that locks a table or view.

        :param table: its name as quoted in a statement.
        """
        return "look for other programs that use the file"

    # Rows

    def upsert(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: Replacing = ALWAYS
    ) -> None:
        """Write rows, replacing those with the same primary key, within the connection's transaction.

        :param rows: at least one, and no key twice: whether that is refused depends on the driver.
        """
        raise NotImplementedError

    def upsert_of_nothing(self, table: sa.Table) -> sa.Executable | None:
        """Return an ``upsert`` of no row, which shows whether the table accepts upserts.

        :return: None: every table that has the key accepts them.
        """
        return None

    # Types that its driver returns

    def driver_types(self, connection: sa.Connection, statement: sa.Select[Any]) -> list[Any]:
        """Return the driver's types of a statement's columns, without reading a row.

        Drivers provide them for tables, views and any SELECT.
        """
        cursor = connection.execute(statement.limit(0)).cursor
        return [column[1] for column in (cursor and cursor.description) or ()]

    def is_boolean(self, type_: sa.types.TypeEngine[Any]) -> bool:
        """Return whether a table column of this type is known to hold booleans."""
        return isinstance(type_, sa.Boolean)

    def is_readable(self, column: sa.ColumnElement[Any], driver_type: Any) -> sa.ColumnElement[bool] | None:
        """Return SQL for whether every driver can read a non-NULL value; None: they can read any.

        A single unreadable value, such as a date beyond Python's, would otherwise stop the whole read.

        :return: NULL in the database means no.
        """
        return None

    def before_reading(self, connection: sa.Connection) -> None:
        """Prepare a connection for ``is_readable``; writes nothing."""

    def selected_names(
        self, connection: sa.Connection, statement: sa.TextClause, wrapped: sa.Select[Any]
    ) -> list[str]:
        """Name the columns that a SELECT of the DAG's author gives, as often as it gives them.

        :param wrapped: selects all from the statement, no row.
        """
        return list(connection.execute(wrapped).keys())

    # How its values compare

    def exact_text(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return text in a form that compares exactly, also with text as the driver returns it."""
        return column

    def compared_form(
        self, connection: sa.Connection, listed: sa.Select[Any], driver_type: Any, *, is_unique: bool
    ) -> Form:
        """Return the form of a column that sorts the way it compares, and that distinguishes all texts.

        Not every database does that by default: some sort by one order and compare by another, or treat
        different texts as equal.

        :param listed: selects only the column.
        :param is_unique: whether a unique index enforces that its values differ, so that it can be used.
        :raises SourceError: when there is no such form.
        """
        return as_it_is

    def example_of(self, key: sa.ColumnElement[Any], compared_key: sa.ColumnElement[Any]) -> Any:
        """Return one readable key of each group of rows that are grouped by the comparable form."""
        return compared_key

    def bound(self, value: Any) -> sa.ColumnElement[Any]:
        """Give a value that the driver read to be compared with the column that it was read of."""
        return sa.literal(value, sa.types.NULLTYPE)

    def is_among(
        self, key: sa.ColumnElement[Any], compared_key: sa.ColumnElement[Any], values: Sequence[Any]
    ) -> sa.ColumnElement[bool]:
        """Return whether a row has one of these keys, as the driver read them.

        :param compared_key: the key in the form in which keys compare.
        """
        return compared_key.in_(bound_keys(values))

    def why_too_long(self, connection: sa.Connection, keys: Sequence[Any]) -> str | None:
        """Return why a query for these keys would exceed the server's packet limit; None if it wouldn't."""
        return None

    def compare_time(
        self, column: sa.ColumnElement[Any], compares: Comparison, moment: datetime, local: datetime
    ) -> sa.ColumnElement[bool]:
        """Compare a column of times with an instant.

        :param moment: with its zone, or in UTC if the column stores instants without a zone.
        :param local: the same in the zone of local times, without the zone.
        """
        keeps_zone = getattr(column.type, "timezone", False)
        return compares(column, moment if keeps_zone else local)

    # SQL for analyses

    def with_typed_key(self, documents: sa.Select[Any], key_type: str | None) -> sa.Select[Any]:
        """Give the column ``image_key`` of a SELECT the type that the image list has, to be joined with it.

        :param key_type: as a ledger names it; None: it stays text.
        """
        if key_type is None:
            return documents
        columns = [
            self.typed_key(each, key_type).label(each.name) if each.name == KEY else each
            for each in documents.selected_columns
        ]
        return documents.with_only_columns(*columns, maintain_column_froms=True)

    def typed_key(self, key: sa.ColumnElement[Any], key_type: str | None) -> sa.ColumnElement[Any]:
        """Return a key's text as its list has it if it is an integer; NULL for other texts.

        :param key_type: its name in a ledger; other types stay text.
        """
        return self.whole_number(key) if key_type == "integer" else key

    def whole_number(self, text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return the whole number that a text of up to 18 digits is; NULL for another text."""
        raise NotImplementedError

    def json_text(self, document: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[Any]:
        """Return a text of a JSON object that is kept as text; NULL if it has none, or if there is no object.

        :param name: of letters and underscores.
        """
        raise NotImplementedError

    def day_of_text(self, text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return the day that a text in ISO form is."""
        return sa.cast(text, sa.Date)

    def local_day(self, moment: sa.ColumnElement[Any], minutes: int) -> sa.ColumnElement[Any]:
        """Return the day of an instant at a fixed offset from UTC; an instant without a zone is UTC.

        :param minutes: offset from UTC.
        """
        raise NotImplementedError

    def now(self) -> sa.ColumnElement[Any]:
        """Return the time at which a statement runs, for ``local_day``."""
        raise NotImplementedError

    def days_between(
        self, earlier: sa.ColumnElement[Any], later: sa.ColumnElement[Any]
    ) -> sa.ColumnElement[Any]:
        """Return how many days after another a day is."""
        return sa.type_coerce(later - earlier, sa.Integer)

    def epoch_milliseconds(self, moment: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return the whole milliseconds from 1970 to a time of a ledger, rounded down."""
        raise NotImplementedError

    # A ledger in it

    def key_fault(self, image_key: str) -> str | None:
        """Return why no index of a ledger can store a key, without quoting it; None if one can."""
        return None

    def before_lock(self, connection: sa.Connection) -> None:
        """Bound how long this transaction may wait for a ledger's lock, and how long it may keep it."""

    def is_any_of(self, column: sa.ColumnElement[Any], values: Sequence[str]) -> sa.ColumnElement[bool]:
        """Return whether a column of a ledger has one of these values."""
        return column.in_(values)

    def in_utc(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Give a time that is kept without a zone, in UTC, one, where other times have one."""
        return column

    def before_reading_unsettled(self, connection: sa.Connection) -> None:
        """Keep a plan from being chosen that compares each row of a list with each of a ledger."""

    def same_text(
        self, connection: sa.Connection, kept: Typed, listed: Typed
    ) -> list[sa.ColumnElement[bool]] | None:
        """Return whether a ledger's text equals a list's by Python's rules; None: the database cannot decide.

        :param kept: a ledger's text, which an index finds.
        :param listed: the list's value, of any type.
        :return: conditions that must all hold.
        """
        return None

    def is_seen(
        self, listed_at: Typed, updated_at: Typed, attempted_at: Typed
    ) -> sa.ColumnElement[bool] | None:
        """Return whether a ledger has seen a list's latest change, by Python's rules.

        :param listed_at: when the list's row last changed.
        :param updated_at: when it had last changed, as the ledger knows it; NULL: unknown.
        :param attempted_at: when the ledger last tried the image.
        :return: None if unknown.
        """
        return None


def as_it_is(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return a column unchanged."""
    return column


def bound_keys(values: Sequence[Any], type_: sa.types.TypeEngine[Any] | None = None) -> Any:
    """Bind keys for a comparison with ``IN``.

    Named, as SQLAlchemy's own names, after the column, may hold what it cannot find again itself.
    """
    return sa.bindparam("keys", list(values), type_, unique=True, expanding=True)


def first_line(words: object) -> str:
    """Return the first line of a driver's message: later lines may contain values."""
    return str(words).strip().partition("\n")[0]
