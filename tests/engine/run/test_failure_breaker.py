from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.models import ImageRow, Outcome
from airflow_provider_permitocr.engine.run.failure_breaker import FailureWatch
from airflow_provider_permitocr.errors import CallError, Decision, TooManyFailuresError
from airflow_provider_permitocr.options.run import CallRetry, FailureLimits
from airflow_provider_permitocr.permit.status import Status

if TYPE_CHECKING:
    from tests.engine.conftest import Bench, FakeClient

NEVER = FailureLimits(stop_after=None)


def ended(status: Status, code: str | None = None, key: str = "k") -> Outcome:
    return Outcome(ImageRow(key, None), status, error_code=code, error_message="words")


def failed(code: str = "Some.Code", status: Status = Status.FAILED) -> Outcome:
    return ended(status, code)


GOOD = ended(Status.RECOGNIZED)


def test_so_many_in_a_row_that_fail_alike_stop_the_run_and_say_with_what() -> None:
    watch = FailureWatch(FailureLimits(stop_after=3))
    watch.add([failed(), failed()])
    with pytest.raises(
        TooManyFailuresError, match=r"3 consecutive images .* Some\.Code \(words\).*key 'k9'.*stop_after"
    ):
        watch.add([ended(Status.FAILED, "Some.Code", "k9")])


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("FailedOperation.ImageNoSpecifiedCard", "fronts are sent as BACK.*card_side"),
        ("FailedOperation.CardSideError", "card_side"),
        ("FailedOperation.DownLoadError", "fetch_images=True"),
        ("ImageNotFound", "mount"),
        ("ImageStoreMissing", "connection"),
        ("Some.Code", "Correct the cause"),
    ],
)
def test_a_series_says_what_it_usually_comes_from(code: str, says: str) -> None:
    watch = FailureWatch(FailureLimits(stop_after=2))
    with pytest.raises(TooManyFailuresError, match=says):
        watch.add([failed(code), failed(code)])


@pytest.mark.parametrize(
    "between",
    [GOOD, failed("Other.Code"), failed("Other.Code", Status.RETRY)],
    ids=["recognized", "other code", "other code for now"],
)
def test_whatever_ends_otherwise_begins_the_count_anew(between: Outcome) -> None:
    watch = FailureWatch(FailureLimits(stop_after=3))
    watch.add([failed(), failed(), between, failed(), failed()])


def test_what_is_rejected_before_a_call_neither_counts_nor_interrupts() -> None:
    watch = FailureWatch(FailureLimits(stop_after=3))
    rejected = ended(Status.REJECTED, "ImageEmpty")
    watch.add([rejected] * 10 + [failed(), failed()] + [rejected] * 10)
    with pytest.raises(TooManyFailuresError):
        watch.add([failed(status=Status.RETRY)])


def test_a_share_counts_from_the_least_number_on() -> None:
    watch = FailureWatch(FailureLimits(stop_after=None, max_failed_ratio=0.5, min_images=10))
    watch.add([failed()] * 6 + [GOOD] * 3)
    with pytest.raises(TooManyFailuresError, match=r"6 of 10 images failed.*max_failed_ratio 0\.5"):
        watch.add([GOOD])


@given(st.lists(st.booleans(), max_size=60), st.floats(0, 1), st.integers(1, 30))
def test_a_share_is_kept_exactly(good: list[bool], ratio: float, least: int) -> None:
    watch = FailureWatch(FailureLimits(stop_after=None, max_failed_ratio=ratio, min_images=least))
    for done in range(1, len(good) + 1):
        is_over = done >= least and good[:done].count(False) > ratio * done
        outcome = [GOOD if good[done - 1] else failed()]
        if is_over:
            with pytest.raises(TooManyFailuresError):
                watch.add(outcome)
            return
        watch.add(outcome)


def test_without_limits_nothing_stops() -> None:
    FailureWatch(NEVER).add([failed()] * 10_000)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"stop_after": 0}, "stop_after must be a whole number of 1 or more"),
        ({"max_failed_ratio": 1.1}, "max_failed_ratio must be a number, 0 or more and 1 at most"),
        ({"max_failed_ratio": -0.1}, "max_failed_ratio must be a number, 0 or more and 1 at most"),
        ({"max_failed_ratio": float("nan")}, "max_failed_ratio must be a number, 0 or more and 1 at most"),
        ({"min_images": 0}, "min_images must be a whole number of 1 or more"),
    ],
)
def test_nonsense_is_refused(limits: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FailureLimits(**limits)  # type: ignore[arg-type]


def test_a_run_that_fails_alike_stops_writes_what_it_knows_and_goes_on_next_time(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    refused = CallError("FailedOperation.ImageNoText", "no text", Decision.IMAGE)
    client = new_client({bench.url(key): refused for key in range(10, 200)})
    limits = FailureLimits(stop_after=20)
    with pytest.raises(TooManyFailuresError, match=r"FailedOperation\.ImageNoText"):
        bench.run(bench.images(200), client, max_per_second=500, failure_limits=limits)
    asked = set(client.asked)
    assert 20 <= len(asked) < 150
    assert {bench.url(key) for key in bench.ledger.statuses} == asked
    rest = new_client()
    bench.run(bench.images(200), rest, failure_limits=limits)
    assert not asked & set(rest.asked)
    assert len(bench.statuses) == 200


def test_a_share_that_is_not_there_uses_up_one_try_of_few_images(bench: Bench) -> None:
    """A mount that is missing must not use up the tries of a whole list."""
    rows = [ImageRow(str(key), f"/nowhere/{key}.png") for key in range(500)]
    with pytest.raises(TooManyFailuresError, match="ImageNotFound"):
        bench.run(rows, call_retry=CallRetry(attempts=1))
    assert 0 < len(bench.ledger.statuses) < 200
