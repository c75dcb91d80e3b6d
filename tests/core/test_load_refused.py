"""Rows that the result table, or even the frame, refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_permitocr.core.columns import Column, ColumnKind, result_columns
from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.core.frame import to_rows
from airflow_provider_permitocr.core.load import Loader
from airflow_provider_permitocr.core.models import ImageRow, Outcome, Status
from airflow_provider_permitocr.core.options import Batch

if TYPE_CHECKING:
    import pandas as pd

    from tests.core.conftest import FakeClock, FakeTarget

NOW = datetime(2026, 1, 31, tzinfo=UTC)
COLUMNS = result_columns([Column("weight", ColumnKind.INTEGER, "carried")])


@pytest.fixture
def target(new_target: type[FakeTarget], monkeypatch: pytest.MonkeyPatch) -> FakeTarget:
    """A result table that refuses rows by name, and those of key "never" in any form."""
    made = new_target()
    made.prepare(COLUMNS)
    take = made.write

    def write(frame: pd.DataFrame) -> Mapping[int, str]:
        refused = {
            place: "the table refuses it: DataError"
            for place, row in enumerate(to_rows(frame, COLUMNS))
            if row["image_key"] == "never" or row["name"] == "poison"
        }
        take(frame.drop(index=list(refused)))
        return refused

    monkeypatch.setattr(made, "write", write)
    return made


@pytest.fixture
def loader(target: FakeTarget, clock: FakeClock) -> Callable[..., Loader]:
    def make(rows: int = 50) -> Loader:
        made = Loader(target, Batch(rows), max_tries=3, run_id="r", clock=clock, now=lambda: NOW)
        made.prepare(COLUMNS)
        return made

    return make


def outcome(key: str, *, name: str = "x", weight: Any = 1, updated_at: datetime | None = None) -> Outcome:
    row = ImageRow(key, None, updated_at=updated_at, carried={"weight": weight})
    return Outcome(row, Status.RECOGNIZED, {"name": name}, request_id="r-1")


def test_a_refused_row_is_replaced_by_one_that_says_so(
    loader: Callable[..., Loader], target: FakeTarget
) -> None:
    loading = loader()
    loading.add([outcome("a"), outcome("b", name="poison"), outcome("c")])
    assert loading.write() == 3
    stand_in = target.rows["b", "FRONT"]
    assert {name: value for name, value in stand_in.items() if value is not None} == {
        "image_key": "b",
        "card_side": "FRONT",
        "status": "failed",
        "error_code": "ResultRowRefused",
        "error_message": "the table refuses it: DataError",
        "request_id": "r-1",
        "tries": 1,
        "processed_at": NOW,
        "run_id": "r",
    }
    assert loading.statuses == {"recognized": 2, "failed": 1}
    assert loading.error_codes == {"ResultRowRefused": 1}


@pytest.mark.parametrize("weight", [2**63, -(2**63) - 1, "heavy", 1.5])
def test_a_value_that_its_column_cannot_hold_costs_its_row_alone(
    loader: Callable[..., Loader], target: FakeTarget, weight: Any
) -> None:
    loading = loader()
    loading.add([outcome("a"), outcome("b", weight=weight), outcome("c", name="poison"), outcome("d")])
    assert loading.write() == 4
    assert {key: row["status"] for (key, _), row in target.rows.items()} == {
        "a": "recognized",
        "b": "failed",
        "c": "failed",
        "d": "recognized",
    }
    assert "in column 'weight'" in target.rows["b", "FRONT"]["error_message"]
    assert str(weight) not in target.rows["b", "FRONT"]["error_message"]


@pytest.mark.parametrize(
    "updated_at",
    [
        datetime.min.replace(tzinfo=timezone(timedelta(hours=8))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-8))),
    ],
    ids=["before the year 1", "after the year 9999"],
)
def test_a_change_time_outside_of_the_calendar_costs_its_row_alone(
    loader: Callable[..., Loader], target: FakeTarget, updated_at: datetime
) -> None:
    loading = loader()
    loading.add([outcome("a"), outcome("b", updated_at=updated_at)])
    assert loading.write() == 2
    assert target.rows["a", "FRONT"]["status"] == "recognized"
    assert target.rows["b", "FRONT"]["error_code"] == "ResultRowRefused"
    assert target.rows["b", "FRONT"]["image_updated_at"] is None


def test_a_row_that_is_refused_in_any_form_stops_the_run_once_all_others_are_written(
    loader: Callable[..., Loader], target: FakeTarget
) -> None:
    loading = loader(rows=2)
    keys = ["a", "never", "b", "c", "d", "e"]
    loading.add([outcome(key, name="secret name") for key in keys])
    with pytest.raises(TargetError, match=r"key 'never'.*DataError") as caught:
        loading.write()
    assert "secret name" not in str(caught.value)
    assert [key for key, _ in target.rows] == ["a", "b", "c", "d", "e"]
    assert loading.statuses == {"recognized": 5}
    assert loading.write() == 0


def test_a_refused_row_whose_stand_in_could_not_be_written_is_not_forgotten(
    loader: Callable[..., Loader], target: FakeTarget
) -> None:
    loading = loader()
    loading.add([outcome("a", name="poison"), outcome("b")])
    writes = []

    def fail_at_the_second() -> None:
        writes.append(1)
        if len(writes) == 2:
            raise ConnectionError

    target.before_write = fail_at_the_second
    with pytest.raises(ConnectionError):
        loading.write()
    assert loading.write() == 2
    assert target.rows["a", "FRONT"]["error_code"] == "ResultRowRefused"
    assert loading.statuses == {"recognized": 1, "failed": 1}


def test_a_table_that_refuses_a_whole_batch_stops_the_run_and_settles_none_of_it(
    loader: Callable[..., Loader], target: FakeTarget
) -> None:
    loading = loader(rows=20)
    loading.add([outcome(f"k{number}", name="poison") for number in range(40)])
    with pytest.raises(TargetError, match=r"refuses every row of a batch of 20, such as that of key 'k0'"):
        loading.write()
    assert target.rows == {}
    assert loading.statuses == {}


def test_fewer_refused_rows_than_that_are_poison(loader: Callable[..., Loader], target: FakeTarget) -> None:
    loading = loader(rows=20)
    loading.add([outcome(f"k{number}", name="poison") for number in range(19)])
    assert loading.write() == 19
    assert {row["error_code"] for row in target.rows.values()} == {"ResultRowRefused"}
