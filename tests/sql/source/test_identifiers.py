from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.delivery.ports import Held
from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.lists.image_list import ImageTable
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from airflow_provider_permitocr.sql.targets.result_schema import result_table
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget

FrameOf = Callable[..., pd.DataFrame]
Fill = Callable[..., sa.Table]
Read = Callable[..., list[ImageRow]]

#: What all the databases take as a name, between quotes; a dot separates schema and table here. MariaDB takes
#: neither a blank at the end nor what UTF-16 has no single unit for, and SQLAlchemy reads its columns line by
#: line.
_NAMES = st.text(
    st.characters(exclude_characters="\x00.\r\n", exclude_categories=["Cs"], max_codepoint=0xFFFF),
    min_size=1,
    max_size=12,
).filter(lambda name: name == name.rstrip())
_AWKWARD = ("select", "User", "a b", 'a"b', "a'b", "a;b--", "a%b", "a%(b)", ":a", "a[b]", "表", "a`b", "\\")
#: SQLAlchemy 2.0 itself takes it for a parameter on SQLite, where 2.1 does not.
_LIKE_A_PARAMETER = "a%(b)s"

_quickly = settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
_numbers = itertools.count()


def _not_of_the_database(name: str) -> bool:
    # SQLite keeps these for itself, and takes ASCII letters of either case as the same.
    return not name.lower().startswith("sqlite_")


@pytest.mark.slow
@_quickly
@given(table=_NAMES.filter(_not_of_the_database))
def test_result_table_of_any_name_is_made_written_and_read(
    database: sa.Engine, frame_of: FrameOf, table: str
) -> None:
    _write_and_read_back(database, table, frame_of)


@pytest.mark.slow
@pytest.mark.parametrize("table", _AWKWARD)
def test_result_table_of_an_awkward_name_is_made_written_and_read(
    database: sa.Engine, frame_of: FrameOf, table: str
) -> None:
    _write_and_read_back(database, table, frame_of)


@pytest.mark.slow
@_quickly
@given(schema=_NAMES.filter(lambda name: not name.startswith("pg_")), table=_NAMES)
@example(schema="Mart; DROP", table='a"b')
@pytest.mark.parametrize("database", ["psycopg", "psycopg2", "duckdb"], indirect=True)
def test_result_table_in_a_schema_of_any_name_is_made_written_and_read(
    database: sa.Engine, frame_of: FrameOf, schema: str, table: str
) -> None:
    with database.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
    _write_and_read_back(database, f"{schema}.{table}", frame_of)


@pytest.mark.slow
@pytest.mark.parametrize("schema", ["mart", "Mart; DROP", "a`b", "表", "select", "50%"])
def test_result_table_in_another_database_of_mariadb_is_made_written_and_read(
    mariadb_engine: sa.Engine, frame_of: FrameOf, schema: str
) -> None:
    # The fixture drops what begins with its own database's name.
    database = f"{mariadb_engine.url.database} {schema}"
    with mariadb_engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(database))
    _write_and_read_back(mariadb_engine, f"{database}.permits", frame_of)


def _write_and_read_back(engine: sa.Engine, table: str, frame_of: FrameOf) -> None:
    target = SqlResultTarget(engine, ResultTable(table, conn_id="warehouse"))
    target.prepare()
    target.write(frame_of("a"))
    target.write(frame_of("a", "b", version=7))
    again = SqlResultTarget(engine, ResultTable(table, conn_id="warehouse"))
    again.prepare()
    assert again.held() == Held(2, 7)
    with engine.connect() as connection:
        keys = connection.execute(sa.select(result_table(table).c.image_key)).scalars()
        assert sorted(keys) == ["a", "b"]


@pytest.mark.slow
@_quickly
@given(names=st.lists(_NAMES, min_size=4, max_size=4))
def test_image_list_with_columns_of_any_name_is_read(
    database: sa.Engine, fill: Fill, read: Read, names: list[str]
) -> None:
    assume(len({_folded(name) for name in names}) == 4)
    _fill_and_read_back(database, fill, read, *names)


@pytest.mark.slow
@pytest.mark.parametrize("name", _AWKWARD)
def test_image_list_with_an_awkward_column_is_read(
    database: sa.Engine, fill: Fill, read: Read, name: str
) -> None:
    _fill_and_read_back(database, fill, read, name, f"{name} image", f"{name} side", f"{name} at")


@pytest.mark.slow
@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
def test_name_that_looks_like_a_parameter_of_the_driver_is_taken_as_a_name(
    database: sa.Engine, fill: Fill, read: Read, frame_of: FrameOf
) -> None:
    name = _LIKE_A_PARAMETER
    _write_and_read_back(database, name, frame_of)
    _fill_and_read_back(database, fill, read, name, f"{name} image", f"{name} side", f"{name} at")


def _folded(name: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def _fill_and_read_back(
    engine: sa.Engine, fill: Fill, read: Read, key: str, image: str, side: str, changed: str
) -> None:
    table = f"images {next(_numbers)}"
    columns = [*(sa.Column(name, sa.Text) for name in (key, image, side)), sa.Column(changed, sa.DateTime)]
    keys = [f"{number:02}" for number in range(21)]
    fill(engine, table, columns, ({key: each, image: "u", side: "BACK", changed: None} for each in keys))
    described = ImageTable(table, conn_id="lake", key=key, image=image, card_side=side, updated_at=changed)
    assert [row.image_key for row in read(engine, described)] == keys
    assert SqlImageSource(engine, replace(described, since="2026-01-31")).check() == 0


def test_table_name_longer_than_postgresql_takes_is_refused(postgres_engine: sa.Engine) -> None:
    with pytest.raises(
        TargetError, match=r"permits_p+.* has 108 bytes, and PostgreSQL truncates names after 63"
    ):
        SqlResultTarget(postgres_engine, ResultTable("permits_" + "p" * 100, conn_id="w")).prepare()
