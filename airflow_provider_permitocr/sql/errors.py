"""What may be said of a database's errors and rows: rows carry people."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import (
    IdentifierError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
    StatementError,
)

from airflow_provider_permitocr.core.errors import PermitOcrError, UnreachableError
from airflow_provider_permitocr.sql.error_codes import is_of, may_pass, number_of, state_of

#: SQLSTATE classes about the connection, rights, names and syntax, resources, or the server's own state. All
#: others are about rows, or are raised by the user's own triggers in words of any kind.
_STATES_WITHOUT_VALUES: Final = ("08", "0A", "25", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58")
#: MySQL's errors likewise; its syntax error quotes the statement, with values.
_NUMBERS_WITHOUT_VALUES: Final = frozenset(
    {
        *(1005, 1021, 1030, 1036, 1040, 1044, 1045, 1046, 1049, 1050, 1051, 1053, 1054, 1114, 1118, 1129),
        *(1130, 1142, 1143, 1146, 1153, 1203, 1205, 1213, 1226, 1227, 1290, 1298, 1364, 1698, 1927),
        *(2002, 2003, 2005, 2006, 2013, 2055),
    }
)
#: DuckDB's are known by their names; that of a transaction quotes the key over which it failed.
_DUCKDB_WITHOUT_VALUES: Final = (
    *("BinderException", "CatalogException", "IOException", "ParserException", "PermissionException"),
)
_DUCKDB_READ_ONLY: Final = "attached in read-only mode"


class DatabaseError(PermitOcrError):
    """A database could not be reached, or refused a statement. The message holds no values."""


class DatabaseUnreachableError(DatabaseError, UnreachableError):
    """A database is down, restarts or is locked; the same may succeed a little later."""


@contextmanager
def database_errors(doing: str) -> Iterator[None]:
    """Turn SQLAlchemy's errors into ``DatabaseError``.

    :param doing: what was being done, e.g. ``reading the image list``.
    :raises DatabaseUnreachableError: when it may be tried again.
    :raises DatabaseError: when the database refuses for good.
    """
    try:
        yield
    except SQLAlchemyError as error:
        kind = DatabaseUnreachableError if may_pass(error) else DatabaseError
        # Cut off from its cause: a traceback would print the driver's own words, values included.
        raise kind(f"{doing} failed: {describe(error)}") from None


def describe(error: Exception) -> str:
    """Describe an error of a database or its driver without any value of the statement.

    Errors of the connection and of the statement's text quote no values, so their first line is kept;
    of all others only the class and the SQLSTATE or number.
    """
    if isinstance(error, IdentifierError):
        return str(error)
    cause: BaseException = (error.orig or error) if isinstance(error, StatementError) else error
    name, state, number = type(cause).__name__, state_of(cause), number_of(cause)
    if _is_without_values(error, cause, state, number):
        words = cause.args[1] if number is not None and len(cause.args) > 1 else cause
        first_line = str(words).strip().partition("\n")[0]
        return f"{name}: {first_line}" if number is None else f"{name} ({number}): {first_line}"
    if number is not None:
        return f"{name} (error {number})"
    return f"{name} (SQLSTATE {state})" if state else name


def _is_without_values(error: Exception, cause: BaseException, state: str | None, number: int | None) -> bool:
    if is_of(cause, "duckdb"):
        return type(cause).__name__ in _DUCKDB_WITHOUT_VALUES or _DUCKDB_READ_ONLY in str(cause)
    if number is not None:
        return number in _NUMBERS_WITHOUT_VALUES
    if not isinstance(error, OperationalError | ProgrammingError):
        return False
    if state is not None:
        return state.startswith(_STATES_WITHOUT_VALUES)
    # PostgreSQL's drivers give a state to all that a server has said; SQLite's errors of these classes name
    # no values.
    return is_of(cause, "psycopg", "psycopg2", "sqlite3")


def keep_rows_out_of_the_log() -> None:
    """Cap SQLAlchemy's logger where it is at DEBUG: there it prints every row that it reads."""
    logger = logging.getLogger("sqlalchemy.engine")
    if logger.isEnabledFor(logging.DEBUG):
        logger.setLevel(logging.INFO)
