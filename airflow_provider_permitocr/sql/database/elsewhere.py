"""Databases that are not supported, and what their users load a file with instead.

Operators: https://airflow.apache.org/docs/apache-airflow-providers/core-extensions/index.html and the
pages of the providers that are named.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from airflow_provider_permitocr.core.errors import ConfigurationError, SourceError, TargetError
from airflow_provider_permitocr.sql.database.known import source_titles, target_titles


class _Elsewhere(NamedTuple):
    title: str
    #: That loads a file from an object store.
    operator: str = "S3ToSqlOperator"


#: By the type of an Airflow connection. A type that is in neither list is asked for its SQLAlchemy dialect.
_ELSEWHERE: Final[dict[str, _Elsewhere]] = {
    "gcpbigquery": _Elsewhere("BigQuery", "GCSToBigQueryOperator"),
    "google_cloud_platform": _Elsewhere("BigQuery", "GCSToBigQueryOperator"),
    "redshift": _Elsewhere("Redshift", "S3ToRedshiftOperator"),
    "databricks": _Elsewhere("Databricks", "DatabricksCopyIntoOperator"),
    "teradata": _Elsewhere("Teradata", "S3ToTeradataOperator"),
    "trino": _Elsewhere("Trino", "GCSToTrinoOperator"),
    "presto": _Elsewhere("Presto", "GCSToPrestoOperator"),
    "hive_cli": _Elsewhere("Hive", "S3ToHiveOperator"),
    "hiveserver2": _Elsewhere("Hive", "S3ToHiveOperator"),
    "mssql": _Elsewhere("SQL Server"),
    "oracle": _Elsewhere("Oracle"),
    "athena": _Elsewhere("Athena", "AthenaOperator"),
    "vertica": _Elsewhere("Vertica"),
    "exasol": _Elsewhere("Exasol"),
    "impala": _Elsewhere("Impala"),
    "drill": _Elsewhere("Drill"),
    "druid": _Elsewhere("Druid"),
    "pinot": _Elsewhere("Pinot"),
    "ydb": _Elsewhere("YDB"),
    "jdbc": _Elsewhere("A database over JDBC"),
    "odbc": _Elsewhere("A database over ODBC"),
}


def require_target(connection_type: str, conn_id: str, dialect: str | None = None) -> None:
    """Refuse a result table in a database that is not supported, naming the way into it.

    :param dialect: of an engine whose database is not known.
    :raises TargetError: when it is refused.
    """
    if (found := _found(connection_type, dialect)) is not None:
        raise TargetError(
            f"connection {conn_id!r} is of type {connection_type!r}: {found.title} is no database for a result"
            f" table; {target_titles()} are. Write a Parquet file to the object store in place of it,"
            f' target=ResultFile("….parquet", conn_id="..."), and load that by {found.operator} in a task that'
            " follows"
        )


def require_source(connection_type: str, conn_id: str, dialect: str | None = None) -> None:
    """Refuse an image list in a database that is not supported, naming the way out of it.

    :param dialect: of an engine whose database is not known.
    :raises SourceError: when it is refused.
    """
    if (found := _found(connection_type, dialect)) is not None:
        raise SourceError(
            f"connection {conn_id!r} is of type {connection_type!r}: {found.title} is no database that an image"
            f" list is read from; {source_titles()} are. Copy the list to one of these, for example by"
            " GenericTransfer in a task before"
        )


def require_ledger(connection_type: str, conn_id: str, line_to_paste: str) -> None:
    """Refuse a ledger in a database that is not supported, where its type says so.

    :param line_to_paste: names a ledger elsewhere.
    :raises TargetError: when it is refused.
    """
    if (found := _found(connection_type, None)) is not None or connection_type in _LOADED:
        title = found.title if found else connection_type.capitalize()
        raise TargetError(
            f"a ledger cannot be kept in {title} (connection {conn_id!r}); add {line_to_paste}, naming a"
            " connection of PostgreSQL, MySQL, MariaDB or SQLite"
        )
