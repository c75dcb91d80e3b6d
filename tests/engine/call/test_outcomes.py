from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_permitocr.engine.call.outcomes import to_attempt
from airflow_provider_permitocr.engine.ledger.calls import Attempt
from airflow_provider_permitocr.engine.models import ImageFacts, ImageRow, Outcome
from airflow_provider_permitocr.permit.status import Status

FACTS = ImageFacts("JPEG", 100, digest="d")
ROW = ImageRow("k", None, updated_at=datetime(2026, 1, 31, tzinfo=UTC), tries=1, carried={"city": "x"})


def test_an_attempt_says_what_has_come_out_and_of_which_version_of_the_image() -> None:
    outcome = Outcome(
        ROW, Status.REJECTED, error_code="ImageEmpty", error_message="the image has no content", facts=FACTS
    )
    assert to_attempt(outcome, max_runs=3) == Attempt(
        ROW.row_key,
        Status.REJECTED,
        tries=2,
        updated_at=ROW.updated_at,
        error_code="ImageEmpty",
        error_message="the image has no content",
        facts=FACTS,
        carried={"city": "x"},
    )


def test_an_answer_of_the_same_picture_names_its_call_and_its_image() -> None:
    outcome = Outcome(
        ROW,
        Status.RECOGNIZED,
        fields={"number": "1"},
        request_id="r-1",
        reused_from="other",
        is_verdict=True,
        answer_id="c-1",
    )
    attempt = to_attempt(outcome, max_runs=3)
    assert (attempt.answer_id, attempt.reused_from, attempt.request_id) == ("c-1", "other", "r-1")
    assert attempt.is_verdict


@pytest.mark.parametrize(
    ("status", "counts", "max_runs", "expected", "tries"),
    [
        (Status.RETRY, True, 3, Status.RETRY, 2),
        (Status.RETRY, True, 2, Status.FAILED, 2),
        (Status.RETRY, True, 1, Status.FAILED, 2),
        (Status.RETRY, False, 1, Status.RETRY, 1),
        (Status.FAILED, True, 3, Status.FAILED, 2),
        (Status.REJECTED, True, 1, Status.REJECTED, 2),
    ],
)
def test_an_image_is_given_up_after_so_many_runs_that_count(
    status: Status, counts: bool, max_runs: int, expected: Status, tries: int
) -> None:
    attempt = to_attempt(Outcome(ROW, status, error_code="Code", counts=counts), max_runs=max_runs)
    assert (attempt.status, attempt.tries, attempt.counts) == (expected, tries, counts)
    assert not attempt.is_verdict
