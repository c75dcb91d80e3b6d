"""What is known of MySQL and MariaDB."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.sql.database.database import Database, Failure, first_line
from airflow_provider_permitocr.sql.database.families import Family
from airflow_provider_permitocr.sql.database.reflection import FoundColumn

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
_SYNTAX: Final = 1064
#: A server that runs with --read-only, one in read-only mode, a transaction that is.
_READ_ONLY: Final = frozenset({1290, 1792, 1836})
#: Drivers say so of a connection that is closed, in place of a number.
_CLOSED: Final = 0
#: About the connection, rights, names, resources and the server's state; a syntax error quotes the statement,
#: with values.
_WITHOUT_VALUES: Final = frozenset(
    {
        *(1005, 1021, 1030, 1036, 1040, 1044, 1045, 1046, 1049, 1050, 1051, 1053, 1054, 1060, 1114, 1118),
        *(1129, 1130, 1142, 1143, 1146, 1153, 1203, 1205, 1213, 1226, 1227, 1290, 1298, 1364, 1698, 1792),
        *(1836, 1927, 2002, 2003, 2005, 2006, 2013, 2026, 2055, 2059),
    }
)
_TEXTS: Final = sa.text(
    "SELECT column_name, character_set_name, collation_name, character_octet_length"
    " FROM information_schema.columns"
    " WHERE table_schema = coalesce(:schema, database()) AND table_name = :name"
    " AND collation_name IS NOT NULL"
)
#: The character sets of which each holds all Chinese characters:
#: https://dev.mysql.com/doc/refman/8.4/en/charset-unicode.html
_WIDE: Final = ("utf8mb4", "utf16", "utf16le", "utf32", "gb18030")
#: An index entry has 3,072 bytes at most: https://dev.mysql.com/doc/refman/8.4/en/innodb-limits.html
_LONGEST_KEY: Final = 512
_DIGITS: Final = 6
#: What binary collations are called that tell trailing blanks apart, of MariaDB and of MySQL:
#: https://dev.mysql.com/doc/refman/8.4/en/charset-binary-collations.html
_WITHOUT_PADDING: Final = ("_nopad_bin", "_0900_bin")


class MySql(Database):
    """MySQL and MariaDB, by PyMySQL or mysqlclient."""

    title = "MySQL or MariaDB"
    dialects = ("mysql", "mariadb")
    drivers = ("pymysql", "MySQLdb", "mysql")
    folds_columns = True
    replaces_by_any_key = True

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
        return _in_words(error) if _number(error) == _SYNTAX else self.describe(error)

    def columns(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> list[FoundColumn] | None:
        """Return the columns of a table or view in their order; None where there is neither."""
        found = super().columns(connection, name, schema)
        if found is None:
            return None
        rows = connection.execute(_TEXTS, {"name": name, "schema": schema})
        texts = {row[0].lower(): row for row in rows}
        # SQLAlchemy reads the server's own statement, and leaves the quotes within names doubled.
        unquoted = (replace(each, name=each.name.replace("``", "`")) for each in found)
        return [_described(each, texts.get(each.name.lower())) for each in unquoted]

    def family(self, kind: sa.types.TypeEngine[Any]) -> Family:
        """Return the family of a type that it has: BOOLEAN is TINYINT."""
        if isinstance(kind, mysql.TINYINT):
            return Family.BOOLEAN
        # A TIMESTAMP ends in 2038, shows each session another time, and may be filled in place of NULL.
        is_other = isinstance(kind, mysql.SET | mysql.TIMESTAMP | mysql.FLOAT)
        return Family.OTHER if is_other else super().family(kind)

    def exact_text(self, dialect: sa.Dialect, length: int | None) -> sa.types.TypeEngine[Any]:
        """Return the type of keys: no text without a length can be in an index."""
        collation = _exact_collation(dialect)
        return mysql.VARCHAR(length or _LONGEST_KEY, charset="utf8mb4", collation=collation)

    def text(self) -> sa.types.TypeEngine[Any]:
        """Return the type of texts without a limit that anybody would notice."""
        # No VARCHAR: their lengths add up to what a row may hold, and what is too long would be refused.
        return mysql.TEXT(charset="utf8mb4")

    def long_text(self) -> sa.types.TypeEngine[Any]:
        """Return the type of texts of megabytes."""
        return mysql.LONGTEXT(charset="utf8mb4")

    def zoned_time(self) -> sa.types.TypeEngine[Any] | None:
        """Return the type of times that keeps their zone: a TIMESTAMP has that of the session."""
        return None

    def zoneless_time(self) -> sa.types.TypeEngine[Any]:
        """Return the type of times without a zone, with six digits of a second's fractions."""
        # Without fractions, an image changed within the second would look changed for ever.
        return mysql.DATETIME(fsp=_DIGITS)


def _described(column: FoundColumn, text: Any) -> FoundColumn:
    """Add to a column what the server says of its texts.

    :param text: the server's row about it; None where it is none of text.
    """
    if isinstance(column.type, mysql.DATETIME | mysql.TIMESTAMP):
        digits = column.type.fsp or 0
        return replace(column, length=None, digits=digits if digits < _DIGITS else None)
    if text is None:
        return replace(column, length=None)
    _, characters, collation, size = text
    is_long = isinstance(column.type, sa.Text | mysql.TINYTEXT | mysql.MEDIUMTEXT | mysql.LONGTEXT)
    is_binary = collation.endswith("_bin")
    is_padded = is_binary and not collation.endswith(_WITHOUT_PADDING)
    return replace(
        column,
        length=None if is_long else column.length,
        size=size if is_long else None,
        characters=None if characters in _WIDE else characters,
        merging=None if is_binary else collation,
        padding=collation if is_padded else None,
        alteration="takes trailing blanks off" if isinstance(column.type, sa.CHAR) else None,
    )


def _exact_collation(dialect: Any) -> str:
    """Name the collation that compares all of a text: each kind of server has another."""
    version = getattr(dialect, "server_version_info", None)
    if getattr(dialect, "is_mariadb", False):
        return "utf8mb4_nopad_bin"
    # Before MySQL 8 none tells trailing blanks apart.
    return "utf8mb4_0900_bin" if version and version >= (8, 0, 17) else "utf8mb4_bin"


def _in_words(error: BaseException) -> str:
    words = error.args[1] if len(error.args) > 1 else error
    return f"{type(error).__name__} ({_number(error)}): {first_line(words)}"


def _number(error: BaseException) -> int | None:
    """Return an error's number: mysql-connector has it in ``errno``, the others have it first."""
    number = getattr(error, "errno", next(iter(error.args), None))
    return number if isinstance(number, int) else None
