"""What a closed call has said of its image for good, as the ledger keeps it for histories."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow_provider_permitocr.engine.ledger.calls import OK, Attempt
from airflow_provider_permitocr.engine.ledger.standing import Standing
from airflow_provider_permitocr.engine.models import ImageFacts
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.standing.images import to_json
from airflow_provider_permitocr.sql.ledger.tables.clock import read_moment


def write_attempt(attempt: Attempt) -> str:
    """Write as JSON what the call's own columns do not say; copied columns are kept with the image."""
    return to_json(
        {
            "status": attempt.status.value,
            "tries": attempt.tries,
            "is_verdict": attempt.is_verdict,
            "updated_at": attempt.updated_at,
            "error_message": attempt.error_message,
            "image_format": attempt.facts.image_format,
            "image_bytes": attempt.facts.size,
            "image_prepared": attempt.facts.prepared,
        }
    )


def standing_of(call: Mapping[str, Any], carried: Record) -> Standing:
    """Return where the call's image stood when the call was closed.

    :param call: a row of the calls.
    :param carried: of the image.
    """
    said = json.loads(call["attempt"])
    is_answered = call["code"] == OK
    attempt = Attempt(
        (call["image_key"], CardSide(call["card_side"])),
        Status(said["status"]),
        tries=said["tries"],
        is_verdict=said["is_verdict"],
        updated_at=said["updated_at"] and datetime.fromisoformat(said["updated_at"]),
        error_code=None if is_answered else call["code"],
        error_message=said["error_message"],
        request_id=call["request_id"],
        facts=ImageFacts(
            said["image_format"], said["image_bytes"], said["image_prepared"], call["image_digest"]
        ),
        carried=carried,
        answer_id=call["call_id"] if is_answered else None,
    )
    closed_at = read_moment(call["answered_at"])
    assert closed_at is not None
    run = f"{call['dag_id']}/{call['task_id']}/{call['run_id']}"
    standing = Standing().after(attempt, order=call["place"], now=closed_at, run=run)
    return replace(standing, carried=carried)
