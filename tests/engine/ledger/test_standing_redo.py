"""Where an image stands that is to be recognized anew, that is gone, or of which something is said twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_permitocr.engine.ledger.calls import Attempt
from airflow_provider_permitocr.engine.ledger.standing import Standing
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status

KEY = ("k", CardSide.FRONT)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
LATER = NOW + timedelta(days=3)
ANSWER = Attempt(KEY, Status.RECOGNIZED, is_verdict=True, answer_id="call-1", request_id="r-1")
VERDICT = Attempt(KEY, Status.FAILED, is_verdict=True, error_code="NoCard", request_id="r-2")


def attempt(status: Status, code: str = "Code", **values: Any) -> Attempt:
    return Attempt(KEY, status, error_code=code, **values)


def to_redo(first: Attempt) -> Standing:
    """Have an image recognized anew, as the ledger marks it."""
    standing = Standing().after(first, order=1, now=NOW, run="run-1")
    return replace(standing, attempt_status=Status.REDO, tries=0, attempt_run=None)


@pytest.mark.parametrize("counts", [True, False])
def test_a_transient_error_leaves_an_image_to_be_redone(counts: bool) -> None:
    standing = to_redo(ANSWER)
    for number in range(3):
        tried = attempt(Status.RETRY, "Timeout", counts=counts, tries=number + counts)
        standing = standing.after(tried, order=2, now=LATER, run=f"run-{number}")
        assert (standing.attempt_status, standing.attempt_code) == (Status.REDO, "Timeout")
        assert (standing.status, standing.answer_id) == (Status.RECOGNIZED, "call-1")
        assert standing.tries == tried.tries


@pytest.mark.parametrize("status", [Status.FAILED, Status.REJECTED])
@pytest.mark.parametrize("is_verdict", [True, False])
def test_what_is_found_out_for_good_ends_it_and_leaves_the_answer(status: Status, is_verdict: bool) -> None:
    after = to_redo(ANSWER).after(attempt(status, is_verdict=is_verdict), order=2, now=LATER, run="run-2")
    assert (after.attempt_status, after.status, after.answer_id) == (status, Status.RECOGNIZED, "call-1")


def test_a_new_answer_ends_it_and_is_in_force() -> None:
    new = replace(ANSWER, answer_id="call-2", request_id="r-2")
    after = to_redo(ANSWER).after(new, order=2, now=LATER, run="run-2")
    assert (after.attempt_status, after.answer_id, after.processed_at) == (
        *(Status.RECOGNIZED, "call-2"),
        LATER,
    )


def test_the_same_verdict_of_a_new_call_is_a_new_verdict() -> None:
    for new in (replace(VERDICT, request_id="r-3"), VERDICT):
        after = to_redo(VERDICT).after(new, order=2, now=LATER, run="run-1")
        assert (after.attempt_status, after.processed_at, after.run) == (Status.FAILED, LATER, "run-1")


@pytest.mark.parametrize("first", [ANSWER, VERDICT], ids=["answer", "verdict"])
def test_an_image_to_redo_that_is_no_longer_listed_keeps_what_is_in_force(first: Attempt) -> None:
    before = to_redo(first)
    gone = before.after(attempt(Status.GONE, counts=False), order=2, now=LATER, run="run-2")
    assert gone == replace(before, attempt_status=Status.GONE, attempted_at=LATER)


def test_an_image_to_try_again_that_is_no_longer_listed_is_gone() -> None:
    before = Standing().after(attempt(Status.RETRY), order=1, now=NOW, run="run-1")
    gone = before.after(attempt(Status.GONE, counts=False), order=2, now=LATER, run="run-2")
    assert (gone.status, gone.attempt_status, gone.processed_at) == (Status.GONE, Status.GONE, NOW)
    assert (gone.error_code, gone.tries) == ("Code", 1)
    back = gone.after(ANSWER, order=3, now=LATER, run="run-3")
    assert (back.status, back.attempt_status) == (Status.RECOGNIZED, Status.RECOGNIZED)


@pytest.mark.parametrize("settled", [ANSWER, VERDICT, attempt(Status.REJECTED)], ids=lambda each: each.status)
def test_an_image_that_another_run_has_settled_meanwhile_is_not_gone(settled: Attempt) -> None:
    """Otherwise it would be paid for again once it is listed again."""
    standing = Standing().after(settled, order=1, now=NOW, run="run-1")
    gone = attempt(Status.GONE, counts=False)
    assert standing.after(gone, order=2, now=LATER, run="run-2") == standing


@pytest.mark.parametrize("request_id", ["r-2", None])
def test_a_verdict_that_is_noted_after_its_call_was_closed_with_it_came_about_once(
    request_id: str | None,
) -> None:
    verdict = replace(VERDICT, request_id=request_id, is_verdict=request_id is not None)
    closed = Standing().after(verdict, order=7, now=NOW, run="run-1")
    noted = closed.after(verdict, order=9, now=LATER, run="run-1")
    assert (noted.processed_at, noted.answer_order) == (NOW, closed.answer_order)


@pytest.mark.parametrize(
    "changes",
    [
        {"request_id": "r-3"},
        {"error_code": "OcrFailed"},
        {"updated_at": NOW},
        {"status": Status.REJECTED},
    ],
    ids=str,
)
def test_another_verdict_is_a_new_one(changes: dict[str, Any]) -> None:
    closed = Standing().after(VERDICT, order=7, now=NOW, run="run-1")
    assert closed.after(replace(VERDICT, **changes), order=9, now=LATER, run="run-1").processed_at == LATER


def test_the_same_verdict_in_another_run_is_a_new_one() -> None:
    closed = Standing().after(VERDICT, order=7, now=NOW, run="run-1")
    assert closed.after(VERDICT, order=9, now=LATER, run="run-2").processed_at == LATER
