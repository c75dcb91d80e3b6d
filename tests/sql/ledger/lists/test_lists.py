"""Which image lists a ledger takes for which, and which it refuses before the first call."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.sql.ledger.exchange.statements import lock
from airflow_provider_permitocr.sql.ledger.lists.lists import ListIdentity, register_list, target_name
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables
from tests.sql.ledger.ground import EACH_LEDGER, TARGET, identity, prepared, rows_of

RENAMED = {"name": "lake:permits_2", "targets": ("lake:permits_2",)}


def register(engine: sa.Engine, tables: LedgerTables, described: ListIdentity) -> int:
    with engine.begin() as connection:
        lock(connection, tables)
        return register_list(connection, tables, described)


def refusal(engine: sa.Engine, tables: LedgerTables, **special: Any) -> str:
    before = rows_of(engine, tables.lists), rows_of(engine, tables.deliveries)
    with pytest.raises(TargetError) as raised:
        register(engine, tables, identity(**special))
    assert (rows_of(engine, tables.lists), rows_of(engine, tables.deliveries)) == before
    return str(raised.value)


@EACH_LEDGER
def test_a_list_is_written_down_once_with_its_target(database: sa.Engine) -> None:
    tables = prepared(database)
    assert register(database, tables, identity()) == register(database, tables, identity()) == 1
    (known,) = rows_of(database, tables.lists)
    assert (known.name, known.source_conn_id, known.source_table, known.key_column, known.key_type) == (
        *(TARGET, "lake"),
        *("permit_images", "image_id", "text"),
    )
    assert known.created_at is not None
    (delivery,) = rows_of(database, tables.deliveries)
    assert (delivery.list_id, delivery.target, delivery.delivery_id) == (1, TARGET, 1)
    assert (delivery.version, delivery.row_count, delivery.session_id) == (0, None, None)


@EACH_LEDGER
def test_lists_of_other_sources_and_targets_are_counted_up(database: sa.Engine) -> None:
    tables = prepared(database)
    lists = [
        identity(),
        identity(**RENAMED, source_table="other_images"),
        identity(name="by query", is_default_name=False, source_table=None, targets=()),
        identity(name="By query", is_default_name=False, source_table=None, targets=()),
        identity(name="By query ", is_default_name=False, source_table=None, targets=()),
    ]
    assert [register(database, tables, each) for each in lists] == [1, 2, 3, 4, 5]
    assert [register(database, tables, each) for each in lists] == [1, 2, 3, 4, 5]


@EACH_LEDGER
@pytest.mark.parametrize(
    "source",
    [
        {"source_conn_id": "other"},
        {"source_table": "other_images"},
        {"source_table": None},
        {"key_column": "url"},
    ],
)
def test_a_name_known_with_another_source_is_refused(
    database: sa.Engine, source: dict[str, str | None]
) -> None:
    tables = prepared(database)
    register(database, tables, identity())
    said = refusal(database, tables, **source)
    assert f"the list {TARGET!r} with another source: table 'permit_images' of connection 'lake'" in said
    for way_out in ("list=", "airflow permitocr adopt DAG TASK", "correct the DAG"):
        assert way_out in said


@EACH_LEDGER
def test_keys_of_another_type_are_refused(database: sa.Engine) -> None:
    tables = prepared(database)
    register(database, tables, identity(key_type="integer"))
    said = refusal(database, tables, key_type="text")
    assert "were of type integer so far, and are of type text now" in said
    for way_out in ("list=", "airflow permitocr adopt DAG TASK", "Correct the list"):
        assert way_out in said


@EACH_LEDGER
def test_the_type_of_keys_is_noted_once_there_are_some(database: sa.Engine) -> None:
    tables = prepared(database)
    for key_type in (None, "integer", None):
        register(database, tables, identity(key_type=key_type))
    (known,) = rows_of(database, tables.lists)
    assert known.key_type == "integer"


@EACH_LEDGER
def test_a_default_name_that_is_new_for_a_known_source_is_refused(database: sa.Engine) -> None:
    tables = prepared(database)
    register(database, tables, identity())
    said = refusal(database, tables, **RENAMED)
    assert f"as {TARGET!r} already" in said
    for way_out in (f"list={TARGET!r}", "airflow permitocr adopt DAG TASK", "another list="):
        assert way_out in said


@EACH_LEDGER
def test_with_the_known_name_the_list_goes_on_into_the_new_table(database: sa.Engine) -> None:
    tables = prepared(database)
    register(database, tables, identity())
    moved = identity(is_default_name=False, targets=RENAMED["targets"])
    assert register(database, tables, moved) == 1
    assert [(row.target, row.version) for row in rows_of(database, tables.deliveries)] == [
        (TARGET, 0),
        ("lake:permits_2", 0),
    ]


@EACH_LEDGER
def test_an_explicit_name_starts_a_second_list_of_the_same_source(database: sa.Engine) -> None:
    tables = prepared(database)
    register(database, tables, identity())
    second = identity(name="second", is_default_name=False, targets=RENAMED["targets"])
    assert register(database, tables, second) == 2


@EACH_LEDGER
def test_a_query_has_no_source_to_know_it_by(database: sa.Engine) -> None:
    tables = prepared(database)
    register(database, tables, identity(source_table=None))
    assert register(database, tables, identity(**RENAMED, source_table=None)) == 2


@EACH_LEDGER
@pytest.mark.parametrize("is_default_name", [True, False])
def test_a_second_list_into_one_table_is_refused(database: sa.Engine, is_default_name: bool) -> None:
    tables = prepared(database)
    register(database, tables, identity(name="first", is_default_name=False))
    said = refusal(
        database, tables, name="second", is_default_name=is_default_name, source_table="other_images"
    )
    assert f"the result table {TARGET!r} gets the list 'first' already" in said
    for way_out in ("list='first'", "airflow permitocr adopt DAG TASK", "correct the DAG"):
        assert way_out in said


@EACH_LEDGER
def test_a_known_list_is_not_let_into_the_table_of_another(database: sa.Engine) -> None:
    tables = prepared(database)
    register(database, tables, identity())
    register(database, tables, identity(**RENAMED, source_table="other_images"))
    said = refusal(database, tables, is_default_name=False, targets=RENAMED["targets"])
    assert "gets the list 'lake:permits_2' already" in said


@pytest.mark.parametrize(
    "special", [{"name": "n" * 251}, {"targets": ("t" * 251,)}, {"key_column": "k" * 251}]
)
def test_what_the_ledger_cannot_hold_is_refused(sqlite_engine: sa.Engine, special: dict[str, Any]) -> None:
    tables = prepared(sqlite_engine)
    assert "is longer than 250 characters" in refusal(sqlite_engine, tables, **special)


def test_a_target_is_named_by_connection_schema_and_table() -> None:
    assert target_name(ResultTable("mart.permits", conn_id="lake")) == "lake:mart.permits"
