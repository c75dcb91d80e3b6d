from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.sql import upsert
from airflow_provider_permitocr.sql.inspection import found_columns, unique_keys
from airflow_provider_permitocr.sql.result_target import SqlResultTarget
from airflow_provider_permitocr.sql.tables import ResultTable

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


def test_every_recognition_is_kept_with_its_run(database: sa.Engine, frame_of: FrameOf) -> None:
    target = _target(database)
    for hour in (1, 2, 3):
        target.write(frame_of("a", run_id=f"run-{hour}", processed_at=_at(hour)))
    assert _runs(database) == ["run-1", "run-2", "run-3"]


def test_batch_that_is_written_again_doubles_nothing(database: sa.Engine, frame_of: FrameOf) -> None:
    frame = frame_of("a", "b", run_id="run-1", processed_at=_at(1))
    _target(database).write(frame)
    _target(database).write(frame)
    assert _runs(database) == ["run-1", "run-1"]


def test_attempt_on_the_same_recognition_adds_no_row(database: sa.Engine, frame_of: FrameOf) -> None:
    target = _target(database)
    target.write(frame_of("a", version=1, processed_at=_at(1)))
    target.write(frame_of("a", version=2, processed_at=_at(1), attempt_status="retry"))
    target.write(frame_of("a", version=1, processed_at=_at(1)))
    with database.connect() as connection:
        found = connection.execute(sa.text("SELECT attempt_status, version FROM permits")).all()
    assert found == [("retry", 2)]


def test_rows_of_the_same_time_are_replaced_by_delete_and_insert_too(
    database: sa.Engine, frame_of: FrameOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(upsert._WRITERS, database.dialect.name)
    target = _target(database)
    for version, name in ((2, "李优图"), (1, "older"), (3, None)):
        target.write(frame_of("a", version=version, name=name, processed_at=_at(1)), with_answers=version < 3)
    with database.connect() as connection:
        found = connection.execute(sa.text("SELECT name, version FROM permits")).all()
    assert found == [("李优图", 3)]


def test_key_is_image_side_and_time(database: sa.Engine) -> None:
    _target(database)
    with database.connect() as connection:
        assert unique_keys(connection, "permits") == {frozenset({"image_key", "card_side", "processed_at"})}
        needed = [each.name for each in found_columns(connection, "permits") or () if not each.is_filled]
    assert needed == ["image_key", "card_side", "status", "processed_at"]
