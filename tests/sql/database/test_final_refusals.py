"""What looks as if it may pass, or as if a right were missing, and is neither."""

from __future__ import annotations

import psycopg
from sqlalchemy.exc import DBAPIError

from airflow_provider_permitocr.sql.database.failures import describe, failure_of
from airflow_provider_permitocr.sql.dialects.database import Failure


def wrapped(cause: Exception, *, lost: bool) -> Exception:
    """Wrap a driver's error as SQLAlchemy does."""
    error: Exception = DBAPIError.instance(
        "BEGIN", {}, cause, Exception, hide_parameters=True, connection_invalidated=lost
    )
    return error


def test_a_pgbouncer_that_takes_no_transactions_is_not_waited_for_though_it_breaks_off() -> None:
    words = "transaction blocks not allowed in statement pooling mode"
    error = wrapped(psycopg.errors.ProtocolViolation(words), lost=True)
    assert failure_of(error) is Failure.REFUSAL
    assert words in describe(error)


def test_a_row_that_a_policy_does_not_let_in_is_that_rows_refusal() -> None:
    words = 'new row violates row-level security policy for table "permits"'
    assert failure_of(wrapped(psycopg.errors.InsufficientPrivilege(words), lost=False)) is Failure.ROW
    denied = psycopg.errors.InsufficientPrivilege("permission denied for table permits")
    assert failure_of(wrapped(denied, lost=False)) is Failure.REFUSAL
