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


@pytest.mark.parametrize("mode", list(WriteMode))
def test_copied_columns_of_awkward_names_are_written(database: sa.Engine, mode: WriteMode) -> None:
    columns = result_columns(
        [Column(name, ColumnKind.TEXT, f"From the image list, its column {name}") for name in NAMES]
    )
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
                **{name: _value(version, name, key) for name in NAMES},
            }
            for key in "abc"
        ]
        target.write(to_frame(rows, columns))
    table = result_table("permits", columns)
    with database.connect() as connection:
        copied = [table.c[name] for name in NAMES]
        read = connection.execute(sa.select(table.c.image_key, table.c.version, *copied)).all()
    versions = (2,) if mode is WriteMode.UPSERT else (1, 2)
    assert {tuple(row) for row in read} == {
        (key, version, *(_value(version, name, key) for name in NAMES))
        for key in "abc"
        for version in versions
    }


def _value(version: int, name: str, key: str) -> str:
    return f"branch {version} % of {key} in {name}"
