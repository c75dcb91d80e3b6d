"""Unsupported databases, and the operators that load a file into them instead.

Operators: https://airflow.apache.org/docs/apache-airflow-providers/core-extensions/index.html and the
pages of the named providers.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from airflow_provider_permitocr.errors import SourceError, TargetError
from airflow_provider_permitocr.sql.dialects.known import source_titles, target_titles


class _Elsewhere(NamedTuple):
    title: str
    #: That loads a file from an object store.
    operator: str = "S3ToSqlOperator"


#: By the type of an Airflow connection.
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
    "jdbc": _Elsewhere("a database over JDBC"),
    "odbc": _Elsewhere("a database over ODBC"),
}


def require_target(conn_type: str, conn_id: str) -> None:
    """Refuse a result table in a database that is known to be unsupported, and name an alternative.

    :param conn_type: of the Airflow connection.
    :raises TargetError: when it is refused.
    """
    if (found := _ELSEWHERE.get(conn_type)) is not None:
        raise TargetError(
            f"connection {conn_id!r} is of type {conn_type!r}: a result table cannot be in {found.title},"
            f" only in {target_titles()}. Write a Parquet file to an object store instead,"
            ' target=ResultFile("s3://….parquet", conn_id="..."), and let'
            f" {found.operator} load that in the task that follows"
        )


def require_source(conn_type: str, conn_id: str) -> None:
    """Refuse an image list in a database that is known to be unsupported, and name an alternative.

    :param conn_type: of the Airflow connection.
    :raises SourceError: when it is refused.
    """
    if (found := _ELSEWHERE.get(conn_type)) is not None:
        raise SourceError(
            f"connection {conn_id!r} is of type {conn_type!r}: an image list cannot be read from"
            f" {found.title}, only from {source_titles()}. Copy it into one of these, for example by"
            " GenericTransfer in the task before"
        )
