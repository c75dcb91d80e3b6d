"""What may be said of a database's errors and rows: rows carry people."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, IdentifierError, OperationalError, ProgrammingError, SQLAlchemyError

from airflow_provider_permitocr.core.errors import PermitOcrError

#: SQLSTATE classes about the connection, rights, names and syntax, resources, or the server's own state. All
#: others are about rows, or are raised by the user's own triggers in words of any kind. Without a state no
#: server has seen a row, or it is SQLite, whose errors of these classes name none.
_WITHOUT_VALUES: Final = ("08", "0A", "25", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58")


class DatabaseError(PermitOcrError):
    """A database could not be reached, or refused a statement. The message holds no values."""


@contextmanager
def database_errors(doing: str) -> Iterator[None]:
    """Turn SQLAlchemy's errors into ``DatabaseError``.

    :param doing: what was being done, e.g. ``reading the image list``.
    """
    try:
        yield
    except SQLAlchemyError as error:
        # Cut off from its cause: a traceback would print the driver's own words, values included.
        raise DatabaseError(f"{doing} failed: {describe(error)}") from None


def describe(error: SQLAlchemyError) -> str:
    """Describe a database error without any value of the statement.

    Errors of the connection and of the statement's text quote no values, so their first line is kept;
    of all others only the class and the SQLSTATE.
    """
    if isinstance(error, IdentifierError):
        return str(error)
    cause = error.orig if isinstance(error, DBAPIError) else error
    name = type(cause).__name__
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if isinstance(error, OperationalError | ProgrammingError) and (state or "08").startswith(_WITHOUT_VALUES):
        first_line = str(cause).strip().partition("\n")[0]
        return f"{name}: {first_line}"
    return f"{name} (SQLSTATE {state})" if state else name


def keep_rows_out_of_the_log() -> None:
    """Cap SQLAlchemy's logger where it is at DEBUG: there it prints every row that it reads."""
    logger = logging.getLogger("sqlalchemy.engine")
    if logger.isEnabledFor(logging.DEBUG):
        logger.setLevel(logging.INFO)
