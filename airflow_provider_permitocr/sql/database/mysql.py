"""What is known of MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.core.columns import ColumnKind
from airflow_provider_permitocr.core.errors import SourceError
from airflow_provider_permitocr.sql.database.database import (
    Database,
    Failure,
    Form,
    as_it_is,
    bound_keys,
    first_line,
)

# Numbers: https://dev.mysql.com/doc/mysql-errors/en/server-error-reference.html and, from 4000 on,
# https://mariadb.com/kb/en/mariadb-error-code-reference/; of clients, from 2000 on,
# https://dev.mysql.com/doc/mysql-errors/en/client-error-reference.html.

#: Changed since it was read; too many connections (of all, of one user); shutdown; connections broken off;
#: lock wait timeout; deadlock; a table changed within the transaction; a statement to prepare again; too many
#: transactions; a lock given up for a change of the table; a connection killed or idle for too long; those
#: that cannot be made, were lost or killed.
_TRANSIENT: Final = frozenset(
    {
        *(1020, 1040, 1047, 1053, 1077, 1079, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1412, 1615, 1637),
        *(1689, 1927, 4031, 2002, 2003, 2006, 2013, 2055),
    }
)
#: NULL, doubled, out of range, no such date, text of another encoding, a trigger's SIGNAL, too long, too
#: long a row or packet, foreign keys, CHECK, no partition for it.
_OF_ROWS: Final = frozenset(
    {
        *(1048, 1062, 1118, 1153, 1216, 1264, 1265, 1292, 1300, 1366, 1406, 1411, 1441, 1452, 1526, 1586),
        *(1644, 1690, 1761, 1762, 2020, 3819, 3854, 3988, 4025),
    }
)
_NO_TABLE: Final = 1146
#: A server that runs with --read-only, one in read-only mode, a transaction that is.
_READ_ONLY: Final = frozenset({1290, 1792, 1836})
#: Rights to a database, no database, rights to a table, a column, a routine; a view whose tables, columns or
#: rights are gone, and one whose definer is.
_DENIED: Final = frozenset({1044, 1046, 1142, 1143, 1227, 1356, 1370, 1449})
#: Drivers say so of a connection that is closed, in place of a number.
_CLOSED: Final = 0
#: About the connection, rights, names, resources and the server's state; a syntax error quotes the statement,
#: with values.
_WITHOUT_VALUES: Final = frozenset(
    {
        *(1005, 1021, 1030, 1036, 1040, 1044, 1045, 1046, 1049, 1050, 1051, 1053, 1054, 1060, 1114, 1118),
        *(1129, 1130, 1142, 1143, 1146, 1153, 1203, 1205, 1213, 1226, 1227, 1290, 1298, 1364, 1698, 1792),
        *(1356, 1449, 1836, 1927, 2002, 2003, 2005, 2006, 2013, 2026, 2055, 2059),
    }
)

#: About a statement, in its author's own words: ambiguous columns, doubled ones, a derived table or function
#: that is not there, a wrong number of columns, syntax, arguments of functions.
_OF_STATEMENT: Final = frozenset({1052, 1060, 1064, 1222, 1248, 1305, 1582, 1630})

# Numbers of types: https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html

_FLOAT, _TIMESTAMP = 4, 7
_DAYS_AND_TIMES: Final = frozenset({_TIMESTAMP, 10, 12})
_KINDS: Final[dict[Any, ColumnKind]] = {
    **dict.fromkeys((1, 2, 3, 8, 9), ColumnKind.INTEGER),
    **dict.fromkeys((_FLOAT, 5), ColumnKind.FLOAT),
    10: ColumnKind.DATE,
    **dict.fromkeys((_TIMESTAMP, 12), ColumnKind.TIMESTAMP),
}

#: Characters of keys that are asked for at once without a look at the server's limit, which is 1 MB or more.
_SURELY_TAKEN: Final = 100_000
_KEYS_TWICE: Final = 2
_REST_OF_STATEMENT: Final = 20_000
_ESCAPED: Final = (b"\\", b"'", b'"', b"\0", b"\n", b"\r", b"\x1a")


class MySql(Database):
    """MySQL and MariaDB, by PyMySQL or mysqlclient."""

    title = "MySQL or MariaDB"
    dialects = ("mysql", "mariadb")
    drivers = ("pymysql", "MySQLdb", "mysql")
    casts_compare_alike = False
    quoted = (
        r"'(?:[^'\\]|\\.|'')*'"
        r'|"(?:[^"\\]|\\.|"")*"'
        r"|`[^`]*`"
        r"|--\s[^\n]*"
        r"|#[^\n]*"
        r"|/\*.*?\*/"
    )

    def failure(self, error: BaseException) -> Failure | None:
        """Tell what an error of its driver means."""
        number = _number(error)
        if number in _TRANSIENT or (number == _CLOSED and type(error).__name__ == "InterfaceError"):
            return Failure.TRANSIENT
        if number in _OF_ROWS:
            return Failure.ROW
        if number in _READ_ONLY:
            return Failure.READ_ONLY
        return Failure.NO_TABLE if number == _NO_TABLE else None

    def describe(self, error: BaseException) -> str:
        """Describe an error of its driver without any value of a row."""
        name, number = type(error).__name__, _number(error)
        if number is None:
            return name
        return _in_words(error) if number in _WITHOUT_VALUES else f"{name} (error {number})"

    def describe_statement(self, error: BaseException) -> str:
        """Describe an error about a statement of the DAG's author, whose own words are no row's."""
        return _in_words(error) if _number(error) in _OF_STATEMENT else self.describe(error)

    def denies(self, error: BaseException) -> bool:
        """Tell whether a right is missing, or a view's table: what only a change in the database fixes."""
        return _number(error) in _DENIED

    # What its driver reads

    def kind_of(self, driver_type: Any) -> ColumnKind | None:
        """Return the kind of what a column of this driver's type holds; None where it does not tell."""
        return _KINDS.get(driver_type)

    def is_boolean(self, type_: sa.types.TypeEngine[Any]) -> bool:
        """Tell whether a table's column of this type is known to hold truth values."""
        is_bool = isinstance(type_, mysql.TINYINT) and type_.display_width == 1
        return is_bool or super().is_boolean(type_)

    def is_instant(self, driver_type: Any) -> bool:
        """Tell whether a column of this driver's type holds moments, and not local times of some place.

        A TIMESTAMP is read in the session's zone, which is UTC.
        """
        return bool(driver_type == _TIMESTAMP)

    def is_readable(self, column: sa.ColumnElement[Any], driver_type: Any) -> sa.ColumnElement[bool] | None:
        """Tell of a value that is not NULL whether every driver can read it; None: of any.

        Not 0000-00-00 and days that no month has, which PyMySQL reads as text, and mysqlclient as NULL.
        """
        if driver_type not in _DAYS_AND_TIMES:
            return None
        # NULL of a day that there is none of.
        return column + sa.text("INTERVAL 0 DAY") >= sa.literal_column(f"'{date.min.isoformat()}'")

    # How its values compare

    def exact_text(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return text in a form that tells all texts apart: collations take a for A or Ä.

        Binary collations are not enough, as most ignore blanks at the end. It is text in the character set
        that holds all, whatever its column's is, as bytes, compared with text as the driver gives it.
        """
        in_utf8 = sa.func.convert(column.op("USING")(sa.literal_column("utf8mb4")))
        return sa.type_coerce(sa.cast(in_utf8, sa.BINARY), sa.types.NULLTYPE)

    def compared_form(
        self, connection: sa.Connection, listed: sa.Select[Any], driver_type: Any, *, is_unique: bool
    ) -> Form:
        """Return the form in which a column sorts and compares alike, and which tells all its texts apart.

        :raises SourceError: for a FLOAT, which has none.
        """
        (column,) = listed.selected_columns
        if driver_type == _FLOAT:
            raise SourceError(
                f"the column {str(column.name)!r} is of type FLOAT, which seldom equals what is read of it,"
                " so that its rows could not be told apart; make it DOUBLE or DECIMAL, or take another column"
            )
        # An enum is sorted by its place in the type, but compared as text.
        if is_unique and not isinstance(column.type, sa.Enum):
            return as_it_is
        character_set = sa.func.charset(listed.limit(1).scalar_subquery())
        is_text = connection.execute(sa.select(character_set)).scalar_one() != "binary"
        return self.exact_text if is_text else as_it_is

    def example_of(self, key: sa.ColumnElement[Any], compared_key: sa.ColumnElement[Any]) -> Any:
        """Return one key as it reads: the form in which keys compare is bytes, which are no example."""
        return sa.func.min(key)

    def is_among(
        self, key: sa.ColumnElement[Any], compared_key: sa.ColumnElement[Any], values: Sequence[Any]
    ) -> sa.ColumnElement[bool]:
        """Tell whether a row has one of these keys, as the driver read them."""
        bound = bound_keys(values)
        if compared_key is key:
            return key.in_(bound)
        # The first is for an index, which gives a few rows too many.
        return sa.and_(key.in_(bound), compared_key.in_(bound))

    def why_too_long(self, connection: sa.Connection, keys: Sequence[Any]) -> str | None:
        """Say why a statement that asks for these keys is longer than the server takes; None: it is not.

        The server cuts off the connection, which reads as one that was lost and may be had again.
        """
        texts = [each for each in keys if isinstance(each, str | bytes)]
        if sum(map(len, texts)) < _SURELY_TAKEN:
            return None
        size = _KEYS_TWICE * sum(map(_size_in_statement, texts)) + _REST_OF_STATEMENT
        limit = connection.execute(sa.text("SELECT @@max_allowed_packet")).scalar_one()
        if size < limit:
            return None
        return f"its key makes a statement of more than {limit:,} bytes, the server's max_allowed_packet"


def _size_in_statement(text: str | bytes) -> int:
    """Return the bytes of a value between quotes."""
    in_bytes = text.encode(errors="replace") if isinstance(text, str) else text
    return len(in_bytes) + sum(in_bytes.count(each) for each in _ESCAPED)


def _in_words(error: BaseException) -> str:
    words = error.args[1] if len(error.args) > 1 else error
    return f"{type(error).__name__} ({_number(error)}): {first_line(words)}"


def _number(error: BaseException) -> int | None:
    """Return an error's number: mysql-connector has it in ``errno``, the others have it first."""
    number = getattr(error, "errno", next(iter(error.args), None))
    return number if isinstance(number, int) else None
