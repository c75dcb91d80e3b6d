"""``airflow permitocr prune`` through Airflow's own parser, with real DAG files and a real database."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.sql.ledger.tables.preparation import prepare_tables

WriteDag = Callable[..., None]
Command = Callable[..., tuple[int, str]]

TASK = "MainlandPermitOcrOperator(task_id='a', **TABLES)"
OLD, YOUNG = "1" * 32, "2" * 32


@pytest.fixture
def remembering(lake: sa.Engine) -> Callable[[], set[str]]:
    """A ledger in the ``lake`` with a call of 100 days ago and one of today; returns those that are there."""
    calls = prepare_tables(lake, Ledger("permit_ocr", conn_id="lake"), "UTC").calls
    with lake.begin() as connection:
        for call_id, days in ((OLD, 100), (YOUNG, 0)):
            at = datetime.now(UTC) - timedelta(days=days)
            row = {
                **{"call_id": call_id, "list_id": 1, "image_key": "a", "card_side": "FRONT"},
                **{"account": "100", "dag_id": "d", "task_id": "t", "run_id": "r", "map_index": -1},
                **{"task_try": 1, "session_id": "s", "intended_at": at, "held_until": at, "place": 1},
                "code": "OK",
            }
            connection.execute(sa.insert(calls), [row])

    def there() -> set[str]:
        with lake.connect() as connection:
            return set(connection.execute(sa.select(calls.c.call_id)).scalars())

    return there


def test_old_rows_are_deleted_and_counted(
    command: Command, write_dag: WriteDag, remembering: Callable[[], set[str]]
) -> None:
    write_dag(TASK)
    assert command("prune", "permits", "--older-than", "90", "--yes") == (
        0,
        "permit_ocr on lake: 1 call, 0 answers, 0 runs, 0 counters and 0 reviews deleted\n",
    )
    assert remembering() == {YOUNG}


@pytest.mark.parametrize(
    ("answer", "status", "left"), [("y\n", 0, {YOUNG}), ("n\n", 1, {OLD, YOUNG}), ("", 1, {OLD, YOUNG})]
)
def test_it_asks_before_it_deletes(
    command: Command,
    write_dag: WriteDag,
    remembering: Callable[[], set[str]],
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    status: int,
    left: set[str],
) -> None:
    write_dag(TASK)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    ended, said = command("prune", "permits", "a", "--older-than", "90")
    assert (ended, remembering()) == (status, left)
    assert "older than 90 days from the ledger permit_ocr on lake? [y/N]" in said


@pytest.mark.usefixtures("remembering")
def test_a_ledger_that_tasks_share_is_pruned_once(command: Command, write_dag: WriteDag) -> None:
    write_dag(TASK, "MainlandPermitOcrOperator(task_id='b', **TABLES, shard='1/2')")
    assert command("prune", "permits", "--older-than", "90", "--yes")[1].count("deleted") == 1


def test_a_ledger_that_is_not_there_is_not_created(
    command: Command, write_dag: WriteDag, lake: sa.Engine
) -> None:
    write_dag(TASK)
    status, said = command("prune", "permits", "--older-than", "90", "--yes")
    assert (status, said) == (0, "permit_ocr on lake does not exist yet: nothing to delete\n")
    assert sa.inspect(lake).get_table_names() == ["permit_images"]


def test_a_ledger_that_cannot_be_reached_ends_with_status_1(command: Command, write_dag: WriteDag) -> None:
    write_dag("MainlandPermitOcrOperator(task_id='a', **TABLES, ledger=Ledger('ocr', conn_id='nowhere'))")
    status, said = command("prune", "permits", "--older-than", "90", "--yes")
    assert status == 1
    assert "ocr on nowhere: there is no connection 'nowhere'" in said


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "many", "36501", "9" * 11, "9" * 5_000, None])
def test_days_that_are_none_end_with_status_2(
    command: Command, write_dag: WriteDag, days: str | None
) -> None:
    write_dag(TASK)
    status, said = command("prune", "permits", *(["--older-than", days] if days else []))
    assert status == 2
    assert "--older-than" in said
