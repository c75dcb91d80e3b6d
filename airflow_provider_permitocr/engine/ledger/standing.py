"""One image's state: the result in force, and the last attempt.

An attempt never replaces an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from airflow_provider_permitocr.engine.ledger.calls import Attempt
from airflow_provider_permitocr.engine.models import ImageFacts, Previous
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record
from airflow_provider_permitocr.permit.quality.assessment import Subject
from airflow_provider_permitocr.permit.status import Status


@dataclass(frozen=True, slots=True)
class Standing:
    """One image of a list, as the ledger stores it.

    The fields up to ``run`` are the result in force; ``attempt_…`` and ``tries`` are about the last attempt,
    which decides whether the image is selected.

    :param status: None as long as no call or check has had a result.
    :param answer_id: the call whose answer is in force; None unless recognized.
    :param answer_order: position among all exchanges of that call's intent, or of a later verdict: a late
        answer of an earlier call is about an older image. -1 if there was neither.
    :param is_doubtful: whether a quality flag doubted the answer when it came; None: it was not examined.
    :param updated_at: when the image had last changed, from the list, as of the result in force.
    :param processed_at: when the result in force was reached, by the ledger's clock.
    :param run: DAG run that reached it.
    :param attempt_updated_at: when the image had last changed, as of the last attempt.
    :param attempt_run: the DAG run that ``tries`` last counted.
    :param tries: runs that have tried this version of the image.
    :param carried: columns copied from the list, as of the last attempt.
    """

    status: Status | None = None
    error_code: str | None = None
    error_message: str | None = field(default=None, repr=False)
    request_id: str | None = None
    answer_id: str | None = None
    answer_order: int = -1
    is_doubtful: bool | None = None
    reused_from: str | None = None
    facts: ImageFacts = ImageFacts()
    updated_at: datetime | None = None
    processed_at: datetime | None = None
    run: str | None = None
    attempt_status: Status | None = None
    attempt_code: str | None = None
    attempted_at: datetime | None = None
    attempt_updated_at: datetime | None = None
    attempt_run: str | None = None
    tries: int = 0
    carried: Record = field(default_factory=dict, repr=False)

    def subject(self, card_side: CardSide) -> Subject | None:
        """Return the image's facts for examining its answer; None if it has none."""
        if self.processed_at is None:
            return None
        return Subject(card_side, self.processed_at, self.facts.width, self.facts.height, self.carried)

    def after(self, attempt: Attempt, *, order: int, now: datetime, run: str | None) -> Self:
        """Return the standing after another attempt.

        :param order: of the call's intent; of two answers, the later call's is in force.
        :param now: the ledger's time.
        :param run: DAG run of the attempt.
        """
        if attempt.status is Status.RECOGNIZED and order < self.answer_order:
            return self
        if self._has_said(attempt, run) or self._was_erased_after(attempt, order):
            return self
        if attempt.status is Status.GONE:
            return self._gone(now)
        is_to_redo = self.attempt_status is Status.REDO and attempt.status is Status.RETRY
        tried = replace(
            self,
            attempt_status=Status.REDO if is_to_redo else attempt.status,
            attempt_code=attempt.error_code,
            attempted_at=now,
            attempt_updated_at=attempt.updated_at,
            attempt_run=run if attempt.counts else self.attempt_run,
            tries=self.tries if self._has_counted(attempt, run) else attempt.tries,
            carried=attempt.carried,
        )
        if not self._gives_way_to(attempt):
            return tried
        recognized = attempt.status is Status.RECOGNIZED
        return replace(
            tried,
            status=attempt.status,
            error_code=attempt.error_code,
            error_message=attempt.error_message,
            request_id=attempt.request_id,
            answer_id=attempt.answer_id if recognized else None,
            answer_order=order if recognized or attempt.is_verdict else self.answer_order,
            is_doubtful=attempt.is_doubtful,
            reused_from=attempt.reused_from,
            facts=attempt.facts,
            updated_at=attempt.updated_at,
            processed_at=now,
            run=run,
        )

    def _has_said(self, attempt: Attempt, run: str | None) -> bool:
        """Whether this is a verdict that its call was closed with already: it then came about once."""
        said = self.error_code, self.request_id, self.updated_at, self.run
        return self.status is self.attempt_status is attempt.status is Status.FAILED and said == (
            attempt.error_code,
            attempt.request_id or None,
            attempt.updated_at,
            run,
        )

    def _was_erased_after(self, attempt: Attempt, order: int) -> bool:
        """Whether an attempt is about an image as it was before it was erased."""
        if self.status is not Status.ERASED:
            return False
        seen_at = self.attempt_updated_at or self.attempted_at
        is_new = self.attempt_status is not Status.ERASED or has_changed(attempt.updated_at, seen_at)
        return self.has_erased(order) or not is_new

    def has_erased(self, order: int) -> bool:
        """Whether the image was erased after a call's intent, so that the call's answer is dropped."""
        return self.status is Status.ERASED and order < self.answer_order

    def erased(self, *, order: int, now: datetime) -> Self:
        """Return the standing after everything known about the image is erased.

        The fields that selection uses stay, so the image is called for only if it changes or a redo names it.

        :param order: position of the erasure among all exchanges: earlier calls are about what was erased.
        :param now: the ledger's time.
        """
        return type(self)(
            status=Status.ERASED,
            answer_order=order,
            updated_at=self.updated_at,
            processed_at=now,
            attempt_status=Status.ERASED,
            attempted_at=self.attempted_at or now,
            attempt_updated_at=self.attempt_updated_at,
        )

    def _gone(self, now: datetime) -> Self:
        """Return the standing of an image that was to be retried and is no longer listed."""
        if self.attempt_status not in (Status.RETRY, Status.REDO):
            return self  # another run has settled it meanwhile
        status = Status.GONE if self.status is Status.RETRY else self.status
        return replace(self, status=status, attempt_status=Status.GONE, attempted_at=now)

    def _has_counted(self, attempt: Attempt, run: str | None) -> bool:
        """Whether this DAG run is among the tries already, by an earlier attempt at the same image."""
        is_of_run = run is not None and self.attempt_run == run
        is_new = has_changed(attempt.updated_at, self.attempt_updated_at or self.attempted_at)
        return not attempt.counts and is_of_run and not is_new

    def _gives_way_to(self, attempt: Attempt) -> bool:
        """Whether an attempt replaces the result in force.

        An answer is only replaced by a newer answer, or by the API's verdict about an image changed since.
        """
        if self.status is not Status.RECOGNIZED or attempt.status is Status.RECOGNIZED:
            return True
        return attempt.is_verdict and has_changed(attempt.updated_at, self.updated_at or self.processed_at)

    def previous(self, run: str | None) -> Previous | None:
        """Return what selection needs to know; None if no attempt has ended.

        :param run: the task's own DAG run, which does not count as an earlier one.
        """
        if self.attempt_status is None:
            return None
        is_of_run = run is not None and self.attempt_run == run
        return Previous(
            self.attempt_status,
            max(0, self.tries - is_of_run),
            self.attempt_updated_at or self.attempted_at,
        )


def has_changed(updated_at: datetime | None, seen_at: datetime | None) -> bool:
    """Return whether an image has changed since it was seen; where either time is unknown, it has not."""
    return updated_at is not None and seen_at is not None and updated_at > seen_at
