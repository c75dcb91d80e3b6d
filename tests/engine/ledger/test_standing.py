"""An attempt never replaces an answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.call.outcomes import to_attempt
from airflow_provider_permitocr.engine.ledger.calls import Attempt
from airflow_provider_permitocr.engine.ledger.standing import Standing
from airflow_provider_permitocr.engine.models import ImageFacts, ImageRow, Outcome, Previous
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status

KEY = ("k", CardSide.FRONT)
UPLOADED = datetime(2026, 1, 1, tzinfo=UTC)
CHANGED = UPLOADED + timedelta(days=2)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
LATER = NOW + timedelta(days=3)
OLD, NEW = ImageFacts("JPEG", digest="old"), ImageFacts("PNG", digest="new")
IN_FORCE = (
    *("status", "error_code", "error_message", "request_id", "answer_id", "answer_order"),
    *("reused_from", "facts", "updated_at", "processed_at", "run"),
)


def answer(call_id: str = "call-1", updated_at: datetime | None = UPLOADED, **values: Any) -> Attempt:
    known: dict[str, Any] = {"is_verdict": True, "facts": OLD, "request_id": f"r-{call_id}"}
    return Attempt(KEY, Status.RECOGNIZED, answer_id=call_id, updated_at=updated_at, **(known | values))


def attempt(status: Status, code: str, *, is_verdict: bool = False, **values: Any) -> Attempt:
    known: dict[str, Any] = {"updated_at": CHANGED, "facts": NEW, "error_message": "words"}
    return Attempt(KEY, status, error_code=code, is_verdict=is_verdict, **(known | values))


def in_force(standing: Standing) -> dict[str, Any]:
    return {name: getattr(standing, name) for name in IN_FORCE}


@pytest.fixture
def answered() -> Standing:
    return Standing().after(answer(), order=7, now=NOW, run="run-1")


def test_the_first_answer_is_in_force_and_is_the_last_attempt(answered: Standing) -> None:
    assert in_force(answered) == {
        "status": Status.RECOGNIZED,
        "error_code": None,
        "error_message": None,
        "request_id": "r-call-1",
        "answer_id": "call-1",
        "answer_order": 7,
        "reused_from": None,
        "facts": OLD,
        "updated_at": UPLOADED,
        "processed_at": NOW,
        "run": "run-1",
    }
    assert (answered.attempt_status, answered.attempted_at) == (Status.RECOGNIZED, NOW)
    assert (answered.attempt_run, answered.tries) == ("run-1", 1)


@pytest.mark.parametrize(
    "tried",
    [
        pytest.param(attempt(Status.RETRY, "ImageNotFound"), id="file missing"),
        pytest.param(attempt(Status.RETRY, "DownloadFailed", counts=False), id="outage"),
        pytest.param(attempt(Status.REJECTED, "ImageTooLarge"), id="rejection"),
        pytest.param(attempt(Status.FAILED, "InternalError", tries=3), id="giving up"),
        pytest.param(attempt(Status.FAILED, "CallOutcomeUnknown"), id="unknown outcome"),
        pytest.param(
            attempt(Status.FAILED, "NoCard", is_verdict=True, updated_at=UPLOADED), id="verdict, unchanged"
        ),
        pytest.param(
            attempt(Status.FAILED, "NoCard", is_verdict=True, updated_at=None), id="verdict, nothing known"
        ),
    ],
)
def test_an_attempt_is_noted_beside_the_answer_in_force(answered: Standing, tried: Attempt) -> None:
    after = answered.after(tried, order=9, now=LATER, run="run-2")
    assert in_force(after) == in_force(answered)
    assert (after.attempt_status, after.attempt_code) == (tried.status, tried.error_code)
    assert (after.attempted_at, after.attempt_updated_at) == (LATER, tried.updated_at)


def test_a_verdict_about_a_changed_image_replaces_the_answer(answered: Standing) -> None:
    after = answered.after(
        attempt(Status.FAILED, "NoCard", is_verdict=True, request_id="r-2"), order=9, now=LATER, run="run-2"
    )
    assert (after.status, after.error_code, after.answer_id) == (Status.FAILED, "NoCard", None)
    assert (after.request_id, after.facts, after.updated_at) == ("r-2", NEW, CHANGED)
    assert (after.processed_at, after.run) == (LATER, "run-2")


def test_where_the_answer_tells_no_change_time_the_verdict_is_compared_with_when_it_came() -> None:
    answered = Standing().after(answer(updated_at=None), order=7, now=NOW, run=None)
    verdict = attempt(Status.FAILED, "NoCard", is_verdict=True)
    assert answered.after(verdict, order=8, now=LATER, run=None).status is Status.FAILED
    early = replace(verdict, updated_at=NOW - timedelta(seconds=1))
    assert answered.after(early, order=8, now=LATER, run=None).status is Status.RECOGNIZED


@pytest.mark.parametrize("status", [Status.RETRY, Status.REJECTED, Status.FAILED])
def test_what_is_no_answer_gives_way_to_any_attempt(status: Status) -> None:
    before = Standing().after(attempt(Status.FAILED, "First"), order=1, now=NOW, run=None)
    after = before.after(attempt(status, "Second"), order=2, now=LATER, run=None)
    assert (after.status, after.error_code, after.processed_at) == (status, "Second", LATER)
    assert after.after(answer(), order=3, now=LATER, run=None).answer_id == "call-1"


def test_a_newer_answer_replaces_an_older_one(answered: Standing) -> None:
    after = answered.after(answer("call-2", CHANGED, facts=NEW), order=8, now=LATER, run="run-2")
    assert (after.answer_id, after.answer_order, after.updated_at) == ("call-2", 8, CHANGED)


def test_an_earlier_calls_answer_that_comes_late_changes_nothing(answered: Standing) -> None:
    assert answered.after(answer("call-0", CHANGED), order=6, now=LATER, run="run-2") == answered


def test_an_answer_after_a_verdict_is_in_force_again(answered: Standing) -> None:
    verdict = attempt(Status.FAILED, "NoCard", is_verdict=True)
    failed = answered.after(verdict, order=8, now=LATER, run=None)
    assert failed.after(answer("call-0"), order=6, now=LATER, run=None) == failed
    assert failed.after(answer("call-3", CHANGED), order=9, now=LATER, run=None).answer_id == "call-3"


def test_an_answer_that_is_taken_from_another_image_names_it(answered: Standing) -> None:
    after = answered.after(answer("call-9", reused_from="other"), order=9, now=LATER, run=None)
    assert (after.answer_id, after.reused_from) == ("call-9", "other")


moments = st.sampled_from([None, UPLOADED, NOW, CHANGED, LATER])
attempts = st.builds(
    Attempt,
    st.just(KEY),
    st.sampled_from([Status.RETRY, Status.REJECTED, Status.FAILED]),
    tries=st.integers(0, 5),
    counts=st.booleans(),
    is_verdict=st.booleans(),
    updated_at=moments,
    error_code=st.just("Code"),
    facts=st.just(NEW),
    carried=st.just({"department": "b"}),
)


def _is_about_a_changed_image(tried: Attempt) -> bool:
    return tried.is_verdict and tried.updated_at is not None and tried.updated_at > UPLOADED


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            attempts.filter(lambda tried: not _is_about_a_changed_image(tried)),
            st.sampled_from(["a", "b", None]),
        ),
        max_size=8,
    )
)
def test_no_attempts_ever_lose_an_answer_but_verdicts_about_a_changed_image(
    tried: list[tuple[Attempt, str | None]],
) -> None:
    answered = standing = Standing().after(answer(), order=7, now=NOW, run="run-1")
    for order, (each, run) in enumerate(tried, start=8):
        standing = standing.after(each, order=order, now=LATER, run=run)
        assert in_force(standing) == in_force(answered)
        assert (standing.attempt_status, standing.attempt_updated_at) == (each.status, each.updated_at)
        assert standing.carried == each.carried


@given(st.permutations(range(1, 6)))
def test_of_several_answers_the_latest_calls_is_in_force_in_whatever_order_they_come(
    orders: list[int],
) -> None:
    standing = Standing()
    for order in orders:
        standing = standing.after(answer(f"call-{order}"), order=order, now=NOW, run=None)
    assert (standing.answer_id, standing.answer_order) == ("call-5", 5)


def _try(
    standing: Standing, run: str, *, counts: bool = True, updated_at: datetime | None = None
) -> Standing:
    """Try once as a run does, giving up for now; three runs at most."""
    previous = standing.previous(run)
    row = ImageRow("k", "https://x/k", updated_at=updated_at, tries=previous.tries if previous else 0)
    outcome = Outcome(row, Status.RETRY, error_code="Code", counts=counts)
    return standing.after(to_attempt(outcome, max_runs=3), order=1, now=NOW, run=run)


def test_dag_runs_are_counted_and_not_the_tries_of_one() -> None:
    standing = Standing()
    seen = []
    for run in ("1", "1", "1", "2", "2", "3"):
        standing = _try(standing, run)
        seen.append((standing.status, standing.tries))
    assert seen == [(Status.RETRY, 1)] * 3 + [(Status.RETRY, 2)] * 2 + [(Status.FAILED, 3)]


def test_what_does_not_count_never_becomes_failed() -> None:
    standing = Standing()
    for run in range(20):
        standing = _try(standing, str(run), counts=False)
        assert (standing.status, standing.tries) == (Status.RETRY, 0)


def test_an_outage_in_a_later_try_does_not_take_back_what_has_counted() -> None:
    standing = _try(_try(Standing(), "1"), "1", counts=False)
    assert standing.tries == 1
    standing = _try(_try(standing, "2", counts=False), "2")
    assert standing.tries == 2
    assert _try(standing, "3").status is Status.FAILED


def test_previous_is_what_the_last_attempt_came_to(answered: Standing) -> None:
    assert Standing().previous("run-1") is None
    tried = answered.after(attempt(Status.RETRY, "Code"), order=9, now=LATER, run="run-2")
    assert tried.previous("run-3") == Previous(Status.RETRY, 1, CHANGED)
    assert tried.previous("run-2") == Previous(Status.RETRY, 0, CHANGED)
    assert tried.previous(None) == Previous(Status.RETRY, 1, CHANGED)


def test_previous_of_a_list_without_change_times_tells_when_it_was_tried() -> None:
    standing = Standing().after(answer(updated_at=None), order=1, now=NOW, run="run-1")
    assert standing.previous("run-2") == Previous(Status.RECOGNIZED, 1, NOW)


def test_a_late_answer_to_an_earlier_call_does_not_replace_a_verdict_about_the_changed_image() -> None:
    refused = Standing().after(
        attempt(Status.FAILED, "FailedOperation.ImageNoText", is_verdict=True), order=9, now=NOW, run="run-2"
    )
    late = refused.after(answer(), order=7, now=LATER, run="run-1")
    assert late == refused
    assert refused.after(answer("call-3", CHANGED), order=11, now=LATER, run="run-3").answer_id == "call-3"
