"""``airflow permitocr adopt`` through Airflow's own parser, with real DAG files and a real database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables
from airflow_provider_permitocr.sql.targets.result_schema import result_table

WriteDag = Callable[..., None]
Command = Callable[..., tuple[int, str]]

TASK = "MainlandPermitOcrOperator(task_id='a', **TABLES)"
TABLES = ledger_tables("permit_ocr")


def rows_of(engine: sa.Engine, table: sa.Table) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(table)))


@pytest.fixture
def filled(lake: sa.Engine) -> sa.Engine:
    """The ``lake`` with a result table of two rows that no ledger knows of."""
    table = result_table("permits")
    empty = dict.fromkeys(column.name for column in COLUMNS)
    row = {"card_side": "FRONT", "tries": 1, "processed_at": datetime(2026, 5, 1, tzinfo=UTC)}
    with lake.begin() as connection:
        table.create(connection)
        for key, status in (("a", "recognized"), ("b", "failed")):
            connection.execute(sa.insert(table), [empty | row | {"image_key": key, "status": status}])
    return lake


def test_rows_of_a_table_are_taken_over_and_counted(
    command: Command, write_dag: WriteDag, filled: sa.Engine
) -> None:
    write_dag(TASK)
    status, said = command("adopt", "permits", "a")
    assert (status, said) == (
        0,
        "permits.a: the list is 'lake:permits'; 2 images taken over from permits; 1 of them with their"
        " answer; 0 known before\n",
    )
    assert sorted(row.image_key for row in rows_of(filled, TABLES.images)) == ["a", "b"]
    (delivery,) = rows_of(filled, TABLES.deliveries)
    (state,) = rows_of(filled, TABLES.state)
    assert 0 < delivery.version <= state.version
    assert "0 images taken over" in command("adopt", "permits")[1]


@pytest.mark.usefixtures("filled")
def test_a_renamed_table_keeps_its_list(command: Command, write_dag: WriteDag, lake: sa.Engine) -> None:
    write_dag(TASK)
    command("adopt", "permits")
    with lake.begin() as connection:
        connection.execute(sa.text("ALTER TABLE permits RENAME TO permits_2"))
    write_dag(
        "MainlandPermitOcrOperator(task_id='a', source=LIST, target=ResultTable('permits_2', conn_id='lake'))"
    )

    status, said = command("adopt", "permits")

    assert status == 0
    assert "the list is 'lake:permits_2'; was 'lake:permits' so far; 0 images taken over" in said
    assert [row.name for row in rows_of(lake, TABLES.lists)] == ["lake:permits_2"]


@pytest.mark.usefixtures("filled")
def test_shards_of_one_list_are_taken_over_once(command: Command, write_dag: WriteDag) -> None:
    write_dag("MainlandPermitOcrOperator.partial(task_id='a', **TABLES).expand(shard=shards(4))")
    status, said = command("adopt", "permits")
    assert (status, said.count("permits.a: the list is")) == (0, 1)


def test_a_ledger_of_another_connection_takes_them_over(
    command: Command, write_dag: WriteDag, filled: sa.Engine, warehouse: sa.Engine
) -> None:
    write_dag("MainlandPermitOcrOperator(task_id='a', **TABLES, ledger=Ledger('ocr', conn_id='warehouse'))")
    status, said = command("adopt", "permits")
    assert status == 0, said
    assert len(rows_of(warehouse, ledger_tables("ocr").images)) == 2
    assert sa.inspect(filled).get_table_names() == ["permit_images", "permits"]


def test_what_stands_in_the_way_is_said_and_the_other_tasks_go_on(
    command: Command, write_dag: WriteDag, lake: sa.Engine
) -> None:
    with lake.begin() as connection:
        connection.execute(sa.text("CREATE TABLE other (day date)"))
    write_dag(
        TASK,
        "MainlandPermitOcrOperator(task_id='b', source=LIST, target=ResultTable('other', conn_id='lake'),"
        " list='other')",
        "MainlandPermitOcrOperator(task_id='c', source=LIST, target=ResultTable('x', conn_id='nowhere'))",
    )
    status, said = command("adopt", "permits")
    assert status == 1
    assert "permits.a: the list is 'lake:permits'" in said
    assert "permits.b: the table 'other' holds no results to take over: it lacks image_key" in said
    assert "permits.c: there is no connection 'nowhere'" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["permit"], "There is no DAG 'permit'; did you mean permits?"),
        (["permits", "b"], "There is no MainlandPermitOcrOperator task 'b'"),
        ([], "dag_id"),
    ],
)
def test_a_wrong_call_ends_with_status_2(
    command: Command, write_dag: WriteDag, words: list[str], message: str
) -> None:
    write_dag(TASK)
    status, said = command("adopt", *words)
    assert status == 2
    assert message in said
