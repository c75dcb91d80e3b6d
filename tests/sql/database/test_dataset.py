"""Tables and files have the names that Airflow's own assets and OpenLineage give them."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import Asset, Connection

from airflow_provider_permitocr.sql.dialects.database import Database
from airflow_provider_permitocr.sql.dialects.dataset import Dataset
from airflow_provider_permitocr.sql.dialects.known import DATABASES

BY_TITLE = {each.title: each for each in DATABASES}
ACCOUNT = '{"account": "ORG-ACME"}'
REGION = '{"account": "ORG-ACME", "region": "eu-west-1"}'


def named(title: str, table: str, **fields: Any) -> Dataset:
    database: Database = BY_TITLE[title]
    return database.dataset(Connection(conn_id="warehouse", **fields), table)


@pytest.mark.parametrize(
    ("dataset", "uri", "namespace", "name"),
    [
        (
            named("PostgreSQL", "public.permits", host="DB.example.com", schema="lake"),
            *("postgres://db.example.com:5432/lake/public/permits", "postgres://db.example.com:5432"),
            "lake.public.permits",
        ),
        (
            named("PostgreSQL", "permits", host="db1,db2", port=6432, login="loader"),
            *("postgres://db1:6432/loader/public/permits", "postgres://db1:6432", "loader.public.permits"),
        ),
        (
            named("PostgreSQL", "public.größe 1", host="/run/postgresql", schema="lake"),
            "postgres://localhost:5432/lake/public/gr%C3%B6%C3%9Fe%201",
            *("postgres://localhost:5432", "lake.public.größe 1"),
        ),
        (
            named("PostgreSQL", "public.permits", host="::1", schema="lake"),
            *("postgres://[::1]:5432/lake/public/permits", "postgres://[::1]:5432", "lake.public.permits"),
        ),
        (
            named("MySQL or MariaDB", "lake.permits", host="db", schema="other"),
            *("mysql://db:3306/lake/permits", "mysql://db:3306", "lake.permits"),
        ),
        (
            named("SQLite", "main.permits", host="/srv/lake.db"),
            *(
                "sqlite://localhost/srv/lake.db/main/permits",
                "sqlite://localhost/srv/lake.db",
                "main.permits",
            ),
        ),
        (
            named("DuckDB", "main.permits", host="/srv/lake.duckdb"),
            *(
                "duckdb://localhost/srv/lake.duckdb/main/permits",
                "duckdb://localhost/srv/lake.duckdb",
                "main.permits",
            ),
        ),
        (
            named("Snowflake", "LAKE.PUBLIC.PERMITS", extra=ACCOUNT),
            *("snowflake://org-acme/LAKE/PUBLIC/PERMITS", "snowflake://org-acme", "LAKE.PUBLIC.PERMITS"),
        ),
        (
            named("Snowflake", "LAKE.PUBLIC.PERMITS", extra=REGION),
            "snowflake://org-acme.eu-west-1/LAKE/PUBLIC/PERMITS",
            *("snowflake://org-acme.eu-west-1", "LAKE.PUBLIC.PERMITS"),
        ),
        (
            Dataset.of_file("/exports/permits of May.csv"),
            *("file:///exports/permits%20of%20May.csv", "file", "/exports/permits of May.csv"),
        ),
        (
            Dataset.of_file("s3a://store@bucket/a/permits.parquet"),
            *("s3://bucket/a/permits.parquet", "s3://bucket", "a/permits.parquet"),
        ),
        (
            Dataset.of_file("cos://bucket-125/a.csv"),
            *("cos://bucket-125/a.csv", "cos://bucket-125", "a.csv"),
        ),
    ],
    ids=lambda value: value.uri if isinstance(value, Dataset) else "",
)
def test_a_dataset_is_named_as_others_name_it(dataset: Dataset, uri: str, namespace: str, name: str) -> None:
    assert (dataset.uri, dataset.namespace, dataset.name) == (uri, namespace, name)
    # Airflow's providers have nothing to normalize, so it is the same asset where they are not installed.
    assert Asset(uri).uri == uri
