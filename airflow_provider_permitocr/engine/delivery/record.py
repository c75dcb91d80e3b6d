"""What is known of an image, as one row of the result table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from airflow_provider_permitocr.engine.ledger.deliveries import Delivered, Review
from airflow_provider_permitocr.engine.models import Outcome
from airflow_provider_permitocr.permit.answers import clean_text
from airflow_provider_permitocr.permit.columns import COLUMNS, KEY_COLUMNS, Column, ColumnKind, Record, Value
from airflow_provider_permitocr.permit.status import Status

_RUN: Final = (*KEY_COLUMNS, "tries", "processed_at", "run_id", "version")
_PROVENANCE: Final = (
    *("request_id", "image_format", "image_bytes", "image_width", "image_height"),
    *("image_digest", "image_updated_at"),
    *("attempt_status", "attempt_code", "attempted_at"),
)
#: The ledger keeps copied columns as JSON, which has neither days nor times.
_FROM_ISO: Final[dict[ColumnKind, Callable[[str], date | datetime]]] = {
    ColumnKind.DATE: date.fromisoformat,
    ColumnKind.TIMESTAMP: datetime.fromisoformat,
}


def to_records(delivered: Sequence[Delivered], columns: Sequence[Column] = COLUMNS) -> list[Record]:
    """Convert the ledger's images to the result's columns; every column is present.

    :param columns: of the result; copied ones that are not among them are left out.
    """
    empty: Record = dict.fromkeys(column.name for column in columns)
    kinds = {column.name: column.kind for column in columns}
    return [_record(each, empty, kinds) for each in delivered]


def _record(delivered: Delivered, empty: Record, kinds: Mapping[str, ColumnKind]) -> Record:
    standing = delivered.standing
    image_key, card_side = delivered.row_key
    return (
        empty
        | {name: _read(value, kinds[name]) for name, value in standing.carried.items() if name in kinds}
        | (delivered.fields or {})
        | standing.facts.columns
        | _review(delivered.review)
        | {
            "image_key": image_key,
            "card_side": card_side.value,
            "status": standing.status and standing.status.value,
            "error_code": standing.error_code,
            "error_message": standing.error_message,
            "request_id": standing.request_id,
            "reused_from": standing.reused_from,
            "tries": standing.tries,
            "image_updated_at": standing.updated_at,
            "processed_at": standing.processed_at,
            "run_id": _run_id(standing.run),
            "attempt_status": standing.attempt_status and standing.attempt_status.value,
            "attempt_code": standing.attempt_code,
            "attempted_at": standing.attempted_at,
            "version": delivered.version,
        }
    )


def lacks_answer(delivered: Delivered) -> bool:
    """Return whether an image is recognized, but its answer is gone from the ledger."""
    return delivered.standing.status is Status.RECOGNIZED and delivered.fields is None


def outcome_record(outcome: Outcome, *, processed_at: datetime) -> Record:
    """Convert a row's outcome to the result's columns, without a ledger; every column is present."""
    status = outcome.status.value
    error_code = _text(outcome.error_code)
    record: Record = dict.fromkeys(column.name for column in COLUMNS)
    return (
        record
        | {name: _clean(value) for name, value in outcome.row.carried.items()}
        | outcome.fields
        | outcome.facts.columns
        | {
            "image_key": clean_text(outcome.row.image_key),
            "card_side": outcome.row.card_side.value,
            "status": status,
            "error_code": error_code,
            "error_message": _text(outcome.error_message),
            "request_id": _text(outcome.request_id),
            "reused_from": _text(outcome.reused_from),
            "tries": outcome.row.tries + 1,
            "image_updated_at": outcome.row.updated_at,
            "processed_at": processed_at,
            "attempt_status": status,
            "attempt_code": error_code,
            "attempted_at": processed_at,
        }
    )


def refused_record(record: Record, reason: str, *, with_provenance: bool = True) -> Record:
    """Make the record that replaces one whose values the database refuses.

    :param reason: in words, without values.
    :param with_provenance: also keep what is known about the image and the call.
    """
    kept = (*_RUN, *_PROVENANCE) if with_provenance else _RUN
    return dict.fromkeys(record) | {
        **{name: record[name] for name in kept},
        "status": Status.FAILED.value,
        "error_code": "ResultRowRefused",
        "error_message": clean_text(reason),
    }


def _review(review: Review | None) -> Record:
    if review is None:
        return {}
    corrections = review.corrections
    return {
        "review_status": review.status,
        "reviewed_at": review.reviewed_at,
        "corrections": None if corrections is None else json.dumps(corrections, ensure_ascii=False),
    }


def _read(value: Any, kind: ColumnKind) -> Any:
    """Read a copied value; one of another kind stays unchanged, and the frame refuses it."""
    try:
        return _FROM_ISO[kind](value) if kind in _FROM_ISO else value
    except (TypeError, ValueError):
        return value


def _run_id(run: str | None) -> str | None:
    """Return Airflow's run_id from the name of a DAG run of a task, dag_id/task_id/run_id."""
    return run and run.split("/", 2)[-1]


def _clean(value: Value) -> Value:
    return clean_text(value) if isinstance(value, str) else value


def _text(value: str | None) -> str | None:
    return clean_text(value) if value else None
