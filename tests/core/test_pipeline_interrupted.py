from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from airflow_provider_permitocr.core.errors import (
    AccountError,
    CallError,
    Decision,
    RunStoppedError,
    ThrottledTooLongError,
)
from airflow_provider_permitocr.core.models import ImageRow
from airflow_provider_permitocr.core.options import Batch, CallRetry

if TYPE_CHECKING:
    from tests.core.conftest import Bench, FakeClient, FakeSource, FakeTarget

ARREARS = CallError("ResourceUnavailable.InArrears", "pay first", Decision.ACCOUNT)
THROTTLED = CallError("RequestLimitExceeded", "slow down", Decision.THROTTLE)


def test_a_fault_of_the_account_stops_the_run_and_blames_no_image(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    client = new_client({bench.url(20): ARREARS})
    with pytest.raises(AccountError, match="InArrears"):
        bench.run(bench.images(500), client, max_at_once=4)
    assert set(bench.statuses.values()) == {"recognized"}
    assert "20" not in bench.statuses
    answered = set(client.asked) - {bench.url(20)}
    assert {bench.url(key) for key in bench.statuses} == answered
    assert len(answered) < 40


def test_throttling_without_end_stops_the_run_and_leaves_the_images(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    client = new_client({bench.url(key): THROTTLED for key in range(5)})
    with pytest.raises(ThrottledTooLongError):
        bench.run(
            bench.images(5),
            client,
            max_per_second=1000,
            clock=lambda: time.monotonic() * 100,
            call_retry=CallRetry(max_throttled_seconds=0),
        )
    assert bench.statuses == {}


def test_stopped_midway_what_was_answered_is_written_and_the_rest_left(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    client = new_client(before=lambda asked: bench.stop.set() if asked == bench.url(30) else None)
    with pytest.raises(RunStoppedError, match="the rest is left"):
        bench.run(bench.images(500), client)
    assert {bench.url(key) for key in bench.statuses} == set(client.asked)
    rest = new_client()
    bench.run(bench.images(500), rest)
    assert not set(rest.asked) & set(client.asked)
    assert len(bench.target.rows) == 500


def test_stopping_ends_a_search_through_what_is_settled_too(
    bench: Bench, new_source: type[FakeSource]
) -> None:
    bench.run(bench.images(500))
    source = new_source(bench.images(500), page_rows=10, before_page=bench.stop.set)
    with pytest.raises(RunStoppedError):
        bench.run(source)
    assert source.read == 10


def failing_writes(*numbers: int) -> Callable[[], None]:
    """Fail the writes of these numbers, counted from 1."""
    count = itertools.count(1)

    def before_write() -> None:
        if next(count) in numbers:
            raise ConnectionError("the database went away")

    return before_write


def test_a_failed_write_is_tried_again_at_the_end_with_all_that_was_in_flight(
    bench: Bench, new_client: type[FakeClient], new_target: type[FakeTarget]
) -> None:
    bench.target = new_target(failing_writes(1))
    together = threading.Barrier(4, timeout=30)
    first_four = {bench.url(key) for key in range(4)}

    def answer_the_first(asked: str) -> None:
        if asked in first_four:
            together.wait()
        # The others are still in flight when its write fails.
        assert asked == bench.url(0) or bench.stop.wait(30)

    client = new_client(before=answer_the_first)
    with pytest.raises(ConnectionError):
        bench.run(bench.images(500), client, max_at_once=4, batch=Batch(rows=1))
    assert 4 <= len(client.asked) <= 5
    assert {bench.url(key) for key in bench.statuses} == set(client.asked)


def test_a_write_that_keeps_failing_raises_and_the_next_run_asks_again(
    bench: Bench, new_target: type[FakeTarget], new_client: type[FakeClient]
) -> None:
    bench.target = new_target(failing_writes(1, 2))
    with pytest.raises(ConnectionError):
        bench.run(bench.images(3), batch=Batch(rows=1))
    assert bench.statuses == {}
    bench.run(bench.images(3))
    assert len(bench.statuses) == 3


def test_an_answer_is_written_in_time_while_settled_rows_are_read(
    bench: Bench,
    new_client: type[FakeClient],
    new_source: type[FakeSource],
    racing_clock: Callable[[], float],
) -> None:
    bench.run(bench.images(400))
    answered, read_at_write = threading.Event(), list[int]()

    def read_slowly() -> None:
        if source.read > 10:
            answered.wait(30)
            time.sleep(0 if read_at_write else 0.02)

    source = new_source(
        [ImageRow("new", bench.url("new")), *bench.images(400)], page_rows=5, before_page=read_slowly
    )
    bench.target.before_write = lambda: read_at_write.append(source.read)
    bench.run(
        source,
        new_client(before=lambda asked: answered.set()),
        clock=racing_clock,
        batch=Batch(rows=1000, seconds=1),
    )
    assert bench.statuses["new"] == "recognized"
    assert read_at_write[0] < 400


def test_progress_is_told_while_settled_rows_are_read(
    bench: Bench, racing_clock: Callable[[], float]
) -> None:
    bench.run(bench.images(400))
    bench.lines.clear()
    bench.run(bench.images(400), clock=racing_clock)
    assert len(bench.lines) > 3
    assert "390 of 400 images done (97.5%), 390 of them earlier" in bench.lines[-1]
