"""Two spellings of one result table are one target."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.sql.ledger.lists.resolved import resolved_name
from tests.sql.ledger.ground import EACH_LEDGER, execute


def name_of(engine: sa.Engine, table: str) -> str:
    return resolved_name(engine, ResultTable(table, conn_id="lake"))


@EACH_LEDGER
def test_a_name_without_a_schema_is_that_in_the_connections_own(database: sa.Engine) -> None:
    own = {"postgresql": "public", "sqlite": "main"}.get(database.dialect.name, database.url.database)
    assert name_of(database, "permits") == name_of(database, f"{own}.permits") == f"lake:{own}.permits"


@EACH_LEDGER
def test_another_schema_and_another_table_are_other_targets(database: sa.Engine) -> None:
    assert name_of(database, "mart.permits") == "lake:mart.permits"
    assert len({name_of(database, each) for each in ("permits", "mart.permits", "permits_2")}) == 3


@EACH_LEDGER
def test_case_is_folded_where_the_database_folds_it(database: sa.Engine) -> None:
    folds = database.dialect.name == "sqlite"  # MariaDB on Linux tells them apart
    assert (name_of(database, "Permits") == name_of(database, "permits")) is folds


@pytest.mark.parametrize("database", ["psycopg"], indirect=True)
def test_a_table_is_found_along_the_search_path(database: sa.Engine) -> None:
    execute(database, "CREATE SCHEMA mart", "CREATE TABLE mart.permits (a int)", "CREATE SCHEMA new")
    elsewhere = sa.create_engine(
        database.url, connect_args={"options": "-csearch_path=new,mart"}, poolclass=sa.NullPool
    )
    assert name_of(elsewhere, "permits") == "lake:mart.permits"
    assert name_of(elsewhere, "others") == "lake:new.others"


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb"])
def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, dialect: str) -> None:
    engine = sa.create_engine(f"{dialect}:///{tmp_path / 'lake.db'}")
    assert name_of(engine, "Permits") == "lake:main.permits"
    assert not (tmp_path / "lake.db").exists()


def test_duckdb_resolves_likewise(tmp_path: Path) -> None:
    engine = sa.create_engine(f"duckdb:///{tmp_path / 'lake.db'}")
    engine.connect().close()
    assert name_of(engine, "PERMITS") == name_of(engine, "main.permits") == "lake:main.permits"
