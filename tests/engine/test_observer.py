"""Observers are told what happens in a run, and can do it no harm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.engine.observer import CallFacts, DeliveryFacts, Observers, RunObserver
from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.errors import CallError, Decision, UnreachableError

if TYPE_CHECKING:
    from tests.engine.conftest import Bench, FakeClient


class Noted(RunObserver):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.calls: list[CallFacts] = []
        self.images: Counter[str] = Counter()
        self.deliveries: list[DeliveryFacts] = []
        self.ends: list[RunSummary] = []

    def on_call(self, call: CallFacts) -> None:
        self.calls.append(call)

    def on_image(self, status: str) -> None:
        self.images[status] += 1

    def on_delivery(self, delivery: DeliveryFacts) -> None:
        self.deliveries.append(delivery)

    def on_end(self, summary: RunSummary) -> None:
        self.ends.append(summary)


class Broken(RunObserver):
    """Fails whatever it is told."""

    def on_call(self, call: CallFacts) -> None:
        raise OSError("no such host as metrics.example.com")

    def on_end(self, summary: RunSummary) -> None:
        raise OSError("no such host as metrics.example.com")


@pytest.fixture
def noted(bench: Bench) -> Noted:
    noted = Noted()
    bench.observers = Observers([noted])
    return noted


def test_each_call_image_and_batch_is_told_once(
    bench: Bench, noted: Noted, new_client: type[FakeClient], racing_clock: Callable[[], float]
) -> None:
    blurred = CallError("FailedOperation.ImageBlur", "blurred", Decision.IMAGE, billed=False)
    client = new_client({bench.url(0): blurred})
    summary = bench.run([*bench.images(20), ImageRow("empty", b"")], client, clock=racing_clock)
    assert Counter(call.code for call in noted.calls) == {"OK": 19, "FailedOperation.ImageBlur": 1}
    assert sum(call.billed is True for call in noted.calls) == summary.billed == 19
    assert all(call.seconds > 0 for call in noted.calls)
    assert noted.images == summary.statuses == {"recognized": 19, "failed": 1, "rejected": 1}
    assert sum(each.rows for each in noted.deliveries) == 21
    assert {each.target for each in noted.deliveries} == {"warehouse:permits"}
    assert noted.ends == [summary]


def test_a_throttled_call_is_told_as_such(bench: Bench, noted: Noted, new_client: type[FakeClient]) -> None:
    asked: list[str] = []

    def refuse_once(url: str) -> None:
        asked.append(url)
        if len(asked) == 1:
            raise CallError("RequestLimitExceeded", "too many", Decision.THROTTLE, billed=False)

    bench.run(bench.images(1), new_client(before=refuse_once))
    assert [call.is_throttled for call in noted.calls] == [True, False]


@pytest.mark.slow
def test_a_table_that_is_down_is_told(bench: Bench, noted: Noted) -> None:
    down = [True]

    def fail_once(*_: object) -> None:
        if down:
            down.clear()
            raise UnreachableError("the table is down")

    bench.target.before_write = fail_once
    bench.run(bench.images(2))
    assert [each.has_failed for each in noted.deliveries][:2] == [True, False]


def test_the_end_of_a_run_that_fails_is_told(
    bench: Bench, noted: Noted, new_client: type[FakeClient]
) -> None:
    def stop(_url: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.run(bench.images(3), new_client(before=stop))
    assert [each.ended_by for each in noted.ends] == ["KeyboardInterrupt"]


def test_one_that_fails_harms_neither_the_run_nor_the_others(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    noted = Noted()
    bench.observers = Observers([Broken(), noted])
    assert bench.run(bench.images(3)).statuses == {"recognized": 3}
    assert len(noted.calls) == 3
    warnings = [each.getMessage() for each in caplog.records if "Broken" in each.getMessage()]
    # Its own words may quote what it was told.
    assert warnings == ["Broken failed (OSError); the run itself is not affected"]
