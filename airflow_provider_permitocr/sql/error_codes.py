"""What a database's error means for a write: whether it may pass, and whether a row is to blame.

SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html; MySQL's numbers:
https://dev.mysql.com/doc/mysql-errors/en/server-error-reference.html and, from 4000 on,
https://mariadb.com/kb/en/mariadb-error-code-reference/; SQLite's: https://www.sqlite.org/rescode.html.
"""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    StatementError,
)

#: Connection, transaction rollback (serialization, deadlock), too many connections, a lock that is not to be
#: had, a server that shuts down, crashed or starts.
_PASSING_STATES: Final = ("08", "40001", "40003", "40P01", "53300", "55P03", "57P01", "57P02", "57P03")
#: Too many connections, shutdown, lock wait timeout, deadlock, changed since it was read, a Galera node that
#: is not ready, and connections that cannot be made, were lost or killed.
_PASSING_NUMBERS: Final = frozenset({1020, 1040, 1047, 1053, 1205, 1213, 1927, 2002, 2003, 2006, 2013, 2055})
_SQLITE_BUSY: Final = (5, 6)
_DUCKDB_PASSING: Final = ("TransactionException",)

#: A trigger's or function's refusal, more rows than one, data, constraints, a view's condition, a value over
#: a limit of the server such as that of an index.
_ROW_STATES: Final = ("09", "21", "22", "23", "27", "38", "39", "44", "54000", "P0")
#: NULL, doubled, out of range, no such date, text of another encoding, a trigger's SIGNAL, too long, too
#: long a row or packet, foreign keys, CHECK, no partition for it.
_ROW_NUMBERS: Final = frozenset(
    {
        *(1048, 1062, 1118, 1153, 1216, 1264, 1265, 1292, 1300, 1366, 1406, 1411, 1441, 1452, 1526, 1586),
        *(1644, 1690, 1761, 1762, 3819, 3854, 3988, 4025),
    }
)
#: Besides those about data and constraints: of text with lone surrogates.
_DUCKDB_ROWS: Final = ("InvalidInputException",)
_NO_TABLE: Final = "42P01"
_MYSQL_NO_TABLE: Final = 1146
_MYSQL: Final = ("pymysql", "MySQLdb", "mysql")


def is_of(error: BaseException, *drivers: str) -> bool:
    """Whether an error comes from one of these drivers."""
    module = "duckdb" if type(error).__module__ == "_duckdb" else type(error).__module__
    return module.partition(".")[0] in drivers


def state_of(error: BaseException) -> str | None:
    """Return the SQLSTATE of a driver's error, where it has one; PyODBC puts it first."""
    first = error.args[0] if error.args else None
    for state in (getattr(error, "sqlstate", None), getattr(error, "pgcode", None), first):
        if isinstance(state, str) and re.fullmatch("[0-9A-Z]{5}", state):
            return state
    return None


def number_of(error: BaseException) -> int | None:
    """Return the number of a MySQL driver's error, where it has one."""
    first = error.args[0] if error.args else None
    number = getattr(error, "errno", first)
    return number if isinstance(number, int) and is_of(error, *_MYSQL) else None


def may_pass(error: Exception) -> bool:
    """Whether the same write may succeed a little later: a lock, a deadlock, a lost connection."""
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    return _is_passing(error, error.orig or error)


def _is_passing(error: DBAPIError, cause: BaseException) -> bool:
    number, state = number_of(cause), state_of(cause)
    if number is not None:
        return number in _PASSING_NUMBERS
    if state is not None:
        return state.startswith(_PASSING_STATES)
    if is_of(cause, "sqlite3"):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _SQLITE_BUSY
    if is_of(cause, "duckdb"):
        return type(cause).__name__ in _DUCKDB_PASSING
    # Without a state no server has answered: it restarts, or moves to another host.
    return is_of(cause, "psycopg", "psycopg2") and isinstance(error, OperationalError | InterfaceError)


def is_missing_table(error: Exception) -> bool:
    """Whether a statement was refused as there is no such table (any more)."""
    if not isinstance(error, DBAPIError):
        return False
    cause: BaseException = error.orig or error
    state, number = state_of(cause), number_of(cause)
    if number is not None:
        return number == _MYSQL_NO_TABLE
    if state is not None:
        return state == _NO_TABLE
    if is_of(cause, "sqlite3"):
        return str(cause).startswith("no such table")
    return is_of(cause, "duckdb") and type(cause).__name__ == "CatalogException"


def blames_a_row(error: Exception) -> bool:
    """Whether a write was refused for what one of its rows holds, so that others can be written."""
    if isinstance(error, StatementError) and not isinstance(error, DBAPIError):
        # The dialect could not turn a value into what its driver takes.
        return isinstance(error.orig, ValueError | OverflowError)
    if not isinstance(error, DBAPIError):
        # Drivers say so of text with NULs or lone surrogates, and SQLite's of large numbers.
        return isinstance(error, ValueError | OverflowError)
    cause = error.orig or error
    state, number = state_of(cause), number_of(cause)
    if number is not None and number in _ROW_NUMBERS:
        return True
    if state is not None and number is None:
        return state.startswith(_ROW_STATES)
    if is_of(cause, "duckdb") and type(cause).__name__ in _DUCKDB_ROWS:
        return True
    return isinstance(error, DataError | IntegrityError)
