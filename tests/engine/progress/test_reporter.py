"""Progress reaches Airflow every few seconds, and nothing about it reaches the run."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_permitocr.engine.progress.facts import LedgerSums
from airflow_provider_permitocr.engine.progress.record import Recorded
from airflow_provider_permitocr.engine.progress.reporter import ProgressReporter
from airflow_provider_permitocr.errors import CapReachedError
from tests.support.recorded_runs import RecordedRun


class Warnings(list[str]):
    def warning(self, event: str) -> None:
        self.append(event)


class Ground:
    """A reporter over a run that never was; pushes fail while ``failing`` is set."""

    def __init__(self, run: RecordedRun | None = None) -> None:
        self.run = run or RecordedRun()
        self.pushed: list[Mapping[str, Any]] = []
        self.failing: Exception | None = None
        self.warnings = Warnings()
        self.reporter = ProgressReporter(
            self.run, self.push, Recorded(try_number=2), self.warnings, clock=lambda: self.run.seconds
        )

    def push(self, record: Mapping[str, Any]) -> None:
        if self.failing:
            raise self.failing
        self.pushed.append(record)


@pytest.fixture
def ground() -> Ground:
    return Ground()


def test_a_run_is_reported_at_its_start_and_with_its_sums_at_its_end(ground: Ground) -> None:
    with ground.reporter:
        pass
    assert ground.pushed[-1]["state"] == "done"
    assert ground.pushed[-1]["try_number"] == 2
    assert ground.pushed[-1]["sums"]["left_over"] == 12


def test_a_run_that_fails_is_reported_with_the_kind_of_its_error_and_not_its_words(ground: Ground) -> None:
    with pytest.raises(CapReachedError), ground.reporter:
        raise CapReachedError("permits of Chan Tai Man are left")
    last = ground.pushed[-1]
    assert (last["state"], last["why"]) == ("failed", "CapReachedError")
    assert "Chan" not in str(last)


def test_pushes_that_fail_are_logged_once_without_their_words_and_tried_ever_later(ground: Ground) -> None:
    ground.failing = ConnectionError("Bearer eyJhbGciOi")
    pauses = []
    for _ in range(8):
        ground.reporter.report()
        pauses.append(ground.reporter.pause_seconds)
    assert pauses[0] < pauses[1] < pauses[2]
    assert pauses[-1] == 60
    (warning,) = ground.warnings
    assert "ConnectionError" in warning
    assert "eyJ" not in warning


def test_a_push_that_works_again_is_as_frequent_as_before(ground: Ground) -> None:
    usual = ground.reporter.pause_seconds
    ground.failing = ConnectionError()
    ground.reporter.report()
    ground.failing = None
    ground.reporter.report()
    assert ground.reporter.pause_seconds == usual
    assert ground.pushed


def test_a_run_of_hours_is_reported_less_often_than_one_that_begins(ground: Ground) -> None:
    assert ground.reporter.pause_seconds == 2
    ground.run.seconds = 36_000
    assert ground.reporter.pause_seconds == 5


def test_a_ledger_that_is_down_is_said_once_and_progress_goes_on() -> None:
    ground = Ground(RecordedRun(sums_changed=None))
    ground.reporter.report()
    ground.reporter.report()
    assert len(ground.warnings) == 1
    assert [each["sums"] for each in ground.pushed] == [None, None]


def test_sums_that_take_long_are_read_rarely() -> None:
    asked: list[float] = []

    class Slow(RecordedRun):
        def sums(self) -> LedgerSums | None:
            asked.append(self.seconds)
            found = super().sums()
            self.seconds += 0.1
            return found

    ground = Ground(Slow())
    for _ in range(40):
        ground.reporter.report()
        ground.run.seconds += 2
    gaps = [after - before for before, after in pairwise(asked)]
    assert len(gaps) > 2
    assert min(gaps) >= 20


def test_a_ledger_that_is_not_prepared_yet_is_asked_again_at_once() -> None:
    asked: list[float] = []

    class Early(RecordedRun):
        def sums(self) -> LedgerSums | None:
            asked.append(self.seconds)
            return None

    ground = Ground(Early())
    ground.reporter.report()
    ground.reporter.report()
    assert len(asked) == 2


def test_a_push_that_hangs_holds_the_end_of_a_run_up_for_seconds_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("airflow_provider_permitocr.engine.progress.reporter._END_SECONDS", 0.05)
    release, entered = threading.Event(), threading.Event()
    ground = Ground()

    def hang(_: Mapping[str, Any]) -> None:
        entered.set()
        release.wait(30)

    reporter = ProgressReporter(ground.run, hang, Recorded(), ground.warnings)
    with reporter:
        assert entered.wait(10)
    assert not release.is_set()
    release.set()


def test_facts_that_cannot_be_counted_do_not_reach_the_run() -> None:
    ground = Ground()

    def broken() -> Any:
        raise RuntimeError

    ground.run.facts = broken  # type: ignore[method-assign]
    with ground.reporter:
        pass
    assert "cannot be counted" in ground.warnings[0]


def test_rates_are_made_of_counts_that_were_taken_at_their_moments() -> None:
    run = RecordedRun(images=10_000, per_second=10, failing={}, throttled=0)
    points = run.record(600)["points"]
    pairs = list(zip(points["seconds"], points["calls"], strict=True))
    rates = [(calls - before) / (at - since) for (since, before), (at, calls) in pairwise(pairs)][
        :-1
    ]  # the last two may be a moment apart
    assert rates == pytest.approx([10] * len(rates), abs=0.6)
