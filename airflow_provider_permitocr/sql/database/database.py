"""What is known of a database: what this class says of most, and what the class of one says otherwise.

Each database has one file with one subclass, of which there is one object in ``known.DATABASES``. Nobody else
asks which database it is: what matters of it is asked for by what it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum, auto
from typing import Any, ClassVar, TypeAlias

import sqlalchemy as sa

from airflow_provider_permitocr.core.columns import ColumnKind

#: A column in another form, such as one in which it sorts as it compares.
Form: TypeAlias = Callable[[sa.ColumnElement[Any]], sa.ColumnElement[Any]]
#: Compares a column with a value, as ``operator.ge`` does.
Comparison: TypeAlias = Callable[[Any, Any], sa.ColumnElement[bool]]


class Failure(Enum):
    """What an error means for what was tried."""

    TRANSIENT = auto()  #: the same may succeed a little later
    ROW = auto()  #: one of the rows holds what is not taken; others may be written
    NO_TABLE = auto()  #: there is no such table, or none any more
    READ_ONLY = auto()  #: this server, or this connection to it, takes no changes
    REFUSAL = auto()  #: the same will be refused again


class Database:
    """Facts of one database, and how it does what databases do each in its own way.

    :cvar title: what its users call it.
    :cvar dialects: SQLAlchemy's names for it.
    :cvar drivers: top-level modules of the drivers whose errors are its own.
    :cvar keeps_declared_keys: whether a key that is declared unique is kept so.
    :cvar casts_compare_alike: whether what is cast to text compares by the rules of the column itself.
    :cvar quotes_names: True: all names are quoted, as its dialect does not know all reserved words.
    :cvar quoted: pattern of its SQL's quoted texts, quoted names and comments.
    """

    title: ClassVar[str]
    dialects: ClassVar[tuple[str, ...]]
    drivers: ClassVar[tuple[str, ...]]
    keeps_declared_keys: ClassVar[bool] = True
    casts_compare_alike: ClassVar[bool] = True
    quotes_names: ClassVar[bool | None] = None
    quoted: ClassVar[str] = (
        r"(?<!\w)[eE]'(?:[^'\\]|\\.|'')*'"
        r"|'(?:[^']|'')*'"
        r'|"(?:[^"]|"")*"'
        r"|(?<!\w)\$(?P<tag>\w*)\$.*?\$(?P=tag)\$"
        r"|--[^\n]*"
        r"|/\*.*?\*/"
    )

    def failure(self, error: BaseException) -> Failure | None:
        """Tell what an error of its driver means; None: what the driver's class of error says.

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
        """Tell whether a right is missing, or a view's table: what only a change in the database fixes.

        :param error: as the driver raised it, where its class does not tell that a statement is wrong.
        """
        return False

    # What its driver reads

    def driver_types(self, connection: sa.Connection, statement: sa.Select[Any]) -> list[Any]:
        """Return the types of what a statement selects in the driver's own terms, without reading a row.

        Drivers give them for tables, views and any SELECT alike.
        """
        cursor = connection.execute(statement.limit(0)).cursor
        return [column[1] for column in (cursor and cursor.description) or ()]

    def kind_of(self, driver_type: Any) -> ColumnKind | None:
        """Return the kind of what a column of this driver's type holds; None where it does not tell."""
        return None

    def is_boolean(self, type_: sa.types.TypeEngine[Any]) -> bool:
        """Tell whether a table's column of this type is known to hold truth values."""
        return isinstance(type_, sa.Boolean)

    def is_instant(self, driver_type: Any) -> bool:
        """Tell whether a column of this driver's type holds moments, and not local times of some place."""
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
        """Tell whether a row has one of these keys, as the driver read them.

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
