"""An outcome as one row of the result table."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_permitocr.core.columns import COLUMNS
from airflow_provider_permitocr.core.flatten import clean_text
from airflow_provider_permitocr.core.models import Outcome, Record, Status


def to_record(outcome: Outcome, *, max_tries: int, run_id: str | None, processed_at: datetime) -> Record:
    """Put an outcome into the result's columns; every column is there, and text is fit for any database.

    :param max_tries: from this many on, a passing fault counts as failed.
    """
    tries = outcome.row.tries + 1
    gave_up = outcome.status is Status.RETRY and tries >= max_tries
    record: Record = dict.fromkeys(column.name for column in COLUMNS)
    return (
        record
        | outcome.fields
        | {
            "image_key": clean_text(outcome.row.image_key),
            "card_side": outcome.row.card_side.value,
            "status": (Status.FAILED if gave_up else outcome.status).value,
            "error_code": _text(outcome.error_code),
            "error_message": _text(outcome.error_message),
            "request_id": _text(outcome.request_id),
            "tries": tries,
            "image_updated_at": outcome.row.updated_at,
            "processed_at": processed_at,
            "run_id": _text(run_id),
        }
    )


def _text(value: str | None) -> str | None:
    return clean_text(value) if value else None
