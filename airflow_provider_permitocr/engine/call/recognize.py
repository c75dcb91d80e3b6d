"""One row of the image list to its outcome: the part that every face of the package shares."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_permitocr.engine.call.rate_limit import RateLimiter
from airflow_provider_permitocr.engine.call.retry import PacedCaller
from airflow_provider_permitocr.engine.call.single_flight import LoadImage, SameImageAnswers
from airflow_provider_permitocr.engine.ledger.ports import Answers
from airflow_provider_permitocr.engine.models import ImageFacts, ImageRow, Outcome, PermitRequest
from airflow_provider_permitocr.engine.ports import PermitClient, RequestBuilder
from airflow_provider_permitocr.errors import (
    OF_ACCOUNT,
    OF_ALL,
    CallError,
    Decision,
    ImageError,
    ImageRejectedError,
    ImageUnavailableError,
    OutcomeUnknownError,
)
from airflow_provider_permitocr.options.run import RunOptions
from airflow_provider_permitocr.permit.flatten import flatten
from airflow_provider_permitocr.permit.status import Status

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.ledger.call_ledger import CallLedger


class Recognizer:
    """Recognizes rows one at a time, from any number of threads, at one common pace.

    :param stop: once set, rows that have not been sent are given up with ``RunStoppedError``.
    :param ledger: where each call is written down before it is made; None: nowhere.
    :param answers: those that the ledger holds already; asked with ``reuse_identical`` alone.
    :param limiter: keeps one pace over several recognizers; by default this one has its own.
    """

    def __init__(
        self,
        builder: RequestBuilder,
        client: PermitClient,
        options: RunOptions,
        stop: threading.Event,
        *,
        ledger: CallLedger | None = None,
        answers: Answers | None = None,
        limiter: RateLimiter | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._builder = builder
        limiter = limiter or RateLimiter(options.pace, clock=clock, sleep=sleep)
        self._caller = PacedCaller(
            client,
            limiter,
            options.pace,
            options.call_retry,
            stop,
            ledger=ledger,
            sleep=sleep,
            clock=clock,
        )
        self._answers = SameImageAnswers(stop, answers=answers) if options.reuse_identical else None

    @property
    def rows_wanted(self) -> int:
        """How many rows should be under way at the moment, so that no turn is missed."""
        waiting = self._answers.rows_waiting if self._answers else 0
        return self._caller.rows_wanted + waiting

    @property
    def calls(self) -> int:
        """Requests sent so far, retries and throttled ones included."""
        return self._caller.calls

    @property
    def billed(self) -> int:
        """How many of them are paid for, as far as is known."""
        return self._caller.billed

    @property
    def throttled(self) -> int:
        """How many of them the service refused for their rate."""
        return self._caller.throttled

    def recognize(self, row: ImageRow) -> Outcome:
        """Take one row from its image to its outcome.

        :raises AccountError, ApiUnreachableError: when every call would end so.
        :raises ThrottledTooLongError: when nothing gets through.
        :raises RowLeftError: when no call is to be made for it in this run.
        """
        if self._answers and not row.is_redone:
            return self._answers.recognize(row, self._builder.build, self._ask)
        return self._ask(row, self._builder.build)

    def _ask(self, row: ImageRow, load_image: LoadImage) -> Outcome:
        facts = ImageFacts()

        def load() -> PermitRequest:
            nonlocal facts
            request = load_image(row)
            facts = request.facts
            return request

        try:
            response = self._caller.call(row, load)
        except ImageRejectedError as error:
            return _unsent(row, Status.REJECTED, error)
        except ImageUnavailableError as error:
            return _unsent(row, Status.RETRY, error, counts=not error.is_outage)
        except OutcomeUnknownError as error:
            error.facts = facts
            return _unsent(row, Status.FAILED, error)
        except CallError as error:
            return _refused(row, error, facts)
        return Outcome(
            row,
            Status.RECOGNIZED,
            fields=flatten(response.fields),
            request_id=response.request_id,
            facts=facts,
            is_verdict=True,
            answer_id=response.call_id,
        )


def _unsent(row: ImageRow, status: Status, error: ImageError, *, counts: bool = True) -> Outcome:
    return Outcome(
        row,
        status,
        error_code=error.code,
        error_message=error.message,
        facts=error.facts or ImageFacts(),
        counts=counts,
    )


def _refused(row: ImageRow, error: CallError, facts: ImageFacts) -> Outcome:
    # What is of the account here comes and goes, so that it was not confirmed.
    is_passing = error.decision in OF_ALL | {Decision.RETRY, Decision.UNCLEAR, Decision.LATER}
    return Outcome(
        row,
        Status.RETRY if is_passing else Status.FAILED,
        error_code=error.code,
        error_message=error.message,
        request_id=error.request_id,
        facts=facts,
        counts=error.was_sent and error.decision not in OF_ACCOUNT,
        # Without a RequestId it was something on the way that refused the call.
        is_verdict=error.decision is Decision.IMAGE and bool(error.request_id),
    )
