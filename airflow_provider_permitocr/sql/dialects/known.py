"""The databases that are known: the only list of them."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.sql.dialects.database import Database
from airflow_provider_permitocr.sql.dialects.duckdb import DuckDb
from airflow_provider_permitocr.sql.dialects.mysql import MySql
from airflow_provider_permitocr.sql.dialects.postgresql import PostgreSql
from airflow_provider_permitocr.sql.dialects.snowflake import Snowflake
from airflow_provider_permitocr.sql.dialects.sqlite import Sqlite

_SNOWFLAKE: Final = Snowflake()
DATABASES: Final[tuple[Database, ...]] = (PostgreSql(), MySql(), Sqlite(), DuckDb(), _SNOWFLAKE)
_BY_DIALECT: Final = {dialect: database for database in DATABASES for dialect in database.dialects}
_BY_DRIVER: Final = {driver: database for database in DATABASES for driver in database.drivers}
_BY_CONN_TYPE: Final = {conn_type: database for database in DATABASES for conn_type in database.conn_types}


def database_of(known_by: sa.Engine | sa.Connection | sa.Dialect) -> Database:
    """Return the database of an engine, a connection or a dialect.

    :raises ConfigurationError: when it is not supported.
    """
    dialect = known_by if isinstance(known_by, sa.Dialect) else known_by.dialect
    database = _BY_DIALECT.get(dialect.name)
    if database is None:
        raise ConfigurationError(f"{dialect.name} is not supported; {target_titles()} are")
    return database


def database_of_hook(hook: Any) -> Database:
    """Return the database of an Airflow hook.

    :raises ConfigurationError: when it is not supported.
    """
    # A custom subclass of one of Airflow's hooks has its own type.
    for each in type(hook).__mro__:
        if database := _BY_CONN_TYPE.get(str(vars(each).get("conn_type"))):
            return database
    raise ConfigurationError(
        f"it is of type {getattr(hook, 'conn_type', None)!r}, which is not supported; {target_titles()} are."
        " For other warehouses, write a Parquet ResultFile to an object store, and load it with Airflow's"
        " own operators, such as S3ToRedshiftOperator or GCSToBigQueryOperator"
    )


def connector_database_of(conn_type: str) -> Snowflake | None:
    """Return the database of a connection type that is reached through its own connector.

    :param conn_type: of an Airflow connection.
    :return: None for other types.
    """
    database = _BY_CONN_TYPE.get(conn_type)
    return database if isinstance(database, Snowflake) else None


def target_titles() -> str:
    """Name the databases that can have result tables."""
    return ", ".join(each.title for each in DATABASES)


def ledger_titles() -> str:
    """Name the databases that ledgers can be kept in."""
    return ", ".join(each.title for each in DATABASES if each.clock is not None)


def source_titles() -> str:
    """Name the databases that lists can be read from."""
    return ", ".join(each.title for each in DATABASES if each.dialects)


def database_of_error(error: BaseException) -> Database | None:
    """Return the database whose driver raised an error; None: no known driver did."""
    return _BY_DRIVER.get(type(error).__module__.partition(".")[0])


_SNOWFLAKE.ledger_titles = ledger_titles()
