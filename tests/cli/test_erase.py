"""``airflow permitocr erase`` through Airflow's own parser, with real DAG files and tables."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.sql.ledger.tables.preparation import prepare_tables

WriteDag = Callable[..., None]
Command = Callable[..., tuple[int, str]]
Statuses = Callable[[], dict[str, str]]

TASK = "MainlandPermitOcrOperator(task_id='a', **TABLES)"


@pytest.fixture
def statuses(lake: sa.Engine) -> Statuses:
    """A ledger in the ``lake`` with two recognized images, one a year old; returns what is in force."""
    tables = prepare_tables(lake, Ledger("permit_ocr", conn_id="lake"), "UTC")
    listed = {
        **{"list_id": 1, "name": "lake:permits", "source_conn_id": "lake", "source_table": "permit_images"},
        **{"key_column": "image_id", "key_type": "text"},
    }
    with lake.begin() as connection:
        connection.execute(sa.insert(tables.lists), [listed])
        for key, days in (("a", 1), ("b", 400)):
            at = datetime.now(UTC) - timedelta(days=days)
            image = {
                **{"list_id": 1, "image_key": key, "card_side": "FRONT", "status": "recognized"},
                **{"answer_id": key * 32, "answer_order": 1, "tries": 1, "attempt_status": "recognized"},
                **{"attempted_at": at, "processed_at": at, "version": 2, "first_version": 2},
            }
            connection.execute(sa.insert(tables.images), [image])
            answer = {"call_id": key * 32, "form": 1, "answer": '{"Number": "H1"}'}
            connection.execute(sa.insert(tables.answers), [answer])
        connection.execute(sa.update(tables.state).values(version=2))

    def read() -> dict[str, str]:
        with lake.connect() as connection:
            rows = connection.execute(sa.select(tables.images.c.image_key, tables.images.c.status))
            return {row.image_key: row.status for row in rows}

    return read


def test_it_shows_what_it_would_erase_and_erases_with_yes(
    command: Command, write_dag: WriteDag, statuses: Statuses, lake: sa.Engine
) -> None:
    write_dag(TASK)
    status, said = command("erase", "permits", "--key", "a", "--key", "unknown")
    assert status == 0
    assert "permits.a: 1 image, 1 answer; the ledger does not know 1 of the keys; 1 table and 0 files" in said
    assert "Nothing was changed: add --yes to erase" in said
    assert statuses() == {"a": "recognized", "b": "recognized"}
    status, said = command("erase", "permits", "a", "--key", "a", "--yes")
    assert status == 0
    assert "permits.a: erased 1 image, 1 answer; 2 rows and 0 files written" in said
    assert "Not reached:" in said
    assert statuses() == {"a": "erased", "b": "recognized"}
    with lake.connect() as connection:
        by = connection.execute(sa.text("SELECT erased_by FROM permit_ocr_erasures")).scalars().all()
        rows = connection.execute(sa.text("SELECT image_key, number FROM permits ORDER BY 1")).all()
    assert by == [getpass.getuser()]
    assert [tuple(row) for row in rows] == [("a", None), ("b", "H1")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_keys_are_read_from_a_file(
    command: Command, write_dag: WriteDag, statuses: Statuses, tmp_path: Path, encoding: str
) -> None:
    write_dag(TASK)
    keys = tmp_path / "keys.txt"
    keys.write_text("a\n\nb\n", encoding=encoding)
    assert command("erase", "permits", "--keys-from", str(keys), "--yes")[0] == 0
    assert statuses() == {"a": "erased", "b": "erased"}


def test_images_are_erased_by_age(command: Command, write_dag: WriteDag, statuses: Statuses) -> None:
    write_dag(TASK)
    assert command("erase", "permits", "--older-than-days", "365", "--yes")[0] == 0
    assert statuses() == {"a": "recognized", "b": "erased"}


def test_a_policy_is_the_one_that_the_task_has(
    command: Command, write_dag: WriteDag, statuses: Statuses, lake: sa.Engine
) -> None:
    write_dag("MainlandPermitOcrOperator(task_id='a', privacy='analytics', **TABLES)")
    assert command("erase", "permits", "--policy", "--yes")[0] == 0
    assert statuses() == {"a": "recognized", "b": "recognized"}
    with lake.connect() as connection:
        answers = connection.execute(sa.text("SELECT answer FROM permit_ocr_answers")).scalars().all()
    assert "H1" not in "".join(answers)


def test_without_a_policy_there_is_none_to_apply(
    command: Command, write_dag: WriteDag, statuses: Statuses
) -> None:
    write_dag(TASK)
    status, said = command("erase", "permits", "--policy", "--yes")
    assert (status, statuses()["a"]) == (1, "recognized")
    assert "the task has no privacy policy" in said


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--key", "a", "--policy"),
        ("--keys-from", "/no/such/file"),
        ("--older-than-days", "0"),
        ("--older-than-days", "9" * 11),
    ],
)
def test_what_is_not_one_rule_ends_with_status_2(
    command: Command, write_dag: WriteDag, arguments: tuple[str, ...]
) -> None:
    write_dag(TASK)
    assert command("erase", "permits", *arguments)[0] == 2


def test_a_list_that_the_ledger_does_not_know_ends_with_status_1(
    command: Command, write_dag: WriteDag, lake: sa.Engine
) -> None:
    write_dag(TASK)
    status, said = command("erase", "permits", "--key", "a")
    assert status == 1
    assert "the ledger does not know the list" in said
