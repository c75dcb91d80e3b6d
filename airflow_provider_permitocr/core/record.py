"""An outcome as one row of the result table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from airflow_provider_permitocr.core.columns import COLUMNS, KEY_COLUMNS, Column
from airflow_provider_permitocr.core.flatten import clean_text
from airflow_provider_permitocr.core.models import Outcome, Record, Status, Value

_RUN: Final = (*KEY_COLUMNS, "tries", "processed_at", "run_id")
_PROVENANCE: Final = ("request_id", "image_format", "image_bytes", "image_digest", "image_updated_at")


def to_record(
    outcome: Outcome,
    *,
    max_tries: int,
    run_id: str | None,
    processed_at: datetime,
    columns: Sequence[Column] = COLUMNS,
) -> Record:
    """Put an outcome into the result's columns; every column is there, and text is fit for any database.

    :param max_tries: from this many on, a passing fault counts as failed.
    :param columns: of the result; carried ones come from the row.
    """
    tries = outcome.row.tries + 1
    gave_up = outcome.status is Status.RETRY and tries >= max_tries
    record: Record = dict.fromkeys(column.name for column in columns)
    return (
        record
        | {name: _clean(value) for name, value in outcome.row.carried.items()}
        | outcome.fields
        | {
            "image_key": clean_text(outcome.row.image_key),
            "card_side": outcome.row.card_side.value,
            "status": (Status.FAILED if gave_up else outcome.status).value,
            "error_code": _text(outcome.error_code),
            "error_message": _text(outcome.error_message),
            "request_id": _text(outcome.request_id),
            "image_format": outcome.facts.image_format,
            "image_bytes": outcome.facts.size,
            "image_prepared": outcome.facts.prepared,
            "image_digest": outcome.facts.digest,
            "reused_from": _text(outcome.reused_from),
            "tries": tries,
            "image_updated_at": outcome.row.updated_at,
            "processed_at": processed_at,
            "run_id": _text(run_id),
        }
    )


def refused_record(record: Record, reason: str, *, with_provenance: bool = True) -> Record:
    """Make the record that stands in for one whose values the database refuses.

    :param reason: in words, without values.
    :param with_provenance: keep what is known of the image and the call, too.
    """
    kept = (*_RUN, *_PROVENANCE) if with_provenance else _RUN
    return dict.fromkeys(record) | {
        **{name: record[name] for name in kept},
        "status": Status.FAILED.value,
        "error_code": "ResultRowRefused",
        "error_message": clean_text(reason),
    }


def _clean(value: Value) -> Value:
    return clean_text(value) if isinstance(value, str) else value


def _text(value: str | None) -> str | None:
    return clean_text(value) if value else None
