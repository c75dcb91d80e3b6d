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

from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.errors import CallError, Decision
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.permit.api import CardSide
from tests.support.waiting import comes_true

if TYPE_CHECKING:
    from tests.engine.conftest import Bench, FakeClient, FakeFile, FakeSource

CHANGED = datetime(2026, 1, 1, tzinfo=UTC)
NO_PERMIT = CallError("FailedOperation.ImageNoSpecifiedCard", "no card", Decision.IMAGE)
PASSING = CallError("InternalError", "try later", Decision.RETRY)
THROTTLED = CallError("RequestLimitExceeded", "slow down", Decision.THROTTLE)
ENDINGS = {"recognized": None, "failed": NO_PERMIT, "retry": PASSING, "rejected": None}


@pytest.mark.slow
@settings(max_examples=40)
@given(st.lists(st.sampled_from(list(ENDINGS)), max_size=35), st.integers(1, 6), st.integers(1, 12))
def test_every_row_ends_as_exactly_one_record(
    new_bench: type[Bench],
    new_client: type[FakeClient],
    new_source: type[FakeSource],
    endings: list[str],
    max_in_flight: int,
    rows_per_batch: int,
) -> None:
    bench = new_bench()
    rows = [
        ImageRow(str(key), b"GIF89a" if ending == "rejected" else bench.url(key))
        for key, ending in enumerate(endings)
    ]
    answers = {bench.url(key): error for key, ending in enumerate(endings) if (error := ENDINGS[ending])}
    summary = bench.run(
        new_source(rows, page_rows=4),
        new_client(answers),
        max_in_flight=max_in_flight,
        batch=Batch(rows=rows_per_batch),
    )
    assert bench.statuses == {str(key): ending for key, ending in enumerate(endings)}
    assert bench.ledger.statuses == bench.statuses
    assert summary.statuses == Counter(endings)
    assert (summary.listed, summary.skipped) == (len(endings), 0)
    assert sum(summary.error_codes.values()) == len(endings) - endings.count("recognized")
    assert summary.calls == len(endings) - endings.count("rejected") + endings.count("retry")


def test_both_sides_of_one_key_are_two_rows(bench: Bench) -> None:
    bench.run([ImageRow("k", bench.url(1), CardSide.FRONT), ImageRow("k", bench.url(2), CardSide.BACK)])
    assert set(bench.target.rows) == {("k", "FRONT"), ("k", "BACK")}


def test_rows_show_when_and_by_which_run_they_were_made(bench: Bench) -> None:
    bench.run([ImageRow("k", bench.url(1), updated_at=CHANGED)])
    (row,) = bench.target.rows.values()
    assert (row["processed_at"], row["run_id"], row["image_updated_at"]) == (
        bench.ledger.now,
        "run 1",
        CHANGED,
    )


def test_what_is_settled_is_not_paid_for_again(bench: Bench, new_client: type[FakeClient]) -> None:
    rows = [*bench.images(9), ImageRow("gif", b"GIF89a")]
    bench.run(rows, new_client({bench.url(3): NO_PERMIT}))
    again = new_client()
    summary = bench.run(rows, again)
    assert again.asked == []
    assert (summary.listed, summary.skipped, summary.statuses, summary.calls) == (10, 10, {}, 0)


def test_a_changed_image_is_called_for_again_and_counts_its_tries_from_one(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    failing = new_client({bench.url(1): PASSING, bench.url(0): NO_PERMIT})
    for _ in range(2):
        bench.run(bench.images(3, CHANGED), failing)
        bench.new_dag_run()
    later = CHANGED + timedelta(hours=1)
    again = new_client()
    bench.run([*bench.images(2, later), *bench.images(3, CHANGED)[2:]], again)
    assert sorted(again.asked) == [bench.url(0), bench.url(1)]
    written = {key: (row["tries"], row["image_updated_at"]) for (key, _), row in bench.target.rows.items()}
    assert written == {"0": (1, later), "1": (1, later), "2": (1, CHANGED)}


def test_what_was_given_up_for_a_while_is_tried_by_later_runs_until_it_failed(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    seen = []
    for _ in range(4):
        client = new_client({bench.url(1): PASSING})
        bench.run(bench.images(2), client, max_runs_per_image=3)
        bench.new_dag_run()
        row = bench.target.rows["1", "FRONT"]
        seen.append((row["status"], row["tries"], client.asked.count(bench.url(1))))
    assert seen == [("retry", 1, 2), ("retry", 2, 2), ("failed", 3, 2), ("failed", 3, 0)]


def test_tries_of_one_dag_run_count_once(bench: Bench, new_client: type[FakeClient]) -> None:
    for _ in range(4):
        bench.run(bench.images(1), new_client({bench.url(0): PASSING}), max_runs_per_image=2)
    row = bench.target.rows["0", "FRONT"]
    assert (row["status"], row["tries"]) == ("retry", 1)


def test_an_answer_outlives_a_night_without_its_changed_file(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    bench.run(bench.images(1, CHANGED))
    answered = bench.target.rows["0", "FRONT"]
    bench.new_dag_run()
    later = CHANGED + timedelta(hours=1)
    bench.run([ImageRow("0", "/nowhere/0.png", updated_at=later)])
    row = bench.target.rows["0", "FRONT"]
    assert (row["status"], row["number"]) == ("recognized", answered["number"])
    bench.new_dag_run()
    client = new_client()
    bench.run(bench.images(1, later), client)
    assert client.asked == [bench.url(0)]
    assert bench.target.rows["0", "FRONT"]["image_updated_at"] == later


def test_keys_that_the_ledger_cannot_hold_are_rejected_before_any_call(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    secret = "https://x/" + "k" * 600 + "?sign=secret"
    bench.ledger.unfit = {secret}
    client = new_client()
    summary = bench.run([ImageRow(secret, bench.url("bad")), *bench.images(5)], client)
    assert bench.url("bad") not in client.asked
    assert summary.statuses == {"rejected": 1, "recognized": 5}
    assert summary.error_codes == {"LedgerRefusesKey": 1}
    (said,) = [line for line in bench.lines if "rejected before any call" in line]
    assert secret[:40] in said
    assert secret[:41] not in "".join(bench.lines)
    assert "it is too long" in said


def test_a_list_full_of_keys_that_are_too_long_does_not_fill_the_log(bench: Bench) -> None:
    bench.ledger.unfit = {str(key) for key in range(500)}
    summary = bench.run(bench.images(500))
    assert (summary.statuses, summary.calls) == ({"rejected": 500}, 0)
    assert sum("rejected before any call" in line for line in bench.lines) == 10


def test_the_end_of_a_run_is_written_down(bench: Bench) -> None:
    summary = bench.run(bench.images(3))
    assert bench.ledger.ended == [(summary, True)]


def test_a_file_holds_the_whole_list_in_its_order_and_comes_from_the_ledger(
    bench: Bench, new_file: type[FakeFile], new_client: type[FakeClient]
) -> None:
    bench.run(bench.images(4))
    bench.file = new_file()
    client = new_client({bench.url(6): NO_PERMIT})
    bench.run(list(reversed(bench.images(8))), client)
    assert len(client.asked) == 4
    assert bench.file.rows is not None
    rows = [(row["image_key"], row["status"]) for row in bench.file.rows]
    assert rows == [(str(key), "failed" if key == 6 else "recognized") for key in range(7, -1, -1)]


def test_answers_are_delivered_by_rows(bench: Bench, new_client: type[FakeClient]) -> None:
    def answer(asked: str) -> None:
        if asked == bench.url(99):
            assert comes_true(lambda: bench.target.batches)

    bench.run(
        bench.images(100), new_client(before=answer), max_in_flight=1, batch=Batch(rows=7, seconds=3600)
    )
    assert sum(map(len, bench.target.batches)) == 100
    assert len(bench.target.batches) > 1
    # A batch of several versions is sorted by key.
    assert [
        version for batch in bench.target.batches for version in sorted(row["version"] for row in batch)
    ] == sorted(bench.ledger.versions.values())


def test_throttled_calls_are_repeated_and_counted(
    bench: Bench, new_client: type[FakeClient], racing_clock: Callable[[], float]
) -> None:
    throttles = itertools.count(1)

    def throttle_twice(asked: str) -> None:
        if asked == bench.url(1) and next(throttles) <= 2:
            raise THROTTLED

    summary = bench.run(
        bench.images(3), new_client(before=throttle_twice), max_in_flight=1, clock=racing_clock
    )
    assert (summary.calls, summary.throttled, summary.statuses) == (5, 2, {"recognized": 3})


def test_images_are_read_no_further_ahead_than_for_the_next_second(
    bench: Bench, new_client: type[FakeClient], new_source: type[FakeSource]
) -> None:
    source = new_source(bench.images(600), page_rows=10)
    ahead = []
    client = new_client(before=lambda asked: ahead.append(source.fetched - len(client.asked)))
    bench.run(source, client, max_in_flight=5, max_per_second=20_000)
    assert source.fetched == 600
    assert max(ahead) <= 5 + 64


def test_an_empty_list_is_a_run_with_nothing_to_do(bench: Bench) -> None:
    summary = bench.run([])
    assert (summary.listed, summary.statuses, bench.target.batches) == (0, {}, [])


def test_a_run_with_nothing_to_do_does_not_load_pandas() -> None:
    program = """
        import sys, threading
        from airflow_provider_permitocr.engine.ledger.deliveries import DeliveryState
        from airflow_provider_permitocr.options.run import Pace, RunOptions
        from airflow_provider_permitocr.engine.run.pipeline import Pipeline
        from airflow_provider_permitocr.engine.ports import Ports
        from airflow_provider_permitocr.engine.delivery.ports import Held
        from airflow_provider_permitocr.engine.run.window import Leftovers, Window

        class Nothing:
            ledger_id, target = "ledger", "permits"
            is_filled_at_end = is_ordered = keeps_history = False
            window = Window()
            check = settled = count_refusals = count_undelivered = staticmethod(lambda: 0)
            carried = pages = pending = staticmethod(lambda: iter(()))
            key_type = release = keep_alive = delete_delivered = staticmethod(lambda: None)
            use = prepare = info = staticmethod(lambda *_: None)
            changes = unsettled = staticmethod(lambda *_, **options: ())
            leftovers = staticmethod(Leftovers)
            claim = staticmethod(DeliveryState)
            held = staticmethod(lambda: Held(0))
            close_run = staticmethod(lambda summary, **options: None)
            within = delivery = lambda self, *_, **options: self

        nothing = Nothing()
        options = RunOptions(Pace(1))
        pipeline = Pipeline(
            Ports(
                source=nothing,
                request_builder=nothing,
                client=nothing,
                ledger=nothing,
                journal=nothing,
                tables={"permits": nothing},
            ),
            options,
            log=nothing,
            stop=threading.Event(),
        )
        pipeline.run()
        sys.exit("pandas" in sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False).returncode == 0
