"""What is said of drivers' errors, and what follows from them."""

from __future__ import annotations

import importlib
import sqlite3
from typing import Any

import duckdb
import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, OperationalError

from airflow_provider_permitocr.sql.database.failures import (
    blames_a_row,
    describe,
    is_locked,
    is_made_already,
    is_transient,
)

#: Carries no type information.
PYMYSQL: Any = importlib.import_module("pymysql.err")


def wrapped(cause: Exception, *, lost: bool = False) -> Exception:
    """Wrap a driver's error as SQLAlchemy does."""
    error: Exception = DBAPIError.instance(
        "INSERT", {}, cause, Exception, hide_parameters=True, connection_invalidated=lost
    )
    return error


def postgres(state: str) -> Exception:
    return wrapped(psycopg.errors.lookup(state)("secret"))


def mysql(number: int, kind: Any = PYMYSQL.OperationalError) -> Exception:
    return wrapped(kind(number, "secret"))


def sqlite(code: int) -> Exception:
    cause = sqlite3.OperationalError("secret")
    cause.sqlite_errorcode = code
    return wrapped(cause)


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "57P01", "57P03", "08006", "53300"])
def test_states_that_may_pass(state: str) -> None:
    assert (is_transient(postgres(state)), blames_a_row(postgres(state))) == (True, False)


@pytest.mark.parametrize("state", ["22001", "22P05", "23505", "23514", "P0001", "54000", "44000", "21000"])
def test_states_of_rows(state: str) -> None:
    assert (is_transient(postgres(state)), blames_a_row(postgres(state))) == (False, True)
    assert "secret" not in describe(postgres("22001"))


@pytest.mark.parametrize("state", ["53100", "42P01", "42501", "57014", "25006"])
def test_states_of_the_table_or_the_server(state: str) -> None:
    assert (is_transient(postgres(state)), blames_a_row(postgres(state))) == (False, False)


@pytest.mark.parametrize("number", [1205, 1213, 1020, 2006, 2013, 2003, 1047])
def test_numbers_that_may_pass(number: int) -> None:
    assert (is_transient(mysql(number)), blames_a_row(mysql(number))) == (True, False)


@pytest.mark.parametrize("number", [1048, 1062, 1264, 1366, 1406, 1644, 3819, 4025])
def test_numbers_of_rows_which_quote_them(number: int) -> None:
    assert (is_transient(mysql(number)), blames_a_row(mysql(number))) == (False, True)
    assert describe(mysql(number)) == f"OperationalError (error {number})"


def test_numbers_of_the_table_keep_their_words() -> None:
    error = mysql(1146, PYMYSQL.ProgrammingError)
    assert (is_transient(error), blames_a_row(error)) == (False, False)
    assert describe(error) == "ProgrammingError (1146): secret"


def test_a_syntax_error_of_mysql_quotes_the_statement_and_is_not_repeated() -> None:
    assert describe(mysql(1064, PYMYSQL.ProgrammingError)) == "ProgrammingError (error 1064)"


@pytest.mark.parametrize(("code", "passing"), [(5, True), (6, True), (5 | 2 << 8, True), (13, False)])
def test_sqlite_that_is_busy_may_pass(code: int, passing: bool) -> None:
    assert (is_transient(sqlite(code)), blames_a_row(sqlite(code))) == (passing, False)


@pytest.mark.parametrize(
    ("cause", "passing", "of_a_row"),
    [
        (duckdb.TransactionException, True, False),
        (duckdb.ConstraintException, False, True),
        (duckdb.ConversionException, False, True),
        (duckdb.InvalidInputException, False, True),
        (duckdb.IOException, False, False),
        (duckdb.CatalogException, False, False),
    ],
)
def test_errors_of_duckdb_are_known_by_name(cause: Any, passing: bool, of_a_row: bool) -> None:
    error = wrapped(cause("secret"))
    assert (is_transient(error), blames_a_row(error)) == (passing, of_a_row)
    if passing or of_a_row:
        assert describe(error) == cause.__name__


def test_a_connection_that_was_lost_may_come_back_whatever_the_driver_calls_it() -> None:
    assert is_transient(wrapped(PYMYSQL.InterfaceError(0, ""), lost=True))
    assert is_transient(wrapped(psycopg.OperationalError("connection refused")))


def test_an_error_of_an_unknown_driver_is_neither_repeated_nor_quoted() -> None:
    class StrangeError(Exception):
        pass

    error = OperationalError("INSERT", {}, StrangeError("secret"))
    assert (is_transient(error), blames_a_row(error), describe(error)) == (False, False, "StrangeError")


def test_text_that_a_driver_cannot_encode_is_its_rows_fault() -> None:
    with pytest.raises(UnicodeEncodeError) as caught:
        "\ud800".encode()
    assert blames_a_row(caught.value)
    assert describe(caught.value) == "UnicodeEncodeError"


@pytest.mark.parametrize(
    ("error", "locked", "made"),
    [
        (postgres("55P03"), True, False),
        (mysql(1205), True, False),
        (sqlite(5), True, False),
        *((postgres(state), False, True) for state in ("42P07", "42701", "42710", "23505", "XX000", "42P16")),
        *((mysql(number), False, True) for number in (1050, 1060, 1061)),
        (wrapped(duckdb.CatalogException('Table with name "t" already exists!')), False, True),
        (wrapped(sqlite3.OperationalError("duplicate column name: branch")), False, True),
        (postgres("42501"), False, False),
        (mysql(1142), False, False),
        (sqlite(8), False, False),
    ],
)
def test_why_a_change_of_tables_was_refused(error: Exception, locked: bool, made: bool) -> None:
    assert (is_locked(error), is_made_already(error)) == (locked, made)
