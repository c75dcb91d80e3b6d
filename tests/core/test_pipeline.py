from __future__ import annotations

import itertools
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_permitocr.core.api import CardSide
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

CHANGED = datetime(2026, 1, 1, tzinfo=UTC)
NO_PERMIT = CallError("FailedOperation.ImageNoSpecifiedCard", "no card", Decision.IMAGE)
PASSING = CallError("InternalError", "try later", Decision.RETRY)
ARREARS = CallError("ResourceUnavailable.InArrears", "pay first", Decision.ACCOUNT)
THROTTLED = CallError("RequestLimitExceeded", "slow down", Decision.THROTTLE)
ENDINGS = {"recognized": None, "failed": NO_PERMIT, "retry": PASSING, "rejected": None}


def url(key: object) -> str:
    return f"https://x/{key}"


def images(number: int, updated_at: datetime | None = None) -> list[ImageRow]:
    return [ImageRow(str(key), url(key), updated_at=updated_at) for key in range(number)]


def running_fast() -> Callable[[], float]:
    """A clock that runs so fast that no second of the gateway is really waited for."""
    ticks = itertools.count(step=0.5)
    return lambda: next(ticks)


@settings(max_examples=40)
@given(st.lists(st.sampled_from(list(ENDINGS)), max_size=35), st.integers(1, 6), st.integers(1, 12))
def test_every_row_ends_as_exactly_one_record(
    new_bench: type[Bench],
    new_client: type[FakeClient],
    new_source: type[FakeSource],
    endings: list[str],
    max_at_once: int,
    rows_per_batch: int,
) -> None:
    bench = new_bench()
    rows = [
        ImageRow(str(key), b"GIF89a" if ending == "rejected" else url(key))
        for key, ending in enumerate(endings)
    ]
    answers = {url(key): error for key, ending in enumerate(endings) if (error := ENDINGS[ending])}
    summary = bench.run(
        new_source(rows, page_rows=4),
        new_client(answers),
        max_at_once=max_at_once,
        batch=Batch(rows=rows_per_batch),
    )
    assert bench.statuses == {str(key): ending for key, ending in enumerate(endings)}
    assert sum(map(len, bench.target.batches)) == len(endings)
    assert summary.statuses == Counter(endings)
    assert (summary.listed, summary.skipped) == (len(endings), 0)
    assert sum(summary.error_codes.values()) == len(endings) - endings.count("recognized")
    assert summary.calls == len(endings) - endings.count("rejected") + endings.count("retry")


def test_both_sides_of_one_key_are_two_rows(bench: Bench) -> None:
    bench.run([ImageRow("k", url(1), CardSide.FRONT), ImageRow("k", url(2), CardSide.BACK)])
    assert set(bench.target.rows) == {("k", "FRONT"), ("k", "BACK")}


def test_rows_tell_when_and_by_which_run_they_were_made(bench: Bench) -> None:
    bench.run([ImageRow("k", url(1), updated_at=CHANGED)])
    (row,) = bench.target.rows.values()
    assert (row["processed_at"], row["run_id"], row["image_updated_at"]) == (bench.now, "run 1", CHANGED)


def test_what_is_settled_is_not_paid_for_again(bench: Bench, new_client: type[FakeClient]) -> None:
    rows = [*images(9), ImageRow("gif", b"GIF89a")]
    bench.run(rows, new_client({url(3): NO_PERMIT}))
    again = new_client()
    summary = bench.run(rows, again)
    assert again.asked == []
    assert (summary.listed, summary.skipped, summary.statuses, summary.calls) == (10, 10, {}, 0)


def test_a_changed_image_is_asked_for_anew_and_counts_its_tries_anew(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    failing = new_client({url(1): PASSING, url(0): NO_PERMIT})
    for _ in range(2):
        bench.run(images(3, CHANGED), failing)
    later = CHANGED + timedelta(hours=1)
    again = new_client()
    bench.run([*images(2, later), *images(3, CHANGED)[2:]], again)
    assert sorted(again.asked) == [url(0), url(1)]
    written = {key: (row["tries"], row["image_updated_at"]) for (key, _), row in bench.target.rows.items()}
    assert written == {"0": (1, later), "1": (1, later), "2": (1, CHANGED)}


def test_what_was_given_up_for_a_while_is_tried_by_later_runs_until_it_failed(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    seen = []
    for _ in range(4):
        client = new_client({url(1): PASSING})
        bench.run(images(2), client, max_tries=3)
        row = bench.target.rows["1", "FRONT"]
        seen.append((row["status"], row["tries"], client.asked.count(url(1))))
    assert seen == [("retry", 1, 2), ("retry", 2, 2), ("failed", 3, 2), ("failed", 3, 0)]


def test_a_fault_of_the_account_stops_the_run_and_blames_no_image(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    client = new_client({url(20): ARREARS})
    with pytest.raises(AccountError, match="InArrears"):
        bench.run(images(500), client, max_at_once=4)
    assert set(bench.statuses.values()) == {"recognized"}
    assert "20" not in bench.statuses
    answered = set(client.asked) - {url(20)}
    assert {url(key) for key in bench.statuses} == answered
    assert len(answered) < 40


def test_throttling_without_end_stops_the_run_and_leaves_the_images(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    client = new_client({url(key): THROTTLED for key in range(5)})
    with pytest.raises(ThrottledTooLongError):
        bench.run(images(5), client, clock=running_fast(), call_retry=CallRetry(max_throttled_seconds=0))
    assert bench.statuses == {}


def test_stopped_midway_what_was_answered_is_written_and_the_rest_left(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    client = new_client(before=lambda asked: bench.stop.set() if asked == url(30) else None)
    with pytest.raises(RunStoppedError, match="the rest is left"):
        bench.run(images(500), client)
    assert {url(key) for key in bench.statuses} == set(client.asked)
    rest = new_client()
    bench.run(images(500), rest)
    assert not set(rest.asked) & set(client.asked)
    assert len(bench.target.rows) == 500


def test_stopping_ends_a_search_through_what_is_settled_too(
    bench: Bench, new_source: type[FakeSource]
) -> None:
    bench.run(images(500))
    source = new_source(images(500), page_rows=10, before_page=bench.stop.set)
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
    # The first answer is there at once; the others are still in flight when its write fails.
    client = new_client(before=lambda asked: asked == url(0) or bench.stop.wait(30))
    with pytest.raises(ConnectionError):
        bench.run(images(500), client, max_at_once=4, batch=Batch(rows=1))
    assert len(client.asked) >= 4
    assert {url(key) for key in bench.statuses} == set(client.asked)


def test_a_write_that_keeps_failing_raises_and_the_next_run_asks_again(
    bench: Bench, new_target: type[FakeTarget], new_client: type[FakeClient]
) -> None:
    bench.target = new_target(failing_writes(1, 2))
    with pytest.raises(ConnectionError):
        bench.run(images(3), batch=Batch(rows=1))
    assert bench.statuses == {}
    bench.run(images(3))
    assert len(bench.statuses) == 3


def test_answers_are_committed_by_rows(bench: Bench) -> None:
    bench.run(images(100), max_at_once=1, batch=Batch(rows=7, seconds=3600))
    assert [len(batch) for batch in bench.target.batches] == [7] * 14 + [2]


def test_answers_are_committed_by_seconds(bench: Bench, new_client: type[FakeClient]) -> None:
    # A call takes a second, and no other time passes.
    seconds = itertools.count(1)
    now = 0.0

    def call(asked: str) -> None:
        nonlocal now
        now = float(next(seconds))

    bench.run(
        images(20),
        new_client(before=call),
        max_at_once=1,
        clock=lambda: now,
        batch=Batch(rows=1000, seconds=4),
    )
    assert [len(batch) for batch in bench.target.batches] == [4] * 5


def test_throttled_calls_are_repeated_and_counted(bench: Bench, new_client: type[FakeClient]) -> None:
    throttles = itertools.count(1)

    def throttle_twice(asked: str) -> None:
        if asked == url(1) and next(throttles) <= 2:
            raise THROTTLED

    summary = bench.run(images(3), new_client(before=throttle_twice), max_at_once=1, clock=running_fast())
    assert (summary.calls, summary.throttled, summary.statuses) == (5, 2, {"recognized": 3})


def test_the_list_is_read_no_further_ahead_than_a_page_and_what_is_in_flight(
    bench: Bench, new_client: type[FakeClient], new_source: type[FakeSource]
) -> None:
    source = new_source(images(600), page_rows=10)
    ahead = []
    client = new_client(before=lambda asked: ahead.append(source.read - len(client.asked)))
    bench.run(source, client, max_at_once=5)
    assert source.read == 600
    assert max(ahead) <= 10 + 5


def test_an_empty_list_is_a_run_with_nothing_to_do(bench: Bench) -> None:
    summary = bench.run([])
    assert (summary.listed, summary.statuses, bench.target.batches) == (0, {}, [])


def test_a_run_with_nothing_to_do_does_not_load_pandas() -> None:
    program = """
        import sys, threading
        from airflow_provider_permitocr.core.options import Pace, RunOptions
        from airflow_provider_permitocr.core.pipeline import Pipeline

        class Nothing:
            check = staticmethod(lambda: 0)
            pages = staticmethod(lambda: iter([]))
            prepare = staticmethod(lambda: None)

        nothing = Nothing()
        options = RunOptions(Pace(1), 100)
        Pipeline(nothing, nothing, nothing, options, run_id="", log=nothing, stop=threading.Event()).run()
        sys.exit("pandas" in sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False).returncode == 0
