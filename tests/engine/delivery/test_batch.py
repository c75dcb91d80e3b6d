"""Rows that the result table, or even the frame, refuses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_permitocr.engine.delivery.batch import TableWriter, Written
from airflow_provider_permitocr.engine.ledger.deliveries import Delivered
from airflow_provider_permitocr.permit.columns import Column, ColumnKind, result_columns
from airflow_provider_permitocr.permit.status import Status
from tests.support.delivery_fakes import NOON, FakeResultTable, answered, image

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


def written(table: FakeResultTable, delivered: Sequence[Delivered], *, rows_until: int = 0) -> Written:
    return TableWriter(table, COLUMNS).write(delivered, rows_until=rows_until)


def write(table: FakeResultTable, delivered: Sequence[Delivered]) -> int:
    return len(written(table, delivered).refused)


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


def test_a_row_that_is_refused_in_any_form_is_remembered_without_a_row(table: FakeResultTable) -> None:
    delivered = [image(key, 5, fields={"name": "secret name"}) for key in ("a", "never", "b", "c")]
    done = written(table, delivered)
    assert [(each.row_key[0], each.has_row, "secret" in each.reason) for each in done.refused] == [
        ("never", False, False)
    ]
    assert sorted(table.rows) == ["a", "b", "c"]


def test_a_refused_row_leaves_the_one_that_is_there(table: FakeResultTable) -> None:
    write(table, [answered("b", 4)])
    done = written(table, [image("b", 6, fields={"name": "name of poison"}), answered("c", 7)], rows_until=4)
    assert [each.has_row for each in done.refused] == [True]
    assert (table.rows["b"]["name"], table.rows["b"]["version"]) == ("name of b", 4)


def test_a_table_that_refuses_its_first_twenty_rows_is_tried_no_further(table: FakeResultTable) -> None:
    writer = TableWriter(table, COLUMNS)
    tried: list[int] = []
    table.before_write = lambda rows: tried.append(sum(row["status"] == "recognized" for row in rows))
    done = writer.write([poison(f"k{number:03}") for number in range(500)], rows_until=0)
    assert (writer.is_hopeless, len(done.refused), sum(tried)) == (True, 20, 20)


def test_one_large_delivery_is_tried_no_further_where_the_table_refuses_its_first_twenty(
    table: FakeResultTable,
) -> None:
    table.is_filled_at_end = True
    writer = TableWriter(table, COLUMNS)
    done = writer.write([poison(f"k{number:03}") for number in range(500)], rows_until=0)
    assert (writer.is_hopeless, len(done.refused), done.taken) == (True, 20, [])


def test_one_large_delivery_with_many_refused_rows_is_written_whole(table: FakeResultTable) -> None:
    table.is_filled_at_end = True
    writer = TableWriter(table, COLUMNS)
    rows = [poison(f"k{number:03}") if number % 2 else answered(f"k{number:03}", 5) for number in range(100)]
    done = writer.write(rows, rows_until=0)
    assert (writer.is_hopeless, len(done.refused), len(done.taken)) == (False, 50, 50)
    assert len(table.rows) == 100


def test_the_first_twenty_are_counted_over_batches_of_any_size(table: FakeResultTable) -> None:
    writer = TableWriter(table, COLUMNS)
    for number in range(19):
        writer.write([poison(f"k{number:03}")], rows_until=0)
        assert not writer.is_hopeless
    writer.write([poison("k019")], rows_until=0)
    assert writer.is_hopeless


def test_a_table_that_took_a_row_and_then_refuses_a_whole_batch_is_at_fault(table: FakeResultTable) -> None:
    writer = TableWriter(table, COLUMNS)
    writer.write([answered("a", 3)], rows_until=0)
    writer.write([poison(f"k{number:03}") for number in range(19)], rows_until=0)
    assert not writer.is_hopeless
    writer.write([poison(f"l{number:03}") for number in range(20)], rows_until=0)
    assert writer.is_hopeless


def test_fewer_refused_rows_than_that_are_poison(table: FakeResultTable) -> None:
    assert write(table, [poison(f"k{number}") for number in range(19)]) == 19
    assert {row["error_code"] for row in table.rows.values()} == {"ResultRowRefused"}


def test_erased_answers_are_written_apart_and_leave_what_the_table_has(table: FakeResultTable) -> None:
    write(table, [answered("a", 4), answered("b", 4)])
    write(table, [image("b", 6, attempt_status=Status.RETRY), answered("a", 7), image("c", 8)])
    assert table.batches[1:] == [["a"], ["b", "c"]]
    assert [table.rows[key]["name"] for key in "abc"] == ["name of a", "name of b", None]
    assert table.rows["b"]["version"] == 6
