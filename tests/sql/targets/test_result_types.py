from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.permit.columns import COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.sql.targets.result_schema import result_table

_CARRIED = Column("note", ColumnKind.TEXT, "Carried along")
_SERVERS = {"MySQL 8": (False, (8, 4)), "MySQL 5.7": (False, (5, 7)), "MariaDB": (True, (10, 11))}


def _server(name: str) -> sa.Dialect:
    dialect = mysql.dialect()
    dialect.is_mariadb, dialect.server_version_info = _SERVERS[name]
    return dialect


def _types(dialect: sa.Dialect, mode: str = "upsert") -> dict[str, str]:
    table = result_table("permits", [*COLUMNS, _CARRIED], mode=mode)
    return {column.name: column.type.compile(dialect) for column in table.columns}


@pytest.mark.parametrize(
    ("server", "types"),
    [
        (
            "MySQL 8",
            {"image_key": "VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
             "card_side": "VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
             "name": "TEXT CHARACTER SET utf8mb4", "note": "LONGTEXT CHARACTER SET utf8mb4",
             "profile": "LONGTEXT CHARACTER SET utf8mb4", "birthday": "DATE", "tries": "BIGINT",
             "warn_photocopy": "BOOL", "processed_at": "DATETIME(6)"},
        ),
        ("MySQL 5.7", {"image_key": "VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"}),
        ("MariaDB", {"image_key": "VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"}),
    ],
)  # fmt: skip
def test_every_column_has_a_type_that_holds_it_on_each_server_of_mysql(
    server: str, types: dict[str, str]
) -> None:
    made = _types(_server(server))
    assert {name: made[name] for name in types} == types


@pytest.mark.parametrize(
    ("database", "types"),
    [
        ("psycopg", {"name": "TEXT", "note": "TEXT", "processed_at": "TIMESTAMP WITH TIME ZONE"}),
        ("sqlite", {"name": "TEXT", "note": "TEXT", "birthday": "DATE"}),
        ("duckdb", {"name": "TEXT", "note": "TEXT", "processed_at": "TIMESTAMP WITH TIME ZONE"}),
    ],
    indirect=["database"],
)
def test_every_column_has_a_type_that_holds_it(database: sa.Engine, types: dict[str, str]) -> None:
    made = _types(database.dialect)
    assert {name: made[name] for name in types} == types


@pytest.mark.parametrize("server", _SERVERS)
def test_comments_stand_in_the_statement_where_the_dialect_has_them_there(server: str) -> None:
    statement = str(sa.schema.CreateTable(result_table("permits")).compile(dialect=_server(server)))
    assert "one row per image and side" in statement
    assert all(column.comment[:20].replace("'", "''") in statement for column in COLUMNS)


@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_key_fits_into_an_index_of_mysql(mode: str) -> None:
    table = result_table("permits", mode=mode)
    key = [column.type.dialect_impl(_server("MySQL 8")) for column in table.primary_key]
    impls = [getattr(each, "impl_instance", each) for each in key]
    assert sum(4 * (getattr(impl, "length", None) or 5) for impl in impls) < 3072
