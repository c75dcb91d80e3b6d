from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.core.columns import COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.sql.result_schema import result_table

_CARRIED = Column("note", ColumnKind.TEXT, "Carried along")


def _dialect(name: str) -> sa.Dialect:
    server = mysql.dialect()
    server.is_mariadb = name == "mysql to MariaDB"
    server.server_version_info = (5, 7) if name == "mysql 5.7" else (8, 4)
    return server


def _types(dialect: sa.Dialect, mode: str = "upsert") -> dict[str, str]:
    table = result_table("permits", [*COLUMNS, _CARRIED], mode=mode)
    return {column.name: column.type.compile(dialect) for column in table.columns}


@pytest.mark.parametrize(
    ("dialect", "types"),
    [
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


def test_comments_stand_in_the_statement_where_the_dialect_has_them_there() -> None:
    statement = str(sa.schema.CreateTable(result_table("permits")).compile(dialect=_dialect("mysql")))
    assert "one row per image and side" in statement
    assert all(column.comment[:20] in statement for column in COLUMNS)


@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_key_fits_into_an_index_of_mysql(mode: str) -> None:
    table = result_table("permits", mode=mode)
    key = [column.type.dialect_impl(_dialect("mysql")) for column in table.primary_key]
    impls = [getattr(each, "impl_instance", each) for each in key]
    assert sum(4 * (getattr(impl, "length", None) or 5) for impl in impls) < 3072
