"""Rows that the result table, or even the frame, refuses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_permitocr.core.columns import Column, ColumnKind, result_columns
from airflow_provider_permitocr.core.delivery_batch import write_delivered
from airflow_provider_permitocr.core.errors import RowsRefusedError
from airflow_provider_permitocr.core.models import Status
from airflow_provider_permitocr.core.ports import Delivered
from tests.core.delivery_fakes import NOON, FakeResultTable, answered, image

COLUMNS = result_columns([Column("weight", ColumnKind.INTEGER, "copied")])


@pytest.fixture
def table() -> FakeResultTable:
    """A result table that refuses rows by name, and those of key "never" in any form."""
    made = FakeResultTable()
    made.prepare(COLUMNS)

    def refuse(row: dict[str, Any]) -> str | None:
        is_refused = row["image_key"] == "never" or row["name"] == "name of poison"
        return "the table refuses it: DataError" if is_refused else None

    made.refuses = refuse
    return made


def poison(key: str) -> Delivered:
    return image(key, 5, fields={"name": "name of poison", "number": "secret"}, request_id="r-1")


def statuses(table: FakeResultTable) -> dict[str, str]:
    return {key: row["status"] for key, row in table.rows.items()}


def write(table: FakeResultTable, delivered: Sequence[Delivered]) -> int:
    return write_delivered(table, delivered, COLUMNS)


def test_a_refused_row_is_replaced_by_one_that_says_so(table: FakeResultTable) -> None:
    assert write(table, [answered("a", 4), poison("b"), answered("c", 6)]) == 1
    assert {name: value for name, value in table.rows["b"].items() if value is not None} == {
        "image_key": "b",
        "card_side": "FRONT",
        "status": "failed",
        "error_code": "ResultRowRefused",
        "error_message": "the table refuses it: DataError",
        "request_id": "r-1",
        "image_format": "JPEG",
        "tries": 1,
        "processed_at": NOON,
        "run_id": "run-1",
        "attempt_status": "recognized",
        "attempted_at": NOON,
        "version": 5,
    }
    assert statuses(table) == {"a": "recognized", "b": "failed", "c": "recognized"}


def test_refused_rows_are_said_without_their_values(
    table: FakeResultTable, caplog: pytest.LogCaptureFixture
) -> None:
    write(table, [answered("a", 4), poison("https://bucket/b.jpg?sign=secret-signature")])
    assert "refused 1 of 2 rows, for example key 'https://bucket/b.jpg…': the table refuses it" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("weight", [2**63, -(2**63) - 1, "heavy", 1.5])
def test_a_value_that_its_column_cannot_hold_costs_its_row_alone(table: FakeResultTable, weight: Any) -> None:
    delivered = [
        *(answered("a", 4), answered("b", 4, carried={"weight": weight})),
        *(poison("c"), answered("d", 4)),
    ]
    assert write(table, delivered) == 2
    assert statuses(table) == {"a": "recognized", "b": "failed", "c": "failed", "d": "recognized"}
    assert "in column 'weight'" in table.rows["b"]["error_message"]
    assert str(weight) not in table.rows["b"]["error_message"]


@pytest.mark.parametrize(
    "updated_at",
    [
        datetime.min.replace(tzinfo=timezone(timedelta(hours=8))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-8))),
    ],
    ids=["before the year 1", "after the year 9999"],
)
def test_a_change_time_outside_of_the_calendar_costs_its_row_alone(
    table: FakeResultTable, updated_at: datetime
) -> None:
    assert write(table, [answered("a", 4), answered("b", 4, updated_at=updated_at)]) == 1
    assert statuses(table)["a"] == "recognized"
    assert table.rows["b"]["error_code"] == "ResultRowRefused"
    assert table.rows["b"]["image_updated_at"] is None


def test_a_row_that_is_refused_in_any_form_is_an_error_once_all_others_are_written(
    table: FakeResultTable,
) -> None:
    delivered = [image(key, 5, fields={"name": "secret name"}) for key in ("a", "never", "b", "c")]
    with pytest.raises(
        RowsRefusedError, match=r"even without their fields, .* key 'never': .*DataError"
    ) as e:
        write(table, delivered)
    assert "secret name" not in str(e.value)
    assert sorted(table.rows) == ["a", "b", "c"]


def test_a_table_that_refuses_a_whole_batch_gets_no_row_of_it(table: FakeResultTable) -> None:
    with pytest.raises(RowsRefusedError, match=r"refuses all 20 rows of a batch, for example key 'k00'"):
        write(table, [poison(f"k{number:02}") for number in range(20)])
    assert table.rows == {}


def test_fewer_refused_rows_than_that_are_poison(table: FakeResultTable) -> None:
    assert write(table, [poison(f"k{number}") for number in range(19)]) == 19
    assert {row["error_code"] for row in table.rows.values()} == {"ResultRowRefused"}


def test_erased_answers_are_written_apart_and_leave_what_the_table_has(table: FakeResultTable) -> None:
    write(table, [answered("a", 4), answered("b", 4)])
    write(table, [image("b", 6, attempt_status=Status.RETRY), answered("a", 7), image("c", 8)])
    assert table.batches[1:] == [["a"], ["b", "c"]]
    assert [table.rows[key]["name"] for key in "abc"] == ["name of a", "name of b", None]
    assert table.rows["b"]["version"] == 6
