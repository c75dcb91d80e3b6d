from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.columns import COLUMNS, KEY_COLUMNS
from airflow_provider_permitocr.core.flatten import flatten
from airflow_provider_permitocr.core.models import ImageRow, Outcome, Record, Status
from airflow_provider_permitocr.core.record import to_record

UPDATED = datetime(2026, 1, 30, tzinfo=UTC)
NOW = datetime(2026, 1, 31, tzinfo=UTC)


def record_of(outcome: Outcome, max_tries: int = 3) -> Record:
    return to_record(outcome, max_tries=max_tries, run_id="run 1", processed_at=NOW)


@pytest.mark.parametrize("status", Status)
def test_every_column_is_there_in_the_order_of_the_table(status: Status) -> None:
    outcome = Outcome(ImageRow("k", None), status, fields=flatten({"Number": "1"}))
    assert list(record_of(outcome)) == [column.name for column in COLUMNS]


def test_a_recognized_image_carries_its_fields_and_its_provenance() -> None:
    row = ImageRow("k", None, CardSide.BACK, UPDATED, tries=1)
    record = record_of(Outcome(row, Status.RECOGNIZED, flatten({"Number": "0832"}), request_id="r-1"))
    assert {name: value for name, value in record.items() if value is not None} == {
        "image_key": "k",
        "card_side": "BACK",
        "status": "recognized",
        "number": "0832",
        "request_id": "r-1",
        "tries": 2,
        "image_updated_at": UPDATED,
        "processed_at": NOW,
        "run_id": "run 1",
    }


def test_an_image_without_fields_carries_its_reason() -> None:
    outcome = Outcome(
        ImageRow("k", None), Status.FAILED, error_code="Code", error_message="words", request_id="r-1"
    )
    record = record_of(outcome)
    assert [record[name] for name in ("status", "error_code", "error_message", "request_id")] == [
        *("failed", "Code", "words", "r-1")
    ]


@pytest.mark.parametrize(
    ("tries_before", "max_tries", "status", "tries"),
    [(0, 3, "retry", 1), (1, 3, "retry", 2), (2, 3, "failed", 3), (0, 1, "failed", 1), (5, 3, "failed", 6)],
)
def test_a_passing_fault_counts_as_failed_after_so_many_runs(
    tries_before: int, max_tries: int, status: str, tries: int
) -> None:
    outcome = Outcome(ImageRow("k", None, tries=tries_before), Status.RETRY, error_code="Code")
    record = record_of(outcome, max_tries)
    assert (record["status"], record["tries"], record["error_code"]) == (status, tries, "Code")


@pytest.mark.parametrize("status", [Status.RECOGNIZED, Status.REJECTED, Status.FAILED])
def test_only_passing_faults_are_given_up(status: Status) -> None:
    assert record_of(Outcome(ImageRow("k", None, tries=9), status))["status"] == status.value


def test_text_that_databases_refuse_reaches_no_column() -> None:
    dirty = "a\x00b\ud800"
    row = ImageRow(dirty, None)
    outcome = Outcome(row, Status.FAILED, error_code=dirty, error_message=dirty, request_id=dirty)
    record = to_record(outcome, max_tries=3, run_id=dirty, processed_at=NOW)
    for name in ("image_key", "error_code", "error_message", "request_id", "run_id"):
        assert record[name] == "a\ufffdb\ufffd"


def test_a_request_id_that_was_not_sent_is_null() -> None:
    assert record_of(Outcome(ImageRow("k", None), Status.RECOGNIZED, request_id=""))["request_id"] is None


def test_key_columns_are_columns_and_names_are_unique() -> None:
    names = [column.name for column in COLUMNS]
    assert set(KEY_COLUMNS) <= set(names)
    assert len(names) == len(set(names))
