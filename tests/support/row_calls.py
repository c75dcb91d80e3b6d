"""Rows that are recognized from a request of the test's own, and what their outcomes are asked."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from airflow_provider_permitocr.engine.call.rate_limit import RateLimiter
from airflow_provider_permitocr.engine.call.row import Recognizer
from airflow_provider_permitocr.engine.models import (
    ImageRow,
    Left,
    Outcome,
    PermitRequest,
    PermitResponse,
    UnfitImage,
)
from airflow_provider_permitocr.engine.ports import PermitClient, RequestBuilder
from airflow_provider_permitocr.options.run import CallRetry, Pace, RunOptions
from airflow_provider_permitocr.permit.answers import flatten
from airflow_provider_permitocr.permit.columns import QUALITY_COLUMNS
from airflow_provider_permitocr.permit.status import Status

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.ledger.call_ledger import CallLedger
    from airflow_provider_permitocr.engine.ledger.ports import Answers

Load = Callable[[], "PermitRequest | UnfitImage"]


class RowCalls:
    """A recognizer whose rows bring along what makes their request."""

    def __init__(
        self,
        client: PermitClient,
        limiter: RateLimiter | None,
        pace: Pace,
        policy: CallRetry,
        stop: threading.Event,
        *,
        ledger: object = None,
        answers: Answers | None = None,
        reuse_identical: bool = False,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._load: Load | None = None
        self._rows = Recognizer(
            self,
            client,
            RunOptions(pace, call_retry=policy, reuse_identical=reuse_identical),
            stop,
            ledger=cast("CallLedger | None", ledger),
            answers=answers,
            limiter=limiter,
            clock=clock,
            sleep=sleep,
            uniform=uniform,
        )

    def build(self, row: ImageRow) -> PermitRequest | UnfitImage:
        assert self._load
        return self._load()

    def call(self, row: ImageRow, load: Load) -> Outcome | Left:
        """Recognize a row."""
        self._load = load
        return self._rows.recognize(row)

    @property
    def calls(self) -> int:
        return self._rows.calls

    @property
    def throttled(self) -> int:
        return self._rows.throttled

    @property
    def rows_wanted(self) -> int:
        return self._rows.rows_wanted


def is_answered(outcome: Outcome | Left, answer: PermitResponse) -> bool:
    """Tell whether a row has this answer."""
    assert isinstance(outcome, Outcome), outcome
    read = {name: value for name, value in outcome.fields.items() if name not in QUALITY_COLUMNS}
    given = (outcome.status, outcome.request_id, read)
    return given == (Status.RECOGNIZED, answer.request_id, flatten(answer.fields))


def unanswered(outcome: Outcome | Left) -> Outcome:
    """Return the outcome of a row that was called for and has no answer."""
    assert isinstance(outcome, Outcome), outcome
    assert outcome.status is not Status.RECOGNIZED
    assert outcome.error_code
    return outcome


def outcome_of(recognizer: Recognizer, row: ImageRow) -> Outcome:
    """Recognize a row that is not left to anybody."""
    outcome = recognizer.recognize(row)
    assert isinstance(outcome, Outcome), outcome
    return outcome


def request_of(builder: RequestBuilder, row: ImageRow) -> PermitRequest:
    """Return the request of an image that can be sent."""
    request = builder.build(row)
    assert isinstance(request, PermitRequest), request
    return request


def unfit(builder: RequestBuilder, row: ImageRow) -> UnfitImage:
    """Return why an image cannot be sent."""
    found = builder.build(row)
    assert isinstance(found, UnfitImage), found
    return found
