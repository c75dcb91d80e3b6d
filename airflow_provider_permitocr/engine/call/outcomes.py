"""What a request, grant, answer or error means for its image, and what to record in the ledger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from airflow_provider_permitocr.engine.call.single_flight import Flight
from airflow_provider_permitocr.engine.ledger.calls import (
    LEDGER_REFUSES_KEY,
    OUTCOME_UNKNOWN,
    Attempt,
    Grant,
)
from airflow_provider_permitocr.engine.models import (
    ImageFacts,
    ImageRow,
    Left,
    Outcome,
    PermitResponse,
    UnfitImage,
)
from airflow_provider_permitocr.errors import OF_ACCOUNT, OF_ALL, CallError, Decision
from airflow_provider_permitocr.permit.columns import Record
from airflow_provider_permitocr.permit.status import Status

#: Errors that do not settle an image.
_PASSING: Final = OF_ALL | {Decision.RETRY, Decision.UNCLEAR, Decision.LATER}
_LEFT: Final = {
    Grant.CAPPED: Left.CAPPED,
    Grant.DAY_CAPPED: Left.CAPPED,
    Grant.HELD: Left.HELD,
    Grant.SETTLED: Left.SETTLED,
}


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A call that returned no fields.

    :param facts: what is known about its image.
    """

    fault: CallError
    facts: ImageFacts


def of_unfit_image(row: ImageRow, unfit: UnfitImage) -> Outcome:
    """Return the outcome of an image that cannot be sent."""
    return Outcome(
        row,
        unfit.status,
        error_code=unfit.code,
        error_message=unfit.message,
        facts=unfit.facts,
        counts=unfit.counts,
    )


def of_grant(row: ImageRow, grant: Grant | None, facts: ImageFacts) -> Outcome | Left | None:
    """Return the outcome of a ledger's grant for an image; None if its call should be made.

    :param grant: None if the ledger cannot be written.
    """
    if grant is Grant.GRANTED:
        return None
    if grant is Grant.UNKNOWN:
        return Outcome(
            row,
            Status.FAILED,
            error_code=OUTCOME_UNKNOWN,
            error_message="The worker died during a call for this image; the call may have been paid for."
            " Ledger(unknown_calls='repeat') repeats such calls.",
            facts=facts,
        )
    if grant is Grant.REFUSED:
        return Outcome(
            row,
            Status.REJECTED,
            error_code=LEDGER_REFUSES_KEY,
            error_message="The ledger's database cannot store this image's key; no call is made.",
        )
    return _LEFT.get(grant, Left.STOPPED) if grant else Left.STOPPED


def of_answer(
    row: ImageRow, response: PermitResponse, facts: ImageFacts, call_id: str, fields: Record
) -> Outcome:
    """Return the outcome of an image that was answered.

    :param fields: the columns of the answer, as the privacy policy has them.
    """
    return Outcome(
        row,
        Status.RECOGNIZED,
        fields=fields,
        request_id=response.request_id,
        facts=facts,
        is_verdict=True,
        answer_id=call_id,
    )


def of_flight(row: ImageRow, flight: Flight, facts: ImageFacts) -> Outcome | None:
    """Return the outcome of an image that reuses another's answer; None if there is none."""
    if (answer := flight.answer) is None:
        return None
    return Outcome(
        row,
        Status.RECOGNIZED,
        fields=answer.fields,
        request_id=answer.request_id,
        facts=facts,
        reused_from=answer.image_key,
        is_verdict=True,
        answer_id=answer.answer_id or None,
    )


def of_failed_call(row: ImageRow, failed: FailedCall) -> Outcome:
    """Return the outcome of an image whose last call failed.

    Account errors that reach this point are unconfirmed: they come and go.
    """
    fault = failed.fault
    return Outcome(
        row,
        Status.RETRY if fault.decision in _PASSING else Status.FAILED,
        error_code=fault.code,
        error_message=fault.message,
        request_id=fault.request_id,
        facts=failed.facts,
        counts=fault.was_sent and fault.decision not in OF_ACCOUNT,
        # Without a RequestId it was something on the way that refused the call.
        is_verdict=fault.decision is Decision.IMAGE and bool(fault.request_id),
    )


def to_attempt(outcome: Outcome, *, max_runs: int | None = None) -> Attempt:
    """Return the record about an image.

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
        is_doubtful=outcome.is_doubtful,
        answer_id=outcome.answer_id,
        reused_from=outcome.reused_from,
    )


def own_answer(outcome: Outcome) -> Attempt:
    """Return what to record with a call's answer; the answer itself contains the rest."""
    return replace(to_attempt(outcome), answer_id=None, request_id=None)


def verdict(row: ImageRow, failed: FailedCall) -> Attempt | None:
    """Return what a failed call settles about its image; None if it settles nothing."""
    if failed.fault.decision is not Decision.IMAGE:
        return None
    return to_attempt(of_failed_call(row, failed))
