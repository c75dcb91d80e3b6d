from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_permitocr.engine.delivery.frame import to_frame
from airflow_provider_permitocr.engine.delivery.record import (
    lacks_answer,
    outcome_record,
    refused_record,
    to_records,
)
from airflow_provider_permitocr.engine.ledger.deliveries import Delivered
from airflow_provider_permitocr.engine.models import ImageFacts, ImageRow, Outcome
from airflow_provider_permitocr.permit.answers import flatten
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import (
    COLUMNS,
    KEY_COLUMNS,
    Column,
    ColumnKind,
    Record,
    result_columns,
)
from airflow_provider_permitocr.permit.status import Status
from tests.support.delivery_fakes import answered, image

UPDATED = datetime(2026, 1, 30, tzinfo=UTC)
NOW = datetime(2026, 1, 31, tzinfo=UTC)
LATER = datetime(2026, 2, 1, tzinfo=UTC)
COPIED = result_columns(
    [
        Column("note", ColumnKind.TEXT, "copied"),
        Column("day", ColumnKind.DATE, "copied"),
        Column("seen_at", ColumnKind.TIMESTAMP, "copied"),
        Column("weight", ColumnKind.FLOAT, "copied"),
    ]
)


def to_record(delivered: Delivered, columns: Sequence[Column] = COLUMNS) -> Record:
    (record,) = to_records([delivered], columns)
    return record


def filled(record: Record) -> Record:
    return {name: value for name, value in record.items() if value is not None}


def test_a_recognized_image_is_delivered_with_its_fields_and_its_provenance() -> None:
    delivered = image(
        "k",
        17,
        fields=flatten({"Number": "0832"}),
        side=CardSide.BACK,
        request_id="r-1",
        facts=ImageFacts("HEIC", 1000, "converted to JPEG", "ab" * 32),
        reused_from="other",
        updated_at=UPDATED,
        processed_at=NOW,
        attempted_at=NOW,
        run="dag/task/manual__2026",
        tries=2,
    )
    assert filled(to_record(delivered)) == {
        "image_key": "k",
        "card_side": "BACK",
        "status": "recognized",
        "number": "0832",
        "request_id": "r-1",
        "image_format": "HEIC",
        "image_bytes": 1000,
        "image_prepared": "converted to JPEG",
        "image_digest": "ab" * 32,
        "reused_from": "other",
        "tries": 2,
        "image_updated_at": UPDATED,
        "processed_at": NOW,
        "run_id": "manual__2026",
        "attempt_status": "recognized",
        "attempted_at": NOW,
        "version": 17,
    }


def test_an_attempt_stands_beside_the_answer_in_force() -> None:
    attempt = {"attempt_status": Status.RETRY, "attempt_code": "NoSuchFile", "attempted_at": LATER}
    delivered = answered("k", 18, processed_at=NOW, **attempt)
    record = to_record(delivered)
    assert (record["status"], record["error_code"], record["name"]) == ("recognized", None, "name of k")
    assert record["processed_at"] == NOW
    assert [record[name] for name in ("attempt_status", "attempt_code", "attempted_at")] == [
        *("retry", "NoSuchFile", LATER)
    ]


@pytest.mark.parametrize(
    "delivered",
    [answered("k", 1), image("k", 1), image("k", 1, status=Status.FAILED, error_code="Code")],
    ids=["recognized", "erased", "failed"],
)
def test_every_column_is_there_in_the_order_of_the_table(delivered: Any) -> None:
    assert list(to_record(delivered)) == [column.name for column in COLUMNS]


def test_only_a_recognized_image_without_fields_lacks_its_answer() -> None:
    assert lacks_answer(image("k", 1))
    assert not lacks_answer(answered("k", 1))
    assert not lacks_answer(image("k", 1, status=Status.FAILED))


def test_copied_values_come_back_from_json_as_what_their_columns_hold() -> None:
    carried = {"note": "x", "day": "1899-12-31", "seen_at": "2026-01-31T08:00:00+08:00", "weight": 1.5}
    record = to_record(answered("k", 1, carried=carried), COPIED)
    moment = datetime(2026, 1, 31, 8, tzinfo=timezone(timedelta(hours=8)))
    assert {name: record[name] for name in carried} == {
        **{"note": "x", "day": date(1899, 12, 31), "seen_at": moment, "weight": 1.5}
    }
    assert len(to_frame([record], COPIED)) == 1


def test_a_column_that_is_copied_no_more_is_left_out_and_a_new_one_is_null() -> None:
    record = to_record(answered("k", 1, carried={"former": "x"}), COPIED)
    assert list(record) == [column.name for column in COPIED]
    assert record["note"] is None


def test_a_value_that_was_copied_as_another_kind_is_left_to_the_frame_to_refuse() -> None:
    record = to_record(answered("k", 1, carried={"day": "north"}), COPIED)
    with pytest.raises(ValueError, match="in column 'day'"):
        to_frame([record], COPIED)


def record_of(outcome: Outcome) -> Record:
    return outcome_record(outcome, processed_at=NOW)


@pytest.mark.parametrize("status", Status)
def test_every_column_is_there_without_a_ledger(status: Status) -> None:
    outcome = Outcome(ImageRow("k", None), status, fields=flatten({"Number": "1"}))
    assert list(record_of(outcome)) == [column.name for column in COLUMNS]


def test_an_outcome_without_a_ledger_has_its_fields_and_no_version() -> None:
    row = ImageRow("k", None, CardSide.BACK, UPDATED)
    record = record_of(Outcome(row, Status.RECOGNIZED, flatten({"Number": "0832"}), request_id="r-1"))
    assert filled(record) == {
        "image_key": "k",
        "card_side": "BACK",
        "status": "recognized",
        "number": "0832",
        "request_id": "r-1",
        "tries": 1,
        "image_updated_at": UPDATED,
        "processed_at": NOW,
        "attempt_status": "recognized",
        "attempted_at": NOW,
    }


def test_a_transient_error_is_to_be_tried_again_without_a_ledger_too() -> None:
    record = record_of(Outcome(ImageRow("k", None), Status.RETRY, error_code="Code", error_message="words"))
    assert [record[name] for name in ("status", "error_code", "error_message", "attempt_status")] == [
        *("retry", "Code", "words", "retry")
    ]


def test_text_that_databases_refuse_reaches_no_column() -> None:
    dirty = "a\x00b\ud800"
    outcome = Outcome(
        ImageRow(dirty, None), Status.FAILED, error_code=dirty, error_message=dirty, request_id=dirty
    )
    record = record_of(outcome)
    for name in ("image_key", "error_code", "error_message", "request_id", "attempt_code"):
        assert record[name] == "a\ufffdb\ufffd"


def test_a_request_id_that_was_not_sent_is_null() -> None:
    assert record_of(Outcome(ImageRow("k", None), Status.RECOGNIZED, request_id=""))["request_id"] is None


def test_a_stand_in_keeps_its_version_so_that_an_older_row_never_replaces_it() -> None:
    record = to_record(answered("k", 17, request_id="r-1", updated_at=UPDATED, error_message=None))
    stand_in = refused_record(record, "the table refuses it", with_provenance=False)
    assert filled(stand_in) == {
        "image_key": "k",
        "card_side": "FRONT",
        "status": "failed",
        "error_code": "ResultRowRefused",
        "error_message": "the table refuses it",
        "tries": 1,
        "processed_at": record["processed_at"],
        "run_id": "run-1",
        "version": 17,
    }
    assert refused_record(record, "the table refuses it")["request_id"] == "r-1"


def test_key_columns_are_columns_and_names_are_unique() -> None:
    names = [column.name for column in COLUMNS]
    assert set(KEY_COLUMNS) <= set(names)
    assert len(names) == len(set(names))
