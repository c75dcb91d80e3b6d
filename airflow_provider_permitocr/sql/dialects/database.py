"""What is known of a database: what this class says of most, and what the class of one says otherwise.

Each database has one file, with one subclass, of which there is one object in ``known.DATABASES``. Nobody
else asks which database it is: what matters of it is asked for by what it is for.
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
from airflow_provider_permitocr.sql.dialects.comparing import Typed
from airflow_provider_permitocr.sql.dialects.dataset import Dataset
from airflow_provider_permitocr.sql.dialects.families import HOLDING, Family, family_of
from airflow_provider_permitocr.sql.dialects.reflection import FoundColumn, RelationKind
from airflow_provider_permitocr.sql.dialects.replacing import Replacing, Row

#: Why nothing can be changed there, whatever rights the user has.
NO_CHANGES: Final = "this server, or the connection to it, accepts no changes"
#: The column of a result that holds its images' keys.
KEY: Final = "image_key"
#: How long one try to change a table or view waits for a lock: all who read it later wait behind it.
LOCK_SECONDS: Final = 2


#: A column in another form, such as one in which it sorts as it compares.
Form: TypeAlias = Callable[[sa.ColumnElement[Any]], sa.ColumnElement[Any]]
#: Compares a column with a value, as ``operator.ge`` does.
Comparison: TypeAlias = Callable[[Any, Any], sa.ColumnElement[bool]]


class Failure(Enum):
    """What an error means for what was tried."""

    TRANSIENT = auto()  #: the same may succeed a little later
    ROW = auto()  #: one of the rows holds what is not taken; others may be written
    NO_TABLE = auto()  #: there is no such table, or none any more
    READ_ONLY = auto()  #: this server, or this connection to it, accepts no changes
    REFUSAL = auto()  #: the same will be refused again


class OversizedRowError(ValueError):
    """A row is too large to be sent. The message holds no values."""


@dataclass(frozen=True)
class Connector:
    """How the hook of an Airflow connection reaches its database.

    :param scheme: SQLAlchemy's name of the dialect and the driver, e.g. ``postgresql+psycopg``.
    :param connect: opens a connection of that driver, as the hook's own ``get_conn`` does.
    :param file: path of the file that the database is; None: it is none.
    :param options: of ``sqlalchemy.create_engine``.
    """

    scheme: str
    connect: Callable[[], Any]
    file: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


class Database:
    """Facts of one database, and how it does what databases do each in its own way.

    :cvar title: what its users call it.
    :cvar dialects: SQLAlchemy's names for it.
    :cvar conn_types: Airflow's names for it.
    :cvar drivers: top-level modules of the drivers whose errors are its own.
    :cvar driver_packages: what to install, by the top-level module that is missing.
    :cvar is_file: whether it is a file, which opening it would create, and workers elsewhere do not have.
    :cvar read_only_remedy: what to change where the server, endpoint or file accepts no changes.
    :cvar clock: SQL for the time at which a statement is at work, in UTC, even where it, or one before it in
        its transaction, has waited for a lock; None: no ledger can be kept in it.
    :cvar table_options: of SQLAlchemy's, for tables that are made.
    :cvar keys_at_once: how many keys one statement can ask for; drivers take a few thousand parameters.
    :cvar takes_small_batches: whether it is made for many small transactions; others are filled once, at the
        end of a run.
    :cvar replaces_by_any_key: whether an upsert replaces a row that has the same in any unique key.
    :cvar changes_in_transactions: whether changes of tables can be rolled back.
    :cvar replaces_views: whether it knows ``CREATE OR REPLACE VIEW``.
    :cvar comments_on_views: whether it keeps comments on views and their columns.
    :cvar typed_keys: types of a list's keys, as a ledger names them, that texts are turned into to be joined
        with the list; others stay text.
    :cvar folds_columns: whether names of columns are the same whatever their case.
    :cvar folds_tables: whether those of tables are, too.
    :cvar quotes_names: True: all names are quoted, as its dialect does not know all reserved words.
    :cvar quoted: pattern of its SQL's quoted texts, quoted names and comments.
    :cvar holding: the families of types that hold each kind of column as it is.
    :cvar is_lenient: whether a column may have a type that SQLAlchemy does not know, or none, and keeps all.
    :cvar key_remark: what else has to hold for a table's key, behind "no unique constraint on (...)".
    :cvar longest_name: how many bytes of a name it keeps, where it cuts a longer one off without an error.
    :cvar keeps_deleted: what it keeps of rows that are deleted or changed, and until when, in words.
    :cvar casts_compare_alike: whether what is cast to text compares by the rules of the column itself.
    """

    title: ClassVar[str]
    dialects: ClassVar[tuple[str, ...]]
    conn_types: ClassVar[tuple[str, ...]]
    drivers: ClassVar[tuple[str, ...]]
    driver_packages: ClassVar[Mapping[str, str]] = {}
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
    holding: ClassVar[Mapping[ColumnKind, frozenset[Family]]] = HOLDING
    is_lenient: ClassVar[bool] = False
    key_remark: ClassVar[str] = ""
    longest_name: ClassVar[int | None] = None
    keeps_deleted: ClassVar[str] = ""
    casts_compare_alike: ClassVar[bool] = True

    # Its names elsewhere

    def dataset(self, connection: Any, table: str) -> Dataset:
        """Return what asset events and lineage call a table.

        :param connection: Airflow's connection of the database.
        :param table: as the database finds it, with its schema if it has one.
        """
        raise NotImplementedError

    # Its errors

    def failure(self, error: BaseException) -> Failure | None:
        """Return what an error of its driver means; None: what the driver's class of error says.

        :param error: as the driver raised it.
        """
        raise NotImplementedError

    def describe(self, error: BaseException) -> str:
        """Describe an error of its driver without any value of a row.

        :param error: as the driver raised it.
        """
        raise NotImplementedError

    def describe_statement(self, error: BaseException) -> str:
        """Describe an error about a statement of the DAG's author, whose own words are no row's.

        :param error: as the driver raised it.
        """
        return self.describe(error)

    def denies(self, error: BaseException) -> bool:
        """Return whether a right is missing, or a view's table: what only a change in the database fixes.

        :param error: as the driver raised it, where its class does not tell that a statement is wrong.
        """
        return False

    def is_final(self, error: BaseException) -> bool:
        """Return whether a connection will break off in the same way again.

        :param error: as the driver raised it.
        """
        return False

    def is_locked(self, error: BaseException) -> bool:
        """Return whether another session holds a lock that was not to be had in time.

        :param error: as the driver raised it.
        """
        return False

    def is_made_already(self, error: BaseException) -> bool:
        """Return whether a change was refused because another session just made the same or a similar one.

        :param error: as the driver raised it.
        """
        return False

    # The connection

    def connector(self, hook: Any) -> Connector:
        """Return how a hook reaches its database; nothing is opened yet.

        What the connection's extra says holds as with the hook's own ``get_conn``, but for what would change
        the rows that are read: cursor classes and encodings.

        :param hook: of an Airflow connection to such a database.
        :raises ConfigurationError: naming what of the connection to change.
        """
        raise NotImplementedError

    def set_up(self, engine: sa.Engine) -> None:
        """Have all sessions of a new engine set up, and what its dialect lacks added. Nothing by default."""

    def set_up_for_ledger(self, engine: sa.Engine) -> None:
        """Limit the sessions of a ledger's engine. Nothing by default.

        A worker that dies in an exchange is to lock nobody out for long.
        """

    def connection_remedy(self, error: BaseException) -> str | None:
        """Say what to change of a connection that could not be opened.

        :param error: the driver's.
        :return: None where it may be opened a little later.
        """
        return None

    # The file

    def file_of(self, engine: sa.Engine) -> str | None:
        """Return the path of the file that a database is; None where it is none."""
        return engine.url.database if self.is_file else None

    def missing_file(self, engine: sa.Engine) -> str | None:
        """Name the file of a database that is not there; None where it is, or where there is no file."""
        file = self.file_of(engine)
        return None if file is None or Path(file).exists() else file

    def require_file(self, engine: sa.Engine, conn_id: str) -> None:
        """Make sure that a database that is a file exists.

        :raises ConfigurationError: when it is not.
        """
        if (file := self.missing_file(engine)) is not None:
            raise ConfigurationError(f"connection {conn_id!r} leads to {file}, which does not exist here")

    # What it has

    def schema_of(self, connection: sa.Connection, name: str) -> tuple[str | None, bool]:
        """Return the schema that a table's name without one is in, and whether case tells no tables apart."""
        return connection.dialect.default_schema_name, False

    def folded(self, name: str) -> str:
        """Give a column's name in the form in which columns are told apart."""
        return name.lower() if self.folds_columns else name

    def columns(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> list[FoundColumn] | None:
        """Return the columns of a table or view in their order; None where there is neither."""
        return reflection.columns(connection, name, schema)

    def relation_kind(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> RelationKind | None:
        """Return whether a name is that of a table, a view or nothing."""
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
        """Return a view's SELECT as it is kept; None where that may not be seen."""
        return sa.inspect(connection).get_view_definition(name, schema)

    def narrow_encoding(self, connection: sa.Connection) -> str | None:
        """Name the encoding of all its texts where that lacks some Chinese characters, or checks none."""
        return None

    def why_not_creatable(
        self,
        connection: sa.Connection,
        schema: str | None,
    ) -> str | None:
        """Say why no table can be created in a schema; None where one can, or where only trying would tell.

        :param schema: None: the one that is current.
        """
        return None

    def engine_without_transactions(self, connection: sa.Connection, table: sa.Table) -> str | None:
        """Name the storage engine of a table that keeps to no transactions; None where it has another."""
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
        """Return the type of keys: texts that differ in anything, trailing blanks included, are different.

        :param length: in characters, at most; None: as long as that of an image's key.
        """
        return sa.Text()

    def text(self) -> sa.types.TypeEngine[Any]:
        """Return the type of texts without a limit that anybody would notice."""
        return sa.Text()

    def long_text(self) -> sa.types.TypeEngine[Any]:
        """Return the type of texts of megabytes."""
        return sa.Text()

    def zoned_time(self) -> sa.types.TypeEngine[Any] | None:
        """Return the type of times that keeps their zone; None if there is none."""
        return sa.DateTime(timezone=True)

    def zoneless_time(self) -> sa.types.TypeEngine[Any]:
        """Return the type of times without a zone, with six digits of a second's fractions."""
        return sa.DateTime()

    # Changes of tables, indexes and views

    @contextmanager
    def changing(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Begin a transaction that changes tables or views, and commit it.

        None of its statements waits longer than ``LOCK_SECONDS`` for a lock, where the database can be told.
        Settings of the session are afterwards as they were.

        :raises SQLAlchemyError: when the database refuses, or a lock is not to be had.
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
        """Return the names of indexes that are there and of no use, and that nobody is making.

        :param schema: whose they are; None: the one that is current.
        """
        return frozenset()

    def finding_holders(self, table: str) -> str:
        """Say how to find who holds a lock on a table or view.

        :param table: its name as a statement has it.
        """
        return "look for other programs that use the file"

    # Rows

    def upsert(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: Replacing
    ) -> None:
        """Write rows, replacing those with the same primary key, within the connection's transaction.

        :param rows: at least one, and no key twice.
        """
        raise NotImplementedError

    def upsert_of_nothing(self, table: sa.Table) -> sa.Executable | None:
        """Return an ``upsert`` of no row, by which the database tells whether the table takes any.

        :return: None: each table takes one that has the key.
        """
        return None

    # What its driver reads

    def driver_types(self, connection: sa.Connection, statement: sa.Select[Any]) -> list[Any]:
        """Return the types of what a statement selects in the driver's own terms, without reading a row.

        Drivers give them for tables, views and any SELECT alike.
        """
        cursor = connection.execute(statement.limit(0)).cursor
        return [column[1] for column in (cursor and cursor.description) or ()]

    def kind_of(self, driver_type: Any) -> ColumnKind | None:
        """Return the kind of what a column of this driver's type holds; None if unknown."""
        return None

    def is_boolean(self, type_: sa.types.TypeEngine[Any]) -> bool:
        """Return whether a table's column of this type is known to hold truth values."""
        return isinstance(type_, sa.Boolean)

    def is_instant(self, driver_type: Any) -> bool:
        """Return whether a column of this driver's type holds moments, and not local times of some place."""
        return False

    def is_readable(self, column: sa.ColumnElement[Any], driver_type: Any) -> sa.ColumnElement[bool] | None:
        """Tell of a value that is not NULL whether every driver can read it; None: of any.

        Otherwise one value, such as a date beyond Python's, stops the reading of all rows.

        :return: NULL in the database means no.
        """
        return None

    def before_reading(self, connection: sa.Connection) -> None:
        """Prepare a connection for what ``is_readable`` asks; nothing is written."""

    def selected_names(
        self, connection: sa.Connection, statement: sa.TextClause, wrapped: sa.Select[Any]
    ) -> list[str]:
        """Name the columns that a SELECT of the DAG's author gives, as often as it gives them.

        :param wrapped: selects all from the statement, no row.
        """
        return list(connection.execute(wrapped).keys())

    # How its values compare

    def exact_text(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return text in a form that tells all texts apart, and compares with text as the driver gives it."""
        return column

    def compared_form(
        self, connection: sa.Connection, listed: sa.Select[Any], driver_type: Any, *, is_unique: bool
    ) -> Form:
        """Return the form in which a column sorts and compares alike, and which tells all its texts apart.

        Not every database does so by itself: some sort by one order and compare by another, or take for equal
        what is not.

        :param listed: selects the column alone.
        :param is_unique: whether the database keeps it unique: it tells rows apart as it is, by its index.
        :raises SourceError: when there is no such form.
        """
        return as_it_is

    def example_of(self, key: sa.ColumnElement[Any], compared_key: sa.ColumnElement[Any]) -> Any:
        """Return one key as it reads, of rows that are grouped by the form in which keys compare."""
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
        """Say why a statement that asks for these keys is longer than the server takes; None: it is not."""
        return None

    def compare_time(
        self, column: sa.ColumnElement[Any], compares: Comparison, moment: datetime, local: datetime
    ) -> sa.ColumnElement[bool]:
        """Compare a column of times with a moment.

        :param moment: with its zone, or in UTC where the column's type keeps no zone but holds moments.
        :param local: the same in the zone of local times, without the zone.
        """
        keeps_zone = getattr(column.type, "timezone", False)
        return compares(column, moment if keeps_zone else local)

    # What analyses ask of it

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
        """Return the text of a key as its list has it, where that is a whole number; NULL for another text.

        :param key_type: as a ledger names it; others stay text.
        """
        return self.whole_number(key) if key_type == "integer" else key

    def whole_number(self, text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return the whole number that a text of up to 18 digits is; NULL for another text."""
        raise NotImplementedError

    def local_day(self, moment: sa.ColumnElement[Any], minutes: int) -> sa.ColumnElement[Any]:
        """Return the day of a moment, in UTC where it has no zone, somewhere with a fixed offset.

        :param minutes: that clocks are ahead of UTC there.
        """
        raise NotImplementedError

    def now(self) -> sa.ColumnElement[Any]:
        """Return the moment at which a statement is at work, for ``local_day``."""
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
        """Say why no index of a ledger can hold a key, without quoting it; None where one can."""
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
        """Return whether a text of a ledger is that of a list, exactly as Python would; None: it cannot tell.

        :param kept: a text of a ledger, by which an index finds it.
        :param listed: what a list has, of any type.
        :return: conditions that must all hold.
        """
        return None

    def is_seen(
        self, listed_at: Typed, updated_at: Typed, attempted_at: Typed
    ) -> sa.ColumnElement[bool] | None:
        """Return whether a ledger has seen what a list says changed, exactly as Python would.

        :param listed_at: when a row of a list changed last.
        :param updated_at: when it had last changed, as the ledger knows; NULL: that is not known.
        :param attempted_at: when the ledger has seen it.
        :return: None if unknown.
        """
        return None


def as_it_is(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return a column as it is."""
    return column


def bound_keys(values: Sequence[Any], type_: sa.types.TypeEngine[Any] | None = None) -> Any:
    """Give keys to be compared with ``IN``.

    Named, as SQLAlchemy's own names, after the column, may hold what it cannot find again itself.
    """
    return sa.bindparam("keys", list(values), type_, unique=True, expanding=True)


def first_line(words: object) -> str:
    """Return the first line of a driver's words: what follows may be values."""
    return str(words).strip().partition("\n")[0]
