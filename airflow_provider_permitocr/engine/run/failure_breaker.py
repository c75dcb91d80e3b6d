"""Detects when so many images fail that continuing is pointless."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_permitocr.engine.key_text import shown_key
from airflow_provider_permitocr.engine.models import Outcome
from airflow_provider_permitocr.errors import TooManyFailuresError
from airflow_provider_permitocr.options.run import FailureLimits
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.permit.usual_causes import usual_cause

_FAILURES = (Status.FAILED, Status.RETRY)


class FailureWatch:
    """Checks all outcomes of a run, in order."""

    def __init__(self, limits: FailureLimits) -> None:
        self._limits = limits
        self._alike: str | None = None
        self._in_a_row = 0
        self._done = 0
        self._failed = 0

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Add finished outcomes.

        :raises TooManyFailuresError: naming the error code that is most likely the cause.
        """
        for outcome in outcomes:
            if outcome.status is Status.REJECTED:
                continue
            self._done += 1
            if outcome.status in _FAILURES:
                self._failed += 1
                code = outcome.error_code
                self._in_a_row = self._in_a_row + 1 if code == self._alike else 1
                self._alike = code
            else:
                self._alike, self._in_a_row = None, 0
            self._check(outcome)

    def _check(self, last: Outcome) -> None:
        limits = self._limits
        if limits.stop_after is not None and self._in_a_row >= limits.stop_after:
            raise TooManyFailuresError(
                f"{self._in_a_row:,} consecutive images failed with {last.error_code}"
                f" ({last.error_message}), so the run has stopped; the last was key"
                f" {shown_key(last.row.image_key)}. Answers so far are saved."
                f" {usual_cause(last.error_code)}; or raise FailureLimits(stop_after=...). Then run again:"
                " the next run continues"
            )
        if limits.max_failed_ratio is None or self._done < limits.min_images:
            return
        if self._failed > limits.max_failed_ratio * self._done:
            raise TooManyFailuresError(
                f"{self._failed:,} of {self._done:,} images failed, the last with {last.error_code}"
                f" (key {shown_key(last.row.image_key)}), which is more than max_failed_ratio"
                f" {limits.max_failed_ratio:g}, so the run has stopped. Answers so far are saved; the next"
                " run continues"
            )
