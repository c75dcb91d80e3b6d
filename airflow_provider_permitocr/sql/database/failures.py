"""Classify database errors, and describe them without the personal data that rows contain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IdentifierError,
    IntegrityError,
    ProgrammingError,
    SQLAlchemyError,
    StatementError,
)

from airflow_provider_permitocr.errors import PermitOcrError, UnreachableError
from airflow_provider_permitocr.sql.dialects.database import Failure, HookFailedError, OversizedRowError
from airflow_provider_permitocr.sql.dialects.known import database_of_error


class DatabaseError(PermitOcrError):
    """A database could not be reached, or refused a statement. The message holds no values."""


class DatabaseUnreachableError(DatabaseError, UnreachableError):
    """A database is down, restarts or is locked; the same may succeed a little later."""


@contextmanager
def database_errors(doing: str) -> Iterator[None]:
    """Turn SQLAlchemy's errors into ``DatabaseError``.

    :param doing: the operation, e.g. ``reading the image list``.
    :raises DatabaseUnreachableError: when a retry may succeed.
    :raises DatabaseError: when the database refuses permanently.
    """
    try:
        yield
    except SQLAlchemyError as error:
        kind = DatabaseUnreachableError if is_transient(error) else DatabaseError
        # Cut off from its cause: a traceback would print the driver's own words, values included.
        raise kind(f"{doing} failed: {describe(error)}") from None


def failure_of(error: Exception) -> Failure:
    """Classify an error raised while a statement was executed."""
    cause = _cause(error)
    if not isinstance(error, DBAPIError):
        # Of what dialect and driver cannot send: text with NULs or lone surrogates, numbers too large.
        return Failure.ROW if isinstance(cause, ValueError | OverflowError) else Failure.REFUSAL
    database = database_of_error(cause)
    if error.connection_invalidated and not (database and database.is_final(cause)):
        return Failure.TRANSIENT
    if database is not None and (failure := database.failure(cause)) is not None:
        return failure
    return Failure.ROW if isinstance(error, DataError | IntegrityError) else Failure.REFUSAL


def is_transient(error: Exception) -> bool:
    """Return whether the same may succeed a little later: a lock, a deadlock, a lost connection."""
    return failure_of(error) is Failure.TRANSIENT


def blames_a_row(error: Exception) -> bool:
    """Return whether a write was refused because of one row's values, so that other rows can be written."""
    return failure_of(error) is Failure.ROW


def is_locked(error: Exception) -> bool:
    """Return whether waiting for another session's lock timed out."""
    database = database_of_error(cause := _cause(error))
    return database is not None and database.code(cause) in database.locked


def is_made_already(error: Exception) -> bool:
    """Return whether a change of tables was refused because another session has just made it."""
    database = database_of_error(cause := _cause(error))
    return database is not None and database.is_made_already(cause)


def is_denied(error: Exception) -> bool:
    """Return whether a statement is wrong or lacks a right, so that retrying cannot help."""
    return isinstance(error, ProgrammingError) or lacks_right(error)


def lacks_right(error: Exception) -> bool:
    """Return whether it is surely a right that is missing, or a view's table."""
    database = database_of_error(cause := _cause(error))
    return database is not None and database.code(cause) in database.denied


def describe(error: Exception) -> str:
    """Describe an error of a database or its driver without any value of a row.

    Messages about the connection or a statement's text contain no values, so their first line is kept. Of
    all other errors, only the name and the error number or SQLSTATE are kept.
    """
    if isinstance(error, IdentifierError | OversizedRowError):
        return str(error)
    cause = _cause(error)
    if isinstance(cause, HookFailedError):
        return str(cause)
    database = database_of_error(cause)
    return type(cause).__name__ if database is None else database.describe(cause)


def describe_statement(error: Exception) -> str:
    """Describe what is wrong with a statement that the DAG's author wrote, before any row was read."""
    cause = _cause(error)
    if not isinstance(error, DBAPIError):
        return str(cause)
    database = database_of_error(cause)
    return type(cause).__name__ if database is None else database.describe_statement(cause)


def _cause(error: Exception) -> BaseException:
    return (error.orig or error) if isinstance(error, StatementError) else error
