"""What is known of MySQL and MariaDB."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.sql.database.comparing import Typed
from airflow_provider_permitocr.sql.database.database import Database, Failure, first_line
from airflow_provider_permitocr.sql.database.replacing import STATEMENTS_KEPT, Replacing, Row, key_names

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
#: In characters: index entries hold 3,072 bytes, of which a character takes four.
_LONGEST_KEY: Final = 512
_SCHEMA: Final = sa.text("SELECT database(), @@lower_case_table_names")
_ENGINE_WITHOUT_TRANSACTIONS: Final = sa.text(
    "SELECT t.engine FROM information_schema.tables t"
    " JOIN information_schema.engines e ON e.engine = t.engine"
    " WHERE t.table_schema = coalesce(:schema, database()) AND t.table_name = :name"
    " AND e.transactions <> 'YES'"
)
# Numbers of types in the protocol: of integers, of texts and bytes, of days and times.
_INTEGERS: Final = frozenset({1, 2, 3, 8, 9})
_TEXTS: Final = frozenset({15, 252, 253, 254})
_MOMENTS: Final = frozenset({7, 10, 12})


class MySql(Database):
    """MySQL and MariaDB, by PyMySQL or mysqlclient."""

    title = "MySQL or MariaDB"
    dialects = ("mysql", "mariadb")
    drivers = ("pymysql", "MySQLdb", "mysql")
    #: ``NOW()`` is in the session's time zone.
    clock = "UTC_TIMESTAMP(6)"
    #: The server's default may be an engine without transactions.
    table_options: ClassVar[Mapping[str, str]] = {"mysql_engine": "InnoDB", "mariadb_engine": "InnoDB"}

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

    def upsert(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: Replacing
    ) -> None:
        """Write rows, replacing those with the same primary key."""
        connection.execute(_insert_on_duplicate_key(table, rule), rows)

    def key_fault(self, image_key: str) -> str | None:
        """Say why no index of a ledger can hold a key."""
        if len(image_key) <= _LONGEST_KEY:
            return None
        return f"it has {len(image_key):,} characters, and an index of MySQL holds {_LONGEST_KEY}"

    def same_text(
        self, connection: sa.Connection, kept: Typed, listed: Typed
    ) -> list[sa.ColumnElement[bool]] | None:
        """Compare by the ledger's collation, for its index, and by bytes.

        Binary collations, too, ignore blanks at the end.
        """
        one = sa.select(kept.column).limit(1).scalar_subquery()
        collation = connection.execute(sa.select(sa.func.collation(one))).scalar_one()
        if not re.fullmatch("utf8mb4_.*bin", collation):
            return None  # no index of the ledger would find a key exactly as it is
        text: sa.ColumnElement[Any]
        if listed.type in _INTEGERS:
            text = sa.cast(listed.column + 0, sa.CHAR)  # without the zeros of ZEROFILL
        elif listed.type in _TEXTS:
            text = listed.column
        else:
            return None
        return [
            sa.func.charset(text) != "binary",
            kept.column == sa.collate(_in_utf8(text), collation),
            self.exact_text(kept.column) == self.exact_text(text),
        ]

    def exact_text(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return text in a form that tells all texts apart: its collations take a for A or Ä.

        Binary collations are not enough, as most ignore blanks at the end.
        """
        # Compared with text as the driver gives it.
        return sa.type_coerce(sa.cast(_in_utf8(column), sa.BINARY), sa.types.NULLTYPE)

    def is_seen(
        self, listed_at: Typed, updated_at: Typed, attempted_at: Typed
    ) -> sa.ColumnElement[bool] | None:
        """Compare times, which are in UTC in our sessions."""
        if not {listed_at.type, updated_at.type, attempted_at.type} <= _MOMENTS:
            return None
        seen_at = sa.func.coalesce(updated_at.column, attempted_at.column)
        return sa.or_(listed_at.column.is_(None), seen_at >= listed_at.column)

    def schema_of(self, connection: sa.Connection, name: str) -> tuple[str | None, bool]:
        """Ask the server, whose system decides on case."""
        schema, lower_case = connection.execute(_SCHEMA).one()
        return schema, bool(int(lower_case))

    def engine_without_transactions(self, connection: sa.Connection, table: sa.Table) -> str | None:
        """Name the storage engine of a table that keeps to no transactions, such as MyISAM."""
        named = {"schema": table.schema, "name": table.name}
        engine = connection.execute(_ENGINE_WITHOUT_TRANSACTIONS, named).scalar()
        return None if engine is None else str(engine)


@lru_cache(STATEMENTS_KEPT)
def _insert_on_duplicate_key(table: sa.Table, rule: Replacing) -> mysql.Insert:
    # PyMySQL makes one statement of many rows only where no parameter follows VALUES.
    insert = mysql.insert(table)
    new = insert.inserted
    is_replaced = rule.applies(table.c, new)
    if not (replaced := rule.replaced(table)):
        # Not IGNORE, which takes what a column cannot hold for a warning.
        key = key_names(table)[0]
        return insert.on_duplicate_key_update([(key, table.c[key])])
    return insert.on_duplicate_key_update(
        [
            (
                name,
                new[name] if is_replaced is None else sa.case((is_replaced, new[name]), else_=table.c[name]),
            )
            for name in replaced
        ]
    )


def _in_utf8(text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return text in the character set that holds all, whatever its column's is."""
    return sa.func.convert(text.op("USING")(sa.literal_column("utf8mb4")))


def _in_words(error: BaseException) -> str:
    words = error.args[1] if len(error.args) > 1 else error
    return f"{type(error).__name__} ({_number(error)}): {first_line(words)}"


def _number(error: BaseException) -> int | None:
    """Return an error's number: mysql-connector has it in ``errno``, the others have it first."""
    number = getattr(error, "errno", next(iter(error.args), None))
    return number if isinstance(number, int) else None
