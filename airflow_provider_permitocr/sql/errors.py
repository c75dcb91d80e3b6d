"""What may be said of a database error: these carry rows, and rows carry people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError, SQLAlchemyError

from airflow_provider_permitocr.core.errors import PermitOcrError


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
    cause = error.orig if isinstance(error, DBAPIError) else error
    name = type(cause).__name__
    if isinstance(error, OperationalError | ProgrammingError):
        first_line = str(cause).strip().partition("\n")[0]
        return f"{name}: {first_line}"
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return f"{name} (SQLSTATE {state})" if state else name
