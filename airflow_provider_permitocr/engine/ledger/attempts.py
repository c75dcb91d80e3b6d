"""What a run tells the ledger about an image, from its outcome."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_permitocr.engine.ledger.calls import Attempt
from airflow_provider_permitocr.engine.models import ImageFacts, ImageRow, Outcome
from airflow_provider_permitocr.errors import CallError, Decision
from airflow_provider_permitocr.permit.status import Status


def to_attempt(outcome: Outcome, *, max_runs: int | None = None) -> Attempt:
    """Return what is noted about an image.

    :param max_runs: this many runs, this one included, try an image before it counts as failed. That is
        giving up, and no verdict. None: none does.
    """
    row = outcome.row
    tries = row.tries + outcome.counts
    is_given_up = (
        max_runs is not None and tries >= max_runs and outcome.status is Status.RETRY and outcome.counts
    )
    return Attempt(
        row.row_key,
        Status.FAILED if is_given_up else outcome.status,
        tries=tries,
        counts=outcome.counts,
        is_verdict=outcome.is_verdict,
        updated_at=row.updated_at,
        error_code=outcome.error_code,
        error_message=outcome.error_message,
        request_id=outcome.request_id,
        facts=outcome.facts,
        carried=row.carried,
        answer_id=outcome.answer_id,
        reused_from=outcome.reused_from,
    )


def own_answer(outcome: Outcome) -> Attempt:
    """Return what is noted together with a call's answer, which says the rest itself."""
    return replace(to_attempt(outcome), answer_id=None, request_id=None)


def verdict(row: ImageRow, error: CallError, facts: ImageFacts) -> Attempt | None:
    """Return what a call that failed says of its image for good; None where it says nothing for good."""
    if error.decision is not Decision.IMAGE:
        return None
    return Attempt(
        row.row_key,
        Status.FAILED,
        tries=row.tries + 1,
        is_verdict=bool(error.request_id),
        updated_at=row.updated_at,
        error_code=error.code,
        error_message=error.message,
        request_id=error.request_id or None,
        facts=facts,
        carried=row.carried,
    )
