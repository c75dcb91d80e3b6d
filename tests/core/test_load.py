from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from airflow_provider_permitocr.core.load import Loader
from airflow_provider_permitocr.core.models import ImageRow, Outcome, Status
from airflow_provider_permitocr.core.options import Batch

if TYPE_CHECKING:
    from tests.core.conftest import FakeClock, FakeTarget

NewLoader = Callable[..., Loader]


@pytest.fixture
def target(new_target: type[FakeTarget]) -> FakeTarget:
    return new_target()


@pytest.fixture
def loader(target: FakeTarget, clock: FakeClock) -> NewLoader:
    def make(**batch: float) -> Loader:
        described = Batch(**batch)  # type: ignore[arg-type]
        now = datetime(2026, 1, 31, tzinfo=UTC)
        return Loader(target, described, max_tries=3, run_id="r", clock=clock, now=lambda: now)

    return make


def outcomes(*keys: int) -> list[Outcome]:
    return [Outcome(ImageRow(str(key), b"an image"), Status.RECOGNIZED) for key in keys]


def sizes(target: FakeTarget) -> list[int]:
    return [len(batch) for batch in target.batches]


def test_a_batch_is_written_once_it_has_its_rows(loader: NewLoader, target: FakeTarget) -> None:
    loading = loader(rows=7, seconds=3600)
    written = []
    for key in range(20):
        loading.add(outcomes(key))
        written.append(loading.write_if_due())
    assert (written[6], written[13], sum(written), sizes(target)) == (7, 7, 14, [7, 7])
    assert loading.write() == 6


def test_many_answers_at_once_are_written_in_batches_of_the_size_asked_for(
    loader: NewLoader, target: FakeTarget
) -> None:
    loading = loader(rows=7, seconds=3600)
    loading.add(outcomes(*range(20)))
    assert loading.write_if_due() == 14
    assert loading.write() == 6
    assert sizes(target) == [7, 7, 6]


def test_an_answer_waits_no_longer_than_the_seconds_asked_for(
    loader: NewLoader, target: FakeTarget, clock: FakeClock
) -> None:
    loading = loader(rows=1000, seconds=4)
    for key in range(12):
        clock.now += 1
        loading.add(outcomes(key))
        loading.write_if_due()
    assert sizes(target) == [4, 4, 4]


def test_nothing_is_written_where_nothing_waits(
    loader: NewLoader, target: FakeTarget, clock: FakeClock
) -> None:
    loading = loader(rows=1, seconds=4)
    clock.now += 60
    assert (loading.write_if_due(), loading.write(), target.batches) == (0, 0, [])


def test_answers_whose_write_failed_are_written_by_the_next_one(
    loader: NewLoader, target: FakeTarget
) -> None:
    def refuse() -> None:
        raise OSError

    loading = loader(rows=2, seconds=3600)
    loading.add(outcomes(1, 2, 3))
    target.before_write = refuse
    with pytest.raises(OSError):  # noqa: PT011 - any
        loading.write_if_due()
    target.before_write = lambda: None
    assert loading.write() == 3
    assert loading.statuses == {"recognized": 3}


def test_an_answer_that_waits_for_its_write_keeps_no_image_in_memory(loader: NewLoader) -> None:
    loading = loader(rows=1000, seconds=3600)
    answered = outcomes(1)
    loading.add(answered)
    assert b"an image" not in [value for each in loading._waiting for value in each.values()]
