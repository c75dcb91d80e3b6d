from __future__ import annotations

import importlib
from typing import Any, cast

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql

from airflow_provider_permitocr.core.columns import COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.sql.changes import CreateView
from airflow_provider_permitocr.sql.documents_view import documents
from airflow_provider_permitocr.sql.result_schema import result_table
from airflow_provider_permitocr.sql.tables import ResultTable

_INSTALLED = {
    "snowflake": "snowflake.sqlalchemy.snowdialect:SnowflakeDialect",
    "bigquery": "sqlalchemy_bigquery:BigQueryDialect",
    "redshift": "sqlalchemy_redshift.dialect:RedshiftDialect_psycopg2",
}
_CARRIED = Column("note", ColumnKind.TEXT, "Carried along")


def _dialect(name: str) -> sa.Dialect:
    if name == "mssql":
        sql_server: Any = mssql.dialect()  # type: ignore[no-untyped-call]
        sql_server.server_version_info = (16,)
        sql_server._setup_version_attributes()
        return cast("sa.Dialect", sql_server)
    if name.startswith("mysql"):
        server = mysql.dialect()
        server.is_mariadb = name == "mysql to MariaDB"
        server.server_version_info = (5, 7) if name == "mysql 5.7" else (8, 4)
        return server
    module, _, dialect = _INSTALLED[name].partition(":")
    made: sa.Dialect = getattr(importlib.import_module(module), dialect)()
    return made


def _types(dialect: sa.Dialect, mode: str = "upsert") -> dict[str, str]:
    table = result_table("permits", [*COLUMNS, _CARRIED], mode=mode)
    return {column.name: column.type.compile(dialect) for column in table.columns}


@pytest.mark.parametrize(
    ("dialect", "types"),
    [
        (
            "snowflake",
            {"image_key": "TEXT", "name": "TEXT", "note": "TEXT", "birthday": "DATE", "tries": "BIGINT",
             "warn_photocopy": "BOOLEAN", "processed_at": "TIMESTAMP_TZ"},
        ),
        (
            "bigquery",
            {"image_key": "STRING", "name": "STRING", "note": "STRING", "birthday": "DATE", "tries": "INT64",
             "warn_photocopy": "BOOL", "processed_at": "TIMESTAMP"},
        ),
        (
            "redshift",
            {"image_key": "VARCHAR(2048)", "card_side": "VARCHAR(8)", "name": "VARCHAR(2048)",
             "note": "VARCHAR(65535)", "profile": "VARCHAR(65535)", "birthday": "DATE", "tries": "BIGINT",
             "warn_photocopy": "BOOLEAN", "processed_at": "TIMESTAMP WITH TIME ZONE"},
        ),
        (
            "mssql",
            {"image_key": "NVARCHAR(400) COLLATE Latin1_General_100_BIN2",
             "card_side": "NVARCHAR(8) COLLATE Latin1_General_100_BIN2", "name": "NVARCHAR(max)",
             "note": "NVARCHAR(max)", "birthday": "DATE", "tries": "BIGINT", "warn_photocopy": "BIT",
             "processed_at": "DATETIMEOFFSET"},
        ),
        (
            "mysql",
            {"image_key": "VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
             "card_side": "VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
             "name": "TEXT CHARACTER SET utf8mb4", "note": "LONGTEXT CHARACTER SET utf8mb4",
             "profile": "LONGTEXT CHARACTER SET utf8mb4", "birthday": "DATE", "tries": "BIGINT",
             "warn_photocopy": "BOOL", "processed_at": "DATETIME(6)"},
        ),
        ("mysql 5.7", {"image_key": "VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"}),
        ("mysql to MariaDB", {"image_key": "VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"}),
    ],
)  # fmt: skip
def test_every_column_has_a_type_that_holds_it(dialect: str, types: dict[str, str]) -> None:
    made = _types(_dialect(dialect))
    assert {name: made[name] for name in types} == types


@pytest.mark.parametrize("dialect", [*_INSTALLED, "mssql", "mysql"])
@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_table_can_be_written_down_for_databases_without_a_server_here(dialect: str, mode: str) -> None:
    table = result_table("mart.select", mode=mode)
    statement = str(sa.schema.CreateTable(table).compile(dialect=_dialect(dialect)))
    assert statement.strip().startswith("CREATE TABLE")
    if dialect != "bigquery":  # which keeps no keys
        key = "image_key, card_side" + (", processed_at" if mode == "append" else "")
        assert f"PRIMARY KEY ({key})" in statement


@pytest.mark.parametrize("dialect", ["mysql", "bigquery"])
def test_comments_stand_in_the_statement_where_the_dialect_has_them_there(dialect: str) -> None:
    statement = str(sa.schema.CreateTable(result_table("permits")).compile(dialect=_dialect(dialect)))
    assert "one row per image and side" in statement
    assert all(column.comment[:20] in statement for column in COLUMNS)


@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_key_fits_into_an_index_of_mysql_and_of_sql_server(mode: str) -> None:
    table = result_table("permits", mode=mode)
    for name, bytes_each, most in (("mysql", 4, 3072), ("mssql", 2, 900)):
        key = [column.type.dialect_impl(_dialect(name)) for column in table.primary_key]
        impls = [getattr(each, "impl_instance", each) for each in key]
        assert sum(bytes_each * (getattr(impl, "length", None) or 5) for impl in impls) < most


@pytest.mark.parametrize("dialect", [*_INSTALLED, "mssql", "mysql"])
@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_documents_view_can_be_written_down_for_databases_without_a_server_here(
    dialect: str, mode: str
) -> None:
    described = ResultTable("mart.permits", conn_id="w", mode=mode, documents_view="mart.select")
    view = CreateView(sa.table("select", schema="mart"), documents(described, ["note"]))
    statement = str(view.compile(dialect=_dialect(dialect)))
    assert statement.startswith("CREATE VIEW ")
    assert "LEFT OUTER JOIN" in statement
    assert "FULL" not in statement
    assert ("row_number" in statement) == (mode == "append")
    assert "%(" not in statement
    assert "mart.select " not in statement  # a reserved word is quoted
