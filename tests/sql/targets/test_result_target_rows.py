from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.columns import ANSWER_COLUMNS
from airflow_provider_permitocr.sql.database.failures import DatabaseError, DatabaseUnreachableError
from airflow_provider_permitocr.sql.source.times import as_utc
from airflow_provider_permitocr.sql.targets.result_schema import result_table
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget

FrameOf = Callable[..., pd.DataFrame]


@pytest.fixture
def target(database: sa.Engine) -> SqlResultTarget:
    """An empty result table."""
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


@pytest.mark.slow
def test_large_batch_is_written_in_one_go(
    target: SqlResultTarget, database: sa.Engine, frame_of: FrameOf
) -> None:
    keys = [f"{number:04}" for number in range(1500)]
    target.write(frame_of(*keys))
    target.write(frame_of(*keys, run_id="run-2"))
    assert {row["run_id"] for row in _rows(database)} == {"run-2"}
    assert len(_rows(database)) == 1500


@pytest.mark.parametrize("hours", [-8, 0, 8])
def test_change_time_keeps_its_moment_whatever_its_zone(
    target: SqlResultTarget, database: sa.Engine, frame_of: FrameOf, hours: int
) -> None:
    zone = timezone(timedelta(hours=hours))
    moment = datetime(2026, 1, 31, 0, 30, tzinfo=zone)
    target.write(frame_of("a", image_updated_at=moment))
    (row,) = _rows(database)
    assert as_utc(row["image_updated_at"]) == moment


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [(7, 8, "after"), (7, 7, "after"), (8, 7, "before"), (None, 7, "after"), (8, None, "before")],
    ids=["newer", "same", "older", "before versions", "without a version"],
)
def test_row_is_replaced_by_none_of_a_smaller_version(
    target: SqlResultTarget,
    database: sa.Engine,
    frame_of: FrameOf,
    before: int | None,
    after: int | None,
    kept: str,
) -> None:
    target.write(frame_of("a", version=before, run_id="before", number="1"))
    target.write(pd.concat([frame_of(key, version=after, run_id="after", number="2") for key in "ab"]))
    first, second = _rows(database)
    assert (first["run_id"], first["number"], first["version"]) == (
        ("after", "2", after) if kept == "after" else ("before", "1", before)
    )
    assert second["run_id"] == "after"


def test_answer_columns_stay_where_the_answer_is_not_written(
    target: SqlResultTarget, database: sa.Engine, frame_of: FrameOf
) -> None:
    answer = {"number": "08320271", "birthday": date(1990, 1, 2), "warn_photocopy": True, "profile": "x"}
    target.write(frame_of("a", version=7, **answer))
    erased = {**dict.fromkeys(ANSWER_COLUMNS), "attempt_status": "retry"}
    frame = pd.concat([frame_of(key, version=8, **erased) for key in "ab"], ignore_index=True)
    assert target.write(frame, with_answers=False) == {}
    first, second = _rows(database)
    assert {name: first[name] for name in answer} == answer
    assert (first["name"], first["attempt_status"], first["version"]) == ("李优图", "retry", 8)
    assert {second[name] for name in ANSWER_COLUMNS} == {None}


def test_answer_columns_stay_out_of_reach_of_a_smaller_version(
    target: SqlResultTarget, database: sa.Engine, frame_of: FrameOf
) -> None:
    target.write(frame_of("a", version=7, run_id="newer"))
    target.write(frame_of("a", version=6, name=None), with_answers=False)
    (row,) = _rows(database)
    assert (row["run_id"], row["name"], row["version"]) == ("newer", "李优图", 7)


@pytest.mark.slow
def test_table_that_disappears_is_said_to_be_missing(
    target: SqlResultTarget, database: sa.Engine, frame_of: FrameOf
) -> None:
    with database.begin() as connection:
        connection.execute(sa.text("DROP TABLE permits"))
    with pytest.raises(DatabaseError, match=r"writing 1 row to the result table 'permits' failed: .*permits"):
        target.write(frame_of("a"))


def test_a_table_that_is_gone_may_come_back(
    target: SqlResultTarget, database: sa.Engine, frame_of: FrameOf
) -> None:
    result_table("permits").drop(database)
    with pytest.raises(DatabaseUnreachableError, match="writing 1 row to the result table 'permits' failed"):
        target.write(frame_of("key"))
    target.prepare()
    assert target.write(frame_of("key")) == {}
