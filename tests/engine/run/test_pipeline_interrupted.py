"""What ends a run early, and what the ledger, the journal and the result table hold then."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from airflow_provider_permitocr.engine.call import retries
from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.errors import (
    AccountError,
    CallError,
    Decision,
    RunStoppedError,
    ThrottledTooLongError,
    UnreachableError,
)
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
from airflow_provider_permitocr.options.run import Batch, CallRetry

if TYPE_CHECKING:
    from tests.engine.conftest import Bench, FakeClient, FakeSource

ARREARS = CallError("ResourceUnavailable.InArrears", "pay first", Decision.ACCOUNT)
THROTTLED = CallError("RequestLimitExceeded", "slow down", Decision.THROTTLE)
SOON = 30


def answered(client: FakeClient) -> set[str]:
    return {asked.rpartition("/")[2] for asked in client.asked}


def test_a_fault_of_the_account_stops_the_run_and_blames_no_image(
    bench: Bench, new_client: type[FakeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "_ACCOUNT_WAITS", (0.0, 0.0))
    # The image of the 21st call, whichever thread comes to be that; calls take a moment, as real ones do.
    calls, faulty = itertools.count(1), set[str]()

    def call(url: str) -> None:
        time.sleep(0.001)
        if next(calls) == 21:
            faulty.add(url)
        if url in faulty:
            raise ARREARS

    client = new_client(before=call)
    with pytest.raises(AccountError, match="InArrears"):
        bench.run(bench.images(500), client, max_in_flight=4)
    (key,) = (url.rpartition("/")[2] for url in faulty)
    assert set(bench.ledger.statuses.values()) == {"recognized"}
    assert set(bench.ledger.statuses) == answered(client) - {key}
    assert len(bench.ledger.statuses) < 100


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
    assert bench.ledger.statuses == {}


def test_stopped_midway_every_answer_is_in_the_ledger_and_the_next_run_goes_on(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    client = new_client(before=lambda asked: bench.stop.set() if asked == bench.url(30) else None)
    with pytest.raises(RunStoppedError, match="the next run continues"):
        bench.run(bench.images(500), client)
    assert set(bench.ledger.statuses) == answered(client)
    assert [whole for _, whole in bench.ledger.ended] == [False]
    rest = new_client()
    bench.run(bench.images(500), rest)
    assert not answered(rest) & answered(client)
    assert len(bench.target.rows) == 500


def test_a_stopped_run_does_not_wait_for_images_that_are_still_being_read(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    png = BytesIO()
    Image.new("L", (8, 8)).save(png, "PNG")
    reading, is_over = threading.Event(), threading.Event()
    read: list[str] = []

    def read_all_but_the_first_slowly(url: str, _max_bytes: int) -> bytes:
        if url != bench.url(0):
            reading.set()
            is_over.wait(SOON)
            read.append(url)
        return png.getvalue()

    def stop_while_others_are_read(_asked: str) -> None:
        assert reading.wait(SOON)
        bench.stop.set()

    bench.request_builder = PermitRequestBuilder(
        max_base64_bytes=1000, download=read_all_but_the_first_slowly
    )
    client = new_client(before=stop_while_others_are_read)
    try:
        with pytest.raises(RunStoppedError):
            bench.run(bench.images(10), client)
        assert read == []
    finally:
        is_over.set()
    assert bench.ledger.statuses == {"0": "recognized"}
    assert [whole for _, whole in bench.ledger.ended] == [False]


@pytest.mark.slow
def test_a_stopped_run_does_not_wait_for_rows_that_wait_for_a_place_to_read_their_image(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    reading, is_over = threading.Semaphore(0), threading.Event()

    def read_slowly(_url: str, _max_bytes: int) -> bytes:
        reading.release()
        is_over.wait(SOON)
        return b""

    bench.request_builder = PermitRequestBuilder(max_base64_bytes=1000, download=read_slowly)
    client = new_client()

    def stop_while_all_places_are_taken() -> None:
        assert reading.acquire(timeout=SOON)
        time.sleep(0.5)
        bench.stop.set()

    stopping = threading.Thread(target=stop_while_all_places_are_taken)
    stopping.start()
    began_at = time.monotonic()
    try:
        with pytest.raises(RunStoppedError):
            bench.run(bench.images(60), client, max_per_second=20)
        assert time.monotonic() - began_at < 5
    finally:
        is_over.set()
        stopping.join()
    assert client.asked == []


def test_stopping_ends_a_search_through_what_is_settled_too(
    bench: Bench, new_source: type[FakeSource]
) -> None:
    bench.run(bench.images(500))
    source = new_source(bench.images(500), page_rows=10, before_page=bench.stop.set)
    with pytest.raises(RunStoppedError):
        bench.run(source)
    assert source.read == 10


def down() -> None:
    raise UnreachableError("Writing to the result table 'permits' failed: OperationalError")


@pytest.mark.slow
def test_calls_go_on_while_the_result_table_is_down_and_it_is_filled_later(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    def back_at_the_last(asked: str) -> None:
        if asked == bench.url(99):
            bench.target.before_write = lambda: None

    bench.target.before_write = down
    client = new_client(before=back_at_the_last)
    bench.run(bench.images(100), client, max_in_flight=1, batch=Batch(rows=1))
    assert len(client.asked) == 100
    assert set(bench.statuses.values()) == {"recognized"}
    assert len(bench.statuses) == 100


@pytest.mark.slow
def test_a_result_table_that_stays_down_fails_the_run_and_the_next_one_fills_it_without_a_call(
    bench: Bench, new_client: type[FakeClient]
) -> None:
    bench.target.before_write = down
    with pytest.raises(UnreachableError, match=r"'permits' failed.*Nothing is lost"):
        bench.run(bench.images(30), batch=Batch(patience_seconds=0.1))
    assert (bench.statuses, len(bench.ledger.statuses)) == ({}, 30)
    assert bench.ledger.ended[-1][0].undelivered == 30
    bench.target.before_write = lambda: None
    again = new_client()
    bench.run(bench.images(30), again)
    assert (again.asked, len(bench.statuses)) == ([], 30)
    assert bench.ledger.ended[-1][0].undelivered == 0


def test_an_answer_is_delivered_in_time_while_settled_rows_are_read(
    bench: Bench, new_client: type[FakeClient], new_source: type[FakeSource]
) -> None:
    bench.run(bench.images(400))
    called, delivered = threading.Event(), threading.Event()

    def read_slowly() -> None:
        if source.read > 10:
            assert called.wait(SOON)
        if source.read > 20:
            assert delivered.wait(SOON)

    source = new_source(
        [ImageRow("new", bench.url("new")), *bench.images(400)],
        page_rows=5,
        before_page=read_slowly,
    )
    bench.target.before_write = delivered.set
    bench.run(source, new_client(before=lambda asked: called.set()), batch=Batch(rows=1000, seconds=0.05))
    assert bench.statuses["new"] == "recognized"


def test_progress_is_logged_while_settled_rows_are_read(
    bench: Bench, racing_clock: Callable[[], float]
) -> None:
    bench.run(bench.images(400))
    bench.lines.clear()
    bench.run(bench.images(400), clock=racing_clock)
    progress = [line for line in bench.lines if re.match(r"\d+ of 400 images done .* of them earlier", line)]
    assert len(progress) > 3
