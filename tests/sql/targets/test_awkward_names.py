"""Copied columns whose names are hard to write in SQL: they are paid for, so they have to be writable."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.delivery.frame import to_frame
from airflow_provider_permitocr.options.targets.result_table import ResultTable, WriteMode
from airflow_provider_permitocr.permit.columns import Column, ColumnKind, result_columns
from airflow_provider_permitocr.sql.targets.result_schema import result_table
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from tests.support.databases import EVERY_DRIVER, named_database

NAMES = [
    *("50%", "%", "a%sb", "a%%b", "a:b", ":a", "a?b", 'a"b', "a'b", "a`b", "a b", "(a)", "a.b", "a\\b"),
    *("通行证", "a;b--", "é" * 31),
]


@pytest.fixture(params=EVERY_DRIVER)
def database(request: pytest.FixtureRequest) -> sa.Engine:
    """An empty database; the test runs on PostgreSQL through both drivers, SQLite, MariaDB and DuckDB."""
    return named_database(request)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", list(WriteMode))
def test_a_copied_column_of_an_awkward_name_is_written(
    database: sa.Engine, name: str, mode: WriteMode
) -> None:
    columns = result_columns([Column(name, ColumnKind.TEXT, f"From the image list, its column {name}")])
    for version in (1, 2):
        target = SqlResultTarget(database, ResultTable("permits", conn_id="warehouse", mode=mode))
        target.prepare(columns)
        rows: list[dict[str, Any]] = [
            {
                "image_key": key,
                "card_side": "FRONT",
                "status": "recognized",
                "processed_at": datetime(2026, 1, 31, version, tzinfo=UTC),
                "version": version,
                "run_id": f"run-{version}",
                name: f"branch {version} % of {key}",
            }
            for key in "abc"
        ]
        target.write(to_frame(rows, columns))
    table = result_table("permits", columns)
    with database.connect() as connection:
        read = connection.execute(sa.select(table.c.image_key, table.c[name], table.c.version)).all()
    last = {(key, f"branch 2 % of {key}", 2) for key in "abc"}
    first = {(key, f"branch 1 % of {key}", 1) for key in "abc"}
    assert {tuple(row) for row in read} == (last if mode is WriteMode.UPSERT else last | first)
