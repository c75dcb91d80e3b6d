"""``airflow permitocr redo`` and ``rebuild`` through Airflow's own parser, with real DAG files and tables."""

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

PRICE = "Budget(price_per_call=0.02, currency='USD')"
TASK = f"MainlandPermitOcrOperator(task_id='a', budget={PRICE}, **TABLES)"
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def attempts(lake: sa.Engine) -> Callable[[], dict[str, str]]:
    """A ledger in the ``lake`` with two recognized images and one that failed; how each was last tried."""
    tables = prepare_tables(lake, Ledger("permit_ocr", conn_id="lake"), "UTC")
    listed = {
        **{"list_id": 1, "name": "lake:permits", "source_conn_id": "lake", "source_table": "permit_images"},
        **{"key_column": "image_id", "key_type": "text"},
    }
    with lake.begin() as connection:
        connection.execute(sa.insert(tables.lists), [listed])
        for key, status, code in (("a", "recognized", None), ("b", "recognized", None), ("c", "failed", "X")):
            image = {
                **{
                    "list_id": 1,
                    "image_key": key,
                    "card_side": "FRONT",
                    "status": status,
                    "error_code": code,
                },
                **{"answer_order": 1, "tries": 1, "attempt_status": status, "attempted_at": YESTERDAY},
                **{"version": 2, "first_version": 2, "processed_at": YESTERDAY},
            }
            connection.execute(sa.insert(tables.images), [image])

    def read() -> dict[str, str]:
        with lake.connect() as connection:
            rows = connection.execute(sa.select(tables.images.c.image_key, tables.images.c.attempt_status))
            return {row.image_key: row.attempt_status for row in rows}

    return read


def test_images_are_counted_with_their_price_and_marked(
    command: Command, write_dag: WriteDag, attempts: Callable[[], dict[str, str]]
) -> None:
    write_dag(TASK)
    status, said = command("redo", "permits", "--status", "recognized", "--yes")
    assert status == 0
    assert "2 images will be recognized again, one call each; 0.04 USD at 0.02 USD a call" in said
    assert "2 images marked; the next run recognizes them" in said
    assert attempts() == {"a": "redo", "b": "redo", "c": "failed"}


@pytest.mark.parametrize(("answer", "status", "marked"), [("y\n", 0, "redo"), ("n\n", 1, "failed")])
def test_it_asks_before_it_marks(
    command: Command,
    write_dag: WriteDag,
    attempts: Callable[[], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    status: int,
    marked: str,
) -> None:
    write_dag(TASK)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    told, said = command("redo", "permits", "a", "--error-code", "X", "--error-code", "Y")
    assert (told, attempts()["c"]) == (status, marked)
    assert "Recognize them again in the next run? [y/N]" in said


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ([], 2, "Say which images: --status, --error-code, --key or --before"),
        (["--key", "z"], 1, "no settled image of the list matches; nothing was marked"),
        (["--status", "recognized", "--before", "2020-01-01"], 1, "nothing was marked"),
    ],
)
def test_what_means_no_image_is_refused(
    command: Command,
    write_dag: WriteDag,
    attempts: Callable[[], dict[str, str]],
    words: list[str],
    status: int,
    says: str,
) -> None:
    write_dag(TASK)
    told, said = command("redo", "permits", *words, "--yes")
    assert (told, says in said) == (status, True)
    assert "redo" not in attempts().values()


def test_a_list_that_the_ledger_does_not_know_has_nothing_to_redo_or_rebuild(
    command: Command, write_dag: WriteDag, lake: sa.Engine
) -> None:
    write_dag(TASK)
    for words in (["redo", "permits", "--status", "failed", "--yes"], ["rebuild", "permits"]):
        status, said = command(*words)
        assert status == 1
        assert "the ledger does not know the list 'lake:permits', so it has no answers for it" in said


def test_targets_are_filled_from_what_is_kept_and_what_is_erased_is_named(
    command: Command, write_dag: WriteDag, attempts: Callable[[], dict[str, str]], lake: sa.Engine
) -> None:
    write_dag(TASK)
    status, said = command("rebuild", "permits")
    assert status == 0
    assert "permits.a: 3 images, 0 calls; 3 rows written" in said
    assert "for 2 images the answer was erased" in said
    with lake.connect() as connection:
        rows = connection.execute(sa.text("SELECT image_key, status FROM permits ORDER BY image_key")).all()
    assert [tuple(row) for row in rows] == [("a", "recognized"), ("b", "recognized"), ("c", "failed")]
