from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.core.models import Previous, Status
from airflow_provider_permitocr.sql import upsert
from airflow_provider_permitocr.sql.errors import DatabaseError
from airflow_provider_permitocr.sql.result_schema import result_table
from airflow_provider_permitocr.sql.result_target import SqlResultTarget
from airflow_provider_permitocr.sql.tables import ResultTable

FrameOf = Callable[..., pd.DataFrame]
FRONT, BACK = CardSide.FRONT, CardSide.BACK


@pytest.fixture(params=["own upsert", "delete and insert"])
def target(
    request: pytest.FixtureRequest, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> SqlResultTarget:
    """An empty result table, written in the dialect's own words and as one without an upsert is."""
    if request.param == "delete and insert":
        monkeypatch.delitem(upsert._WRITERS, database.dialect.name)
    prepared = SqlResultTarget(database, ResultTable("permits", conn_id="warehouse"))
    prepared.prepare()
    return prepared


def _rows(engine: sa.Engine) -> list[dict[str, Any]]:
    table = result_table("permits")
    with engine.connect() as connection:
        rows = connection.execute(sa.select(table).order_by(table.c.image_key, table.c.card_side))
        return [dict(row) for row in rows.mappings()]


def test_values_come_back_as_they_went_in(
    target: SqlResultTarget, database: sa.Engine, frame_of: FrameOf
) -> None:
    fields = {
        "type": "往来港澳通行证",
        "name": "李优图𠮷",
        "english_name": "O'BRIEN; DROP TABLE permits; -- %s :x",
        "birthday": date(1899, 12, 31),
        "valid_from": date(1600, 1, 1),
        "valid_until": date(9999, 12, 31),
        "number": "08320271",
        "profile": "x" * 100_000,
        "warn_photocopy": True,
        "warn_recapture": False,
        "warn_photoshopped": None,
        "tries": 3,
    }
    target.write(frame_of("中文 'key'", **fields))
    (row,) = _rows(database)
    assert {name: row[name] for name in fields} == fields
    assert (row["image_key"], row["card_side"]) == ("中文 'key'", "FRONT")


def test_row_is_replaced_whole(target: SqlResultTarget, database: sa.Engine, frame_of: FrameOf) -> None:
    target.write(frame_of("a", number="old", sex="男", birthday=date(1990, 1, 2)))
    target.write(frame_of("a", name=None, run_id="run-2"))
    (row,) = _rows(database)
    assert (row["number"], row["sex"], row["birthday"], row["name"]) == (None, None, None, None)
    assert row["run_id"] == "run-2"


def test_only_rows_of_the_same_key_and_side_are_replaced(
    target: SqlResultTarget, database: sa.Engine, frame_of: FrameOf
) -> None:
    target.write(frame_of("a", "b"))
    target.write(frame_of("a", card_side="BACK"))
    target.write(frame_of("b", run_id="run-2"))
    found = [(row["image_key"], row["card_side"], row["run_id"]) for row in _rows(database)]
    assert found == [("a", "BACK", "run-1"), ("a", "FRONT", "run-1"), ("b", "FRONT", "run-2")]


def test_key_twice_in_a_batch_leaves_its_last_row(
    target: SqlResultTarget, database: sa.Engine, frame_of: FrameOf
) -> None:
    frames = [frame_of("a", run_id="run-1"), frame_of("b"), frame_of("a", run_id="run-2")]
    target.write(pd.concat(frames, ignore_index=True))
    assert [(row["image_key"], row["run_id"]) for row in _rows(database)] == [("a", "run-2"), ("b", "run-1")]


def test_empty_frame_writes_nothing(target: SqlResultTarget, database: sa.Engine, frame_of: FrameOf) -> None:
    target.write(frame_of())
    assert _rows(database) == []


def test_large_batch_is_written_in_one_go(
    target: SqlResultTarget, database: sa.Engine, frame_of: FrameOf
) -> None:
    keys = [f"{number:04}" for number in range(1500)]
    target.write(frame_of(*keys))
    target.write(frame_of(*keys, run_id="run-2"))
    assert {row["run_id"] for row in _rows(database)} == {"run-2"}
    assert len(_rows(database)) == 1500


def test_previous_tells_status_tries_and_change_time(target: SqlResultTarget, frame_of: FrameOf) -> None:
    changed = datetime(2026, 1, 30, 23, 59, 59, 999999, tzinfo=UTC)
    target.write(frame_of("a", image_updated_at=changed, tries=2, status="retry"))
    target.write(frame_of("a", card_side="BACK"))
    known = target.previous([("a", FRONT), ("a", BACK), ("b", FRONT)])
    processed = datetime(2026, 1, 31, 12, 30, 15, 123456, tzinfo=UTC)
    assert known[("a", FRONT)] == Previous(Status.RETRY, 2, changed)
    assert known[("a", BACK)] == Previous(Status.RECOGNIZED, 1, processed)
    assert ("b", FRONT) not in known


@pytest.mark.parametrize("hours", [-8, 0, 8])
def test_change_time_keeps_its_moment_whatever_its_zone(
    target: SqlResultTarget, frame_of: FrameOf, hours: int
) -> None:
    zone = timezone(timedelta(hours=hours))
    moment = datetime(2026, 1, 31, 0, 30, tzinfo=zone)
    target.write(frame_of("a", image_updated_at=moment))
    seen_at = target.previous([("a", FRONT)])[("a", FRONT)].seen_at
    assert seen_at == moment


def test_previous_of_no_rows_asks_nothing(target: SqlResultTarget) -> None:
    assert target.previous([]) == {}


def test_previous_takes_a_whole_page_of_keys(target: SqlResultTarget, frame_of: FrameOf) -> None:
    keys = [f"{number:04}" for number in range(500)]
    target.write(frame_of(*keys))
    assert len(target.previous([(key, FRONT) for key in keys])) == 500


@pytest.mark.parametrize("change", ["status = 'done'", "card_side = 'LEFT'"])
def test_row_that_was_changed_by_hand_is_named(
    target: SqlResultTarget, database: sa.Engine, frame_of: FrameOf, change: str
) -> None:
    target.write(frame_of("key-1"))
    with database.begin() as connection:
        connection.execute(sa.text(f"UPDATE permits SET {change}"))
    with pytest.raises(TargetError, match=r"'permits'.*'key-1'"):
        target.previous([("key-1", FRONT)])


def test_table_that_disappears_is_said_to_be_missing(
    target: SqlResultTarget, database: sa.Engine, frame_of: FrameOf
) -> None:
    with database.begin() as connection:
        connection.execute(sa.text("DROP TABLE permits"))
    with pytest.raises(
        DatabaseError, match=r"writing 1 rows to the result table 'permits' failed: .*permits"
    ):
        target.write(frame_of("a"))
    with pytest.raises(DatabaseError, match=r"reading the result table 'permits' failed: .*permits"):
        target.previous([("a", FRONT)])
