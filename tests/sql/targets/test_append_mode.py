from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.delivery.delivery import Deliverer
from airflow_provider_permitocr.engine.ledger.calls import (
    Attempt,
    CallIntent,
    ClosedCall,
    RunIdentity,
    new_call_id,
)
from airflow_provider_permitocr.engine.run.window import Window
from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.answers import KeptAnswer
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.lists.lists import ListIdentity
from airflow_provider_permitocr.sql.ledger.sql_ledger import LedgerRun, SqlLedger
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget

FrameOf = Callable[..., pd.DataFrame]


def _at(hour: int) -> datetime:
    return datetime(2026, 1, 31, hour, 30, 15, 123456, tzinfo=UTC)


def _target(engine: sa.Engine) -> SqlResultTarget:
    target = SqlResultTarget(engine, ResultTable("permits", conn_id="warehouse", mode="append"))
    target.prepare()
    return target


def _runs(engine: sa.Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(sa.text("SELECT run_id FROM permits ORDER BY run_id")).scalars())


@pytest.mark.slow
def test_every_recognition_is_kept_with_its_run(database: sa.Engine, frame_of: FrameOf) -> None:
    target = _target(database)
    for hour in (1, 2, 3):
        target.write(frame_of("a", run_id=f"run-{hour}", processed_at=_at(hour)))
    assert _runs(database) == ["run-1", "run-2", "run-3"]


@pytest.mark.slow
def test_batch_that_is_written_again_doubles_nothing(database: sa.Engine, frame_of: FrameOf) -> None:
    frame = frame_of("a", "b", run_id="run-1", processed_at=_at(1))
    _target(database).write(frame)
    _target(database).write(frame)
    assert _runs(database) == ["run-1", "run-1"]


@pytest.mark.slow
def test_attempt_on_the_same_recognition_adds_no_row(database: sa.Engine, frame_of: FrameOf) -> None:
    target = _target(database)
    target.write(frame_of("a", version=1, processed_at=_at(1)))
    target.write(frame_of("a", version=2, processed_at=_at(1), attempt_status="retry"))
    target.write(frame_of("a", version=1, processed_at=_at(1)))
    with database.connect() as connection:
        found = connection.execute(sa.text("SELECT attempt_status, version FROM permits")).all()
    assert found == [("retry", 2)]


def test_key_is_image_side_and_time(database: sa.Engine) -> None:
    _target(database)
    with database.connect() as connection:
        assert database_of(connection).unique_keys(connection, "permits") == {
            frozenset({"image_key", "card_side", "processed_at"})
        }
        needed = [
            each.name
            for each in database_of(connection).columns(connection, "permits") or ()
            if not each.is_filled
        ]
    assert needed == ["image_key", "card_side", "status", "processed_at"]


@pytest.fixture
def ledger(tmp_path: Path, new_engine: Callable[..., sa.Engine]) -> SqlLedger:
    """A ledger in a database of its own, of a list that is delivered to ``permits``."""
    run = LedgerRun(
        ListIdentity("permits", False, "lake", "images", "image_id", None, ("warehouse:permits",)),
        "100",
        RunIdentity("dag", "task", "run-1"),
        Window(),
        Budget(),
    )
    engine = new_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    made = SqlLedger(engine, Ledger("permit_ocr", conn_id="ledger"), run)
    made.prepare("text")
    return made


def _deliver(ledger: SqlLedger, engine: sa.Engine, *, is_rebuilt: bool = False) -> int:
    """Deliver all that the table lacks; return how many rows were written."""
    target = SqlResultTarget(engine, ResultTable("permits", conn_id="warehouse", mode="append"))
    delivery = ledger.delivery("warehouse:permits", keeps_history=target.keeps_history)
    deliverer = Deliverer(delivery, target, Batch(rows=2), is_rebuilt=is_rebuilt)
    deliverer.prepare(COLUMNS)
    try:
        deliverer.finish()
        while not deliverer.is_finished(0):
            pass
    finally:
        deliverer.close()
    return deliverer.delivered


def _recognize(ledger: SqlLedger, key: str, number: str) -> None:
    intent = CallIntent(new_call_id(), (key, CardSide.FRONT), updated_at=datetime.now(UTC))
    assert ledger.exchange([intent], [], []).grants == ("granted",)
    attempt = Attempt(intent.row_key, Status.RECOGNIZED, is_verdict=True, updated_at=intent.updated_at)
    answer = KeptAnswer({"Number": number})
    ledger.exchange([], [ClosedCall(intent.call_id, "OK", True, "request-1", answer, attempt)], [])


def _numbers(engine: sa.Engine) -> list[Any]:
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT image_key, number, status FROM permits ORDER BY version"))
        return [tuple(row) for row in rows]


@pytest.mark.slow
def test_recognitions_while_the_table_is_away_are_rows_of_their_own(
    database: sa.Engine, ledger: SqlLedger
) -> None:
    _recognize(ledger, "a", "A1")
    assert _deliver(ledger, database) == 1
    for number in ("A2", "A3"):
        _recognize(ledger, "a", number)
        _recognize(ledger, "b", number.replace("A", "B"))
    rejected = Attempt(("c", CardSide.FRONT), Status.REJECTED, error_code="ImageTooLarge")
    ledger.exchange([], [], [rejected])
    assert _deliver(ledger, database) == 5
    everything = [
        ("a", "A1", "recognized"),
        *(("a", "A2", "recognized"), ("b", "B2", "recognized")),
        *(("a", "A3", "recognized"), ("b", "B3", "recognized")),
        ("c", None, "rejected"),
    ]
    assert _numbers(database) == everything
    assert _deliver(ledger, database) == 0


@pytest.mark.slow
@pytest.mark.parametrize("how", ["rebuilt", "emptied", "dropped", "an attempt"])
def test_a_history_that_is_delivered_again_has_the_same_rows(
    database: sa.Engine, ledger: SqlLedger, how: str
) -> None:
    for number in ("A1", "A2", "A3"):
        _recognize(ledger, "a", number)
    _deliver(ledger, database)
    before = _numbers(database)
    with database.begin() as connection:
        if how in ("emptied", "dropped"):
            connection.execute(sa.text({"emptied": "DELETE FROM", "dropped": "DROP TABLE"}[how] + " permits"))
    if how == "an attempt":
        tried = Attempt(("a", CardSide.FRONT), Status.RETRY, error_code="ImageNotFound", counts=False)
        ledger.exchange([], [], [tried])
    written = _deliver(ledger, database, is_rebuilt=how == "rebuilt")
    assert (written, _numbers(database)) == (1 if how == "an attempt" else 3, before)


def test_rows_of_an_erased_image_go_that_are_older_than_its_erasure(
    database: sa.Engine, frame_of: FrameOf
) -> None:
    target = _target(database)
    for hour in (1, 2, 3):
        target.write(frame_of("a", "b", run_id=f"run-{hour}", processed_at=_at(hour), version=hour))
    back = frame_of("a", run_id="back", processed_at=_at(1), version=1, card_side="BACK")
    target.write(back)
    for _ in range(2):
        target.forget({("a", CardSide.FRONT): 3, ("unknown", CardSide.FRONT): 3})
    assert _runs(database) == ["back", "run-1", "run-2", "run-3", "run-3"]


def test_the_right_to_delete_is_named_where_it_is_missing(
    postgres_engine: sa.Engine, new_engine: Callable[..., sa.Engine], frame_of: FrameOf
) -> None:
    _target(postgres_engine).write(frame_of("a", processed_at=_at(1), version=1))
    with postgres_engine.begin() as connection:
        for statement in (
            "DROP ROLE IF EXISTS keeper",
            "CREATE ROLE keeper LOGIN PASSWORD 'keeper'",
            "GRANT USAGE ON SCHEMA public TO keeper",
            "GRANT SELECT, INSERT, UPDATE ON permits TO keeper",
        ):
            connection.exec_driver_sql(statement)
    try:
        target = _target(new_engine(postgres_engine.url.set(username="keeper", password="keeper")))
        with pytest.raises(TargetError, match="has no right to delete rows of the result table 'permits'"):
            target.forget({("a", CardSide.FRONT): 2})
    finally:
        with postgres_engine.begin() as connection:
            connection.exec_driver_sql("DROP OWNED BY keeper")
            connection.exec_driver_sql("DROP ROLE keeper")
