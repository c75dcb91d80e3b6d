"""What is known of MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.sql.database.database import LOCK_SECONDS, Database, Failure, first_line

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
_LOCKED: Final = 1205
#: A table or view, a column, an index; a table that another session changes at this moment.
_MADE_ALREADY: Final = frozenset({1050, 1060, 1061, 1684})
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


class MySql(Database):
    """MySQL and MariaDB, by PyMySQL or mysqlclient."""

    title = "MySQL or MariaDB"
    dialects = ("mysql", "mariadb")
    drivers = ("pymysql", "MySQLdb", "mysql")
    changes_in_transactions = False

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

    @contextmanager
    def changing(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Change tables or views, each change by itself, behind those who have them open for a moment only.

        By default such a lock is waited for up to a day (MariaDB) or a year (MySQL):
        https://dev.mysql.com/doc/refman/en/server-system-variables.html#sysvar_lock_wait_timeout
        """
        with engine.connect() as connection:
            waits = int(connection.exec_driver_sql("SELECT @@SESSION.lock_wait_timeout").scalar_one())
            _set_lock_wait(connection, min(waits, LOCK_SECONDS))
            try:
                yield connection
                connection.commit()
            finally:
                try:
                    connection.rollback()
                    _set_lock_wait(connection, waits)
                except SQLAlchemyError:  # a session that was lost takes its settings along
                    connection.invalidate()

    def is_locked(self, error: BaseException) -> bool:
        """Tell whether another session holds a lock that was not to be had in time."""
        return _number(error) == _LOCKED

    def is_made_already(self, error: BaseException) -> bool:
        """Tell whether a change was refused because another session has just made the same."""
        return _number(error) in _MADE_ALREADY

    def finding_holders(self, table: str) -> str:  # noqa: ARG002
        """Say how to find who holds a lock on a table or view."""
        return "find it with SELECT trx_mysql_thread_id, trx_started FROM information_schema.innodb_trx"


def _set_lock_wait(connection: sa.Connection, seconds: int) -> None:
    connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {seconds}")


def _in_words(error: BaseException) -> str:
    words = error.args[1] if len(error.args) > 1 else error
    return f"{type(error).__name__} ({_number(error)}): {first_line(words)}"


def _number(error: BaseException) -> int | None:
    """Return an error's number: mysql-connector has it in ``errno``, the others have it first."""
    number = getattr(error, "errno", next(iter(error.args), None))
    return number if isinstance(number, int) else None
