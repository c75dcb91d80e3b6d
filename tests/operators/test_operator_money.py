"""What limits of money and failures mean for an Airflow task: how it ends, what it says, what it leaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_permitocr import (
    Budget,
    CallRetry,
    FailureLimits,
    Ledger,
    MainlandPermitOcrOperator,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.permit.api import ACTION

pytestmark = pytest.mark.slow

ImageList = Callable[..., list[Specimen]]
Permits = Callable[[], dict[tuple[str, str], dict[str, Any]]]
Try = Callable[..., dict[str, Any]]
Connect = Callable[..., RunningEmulator]

LEDGER = Ledger("permit_ocr", conn_id="warehouse")
ONE_ATTEMPT = CallRetry(attempts=1)


@pytest.fixture
def try_task(try_task: Try) -> Try:
    """Execute one try of a task of a DAG with a ledger that is given by name."""
    return partial(try_task, ledger=LEDGER)


@pytest.fixture
def connect_faulty(
    start_label_emulator: Callable[..., RunningEmulator],
    connect_emulator: Callable[..., None],
    tmp_path: Path,
) -> Connect:
    """Connect an emulator that answers calls of these numbers with an error code; the others well."""

    def connect(calls: str, error: str) -> RunningEmulator:
        file = tmp_path / "faults.json"
        match = {"action": ACTION, "calls": [calls]}
        file.write_text(json.dumps({"rules": [{"match": match, "effect": {"error": error}}]}))
        emulator = start_label_emulator(faults=file)
        connect_emulator(emulator)
        return emulator

    return connect


@pytest.fixture
def ledger(warehouse: sa.Engine) -> Callable[[], list[dict[str, Any]]]:
    """Read the calls in the ledger."""

    def read() -> list[dict[str, Any]]:
        with warehouse.connect() as connection:
            rows = (
                connection.execute(sa.text("SELECT * FROM permit_ocr_calls ORDER BY call_id"))
                .mappings()
                .all()
            )
        return [dict(row) for row in rows]

    return read


def test_a_cap_ends_the_task_as_a_success_that_says_what_is_left(
    try_task: Try, connected: RunningEmulator, image_list: ImageList, permits: Permits
) -> None:
    image_list(12)

    summary = try_task(budget=Budget(max_calls=5))

    assert connected.stats()["calls"] == len(permits()) == 5
    assert (summary["left"], summary["cap"]) == (7, "max_calls")


def test_a_cap_that_is_a_failure_is_not_retried_by_airflow(
    try_task: Try, connected: RunningEmulator, image_list: ImageList, permits: Permits
) -> None:
    image_list(12)

    with pytest.raises(AirflowFailException, match="Stopped at a cap"):
        try_task(budget=Budget(max_calls=5, on_exhausted="fail"))

    assert connected.stats()["calls"] == len(permits()) == 5


def test_a_cap_of_a_run_holds_for_its_shards_and_tries_together(
    try_task: Try, connected: RunningEmulator, image_list: ImageList
) -> None:
    image_list(12)
    budget = Budget(max_calls=5)

    try_task(shard="1/2", map_index=0, budget=budget)
    try_task(shard="2/2", map_index=1, budget=budget)
    try_task(shard="2/2", map_index=1, try_number=2, budget=budget)

    assert connected.stats()["calls"] == 5


def test_a_cap_of_a_run_lets_the_next_run_go_on_where_it_ended(
    try_task: Try, connected: RunningEmulator, image_list: ImageList, permits: Permits
) -> None:
    image_list(12)
    budget = Budget(max_calls=8)

    assert try_task("run-1", budget=budget)["left"]
    assert not try_task("run-2", budget=budget)["left"]

    assert connected.stats()["calls"] == len(permits()) == 12


def test_a_cap_of_a_day_holds_for_all_runs(
    try_task: Try, connected: RunningEmulator, image_list: ImageList
) -> None:
    image_list(12)
    budget = Budget(max_calls_per_day=8)

    try_task("run-1", budget=budget)
    try_task("run-2", budget=budget)

    assert connected.stats()["calls"] == 8


def test_a_cap_of_no_calls_makes_none(
    try_task: Try, connected: RunningEmulator, image_list: ImageList
) -> None:
    image_list(3)

    assert try_task(budget=Budget(max_calls=0))["left"] == 3

    assert connected.stats()["calls"] == 0


def test_a_cap_without_a_ledger_is_refused_when_the_dag_is_parsed(
    operator: Callable[..., MainlandPermitOcrOperator],
) -> None:
    with pytest.raises(ValueError, match=r'ledger=Ledger\("permit_ocr"'):
        operator(budget=Budget(max_calls=5))


def test_a_summary_tells_what_was_billed_and_what_it_costs(
    try_task: Try, connected: RunningEmulator, image_list: ImageList
) -> None:
    image_list(3)

    summary = try_task(budget=Budget(price_per_call=0.15, currency="CNY"))

    assert (summary["billed"], summary["cost"], summary["currency"]) == (3, "0.45", "CNY")


def test_a_ledger_says_whose_calls_they_are_and_what_was_billed(
    try_task: Try, connected: RunningEmulator, image_list: ImageList, ledger: Callable[[], Any]
) -> None:
    image_list(3)

    try_task("run-7", try_number=2, map_index=4)

    assert {
        (row["dag_id"], row["task_id"], row["run_id"], row["map_index"], row["task_try"]) for row in ledger()
    } == {("permits", "recognize", "run-7", 4, 2)}
    assert [(row["code"], row["billed"]) for row in ledger()] == [("OK", 1)] * 3
    assert {row["call_id"] for row in ledger()} == {
        record.trace_id for record in connected.records() if record.action == ACTION
    }


def test_a_second_try_calls_for_nothing_that_the_first_has_written(
    try_task: Try, connected: RunningEmulator, image_list: ImageList
) -> None:
    image_list(6)

    try_task(try_number=1)
    summary = try_task(try_number=2)

    assert (summary["skipped"], summary["calls"]) == (6, 0)
    assert connected.stats()["calls"] == 6


def test_an_account_fault_is_not_retried_by_airflow_and_says_what_to_do(
    try_task: Try,
    connect_faulty: Connect,
    image_list: ImageList,
    permits: Permits,
    ledger: Callable[[], Any],
) -> None:
    connect_faulty("5-99", "FailedOperation.ArrearsError")
    image_list(12)

    with pytest.raises(AirflowFailException, match=r"ArrearsError.*Billing Center.*run again"):
        try_task(max_in_flight=2)

    assert {row["status"] for row in permits().values()} == {"recognized"}
    assert sum(row["billed"] for row in ledger()) == len(permits()) == 4


def test_a_task_goes_on_once_the_account_is_mended(
    try_task: Try,
    connect_faulty: Connect,
    start_label_emulator: Callable[..., RunningEmulator],
    connect_emulator: Callable[..., None],
    image_list: ImageList,
    permits: Permits,
) -> None:
    connect_faulty("5-99", "FailedOperation.ArrearsError")
    image_list(12)
    with pytest.raises(AirflowFailException):
        try_task(max_in_flight=2)

    mended = start_label_emulator()
    connect_emulator(mended)
    try_task(try_number=2)

    assert mended.stats()["calls"] == 12 - 4
    assert [row["status"] for row in permits().values()] == ["recognized"] * 12


def test_images_that_fail_alike_stop_the_run_and_may_be_retried(
    try_task: Try, connect_faulty: Connect, image_list: ImageList, permits: Permits
) -> None:
    emulator = connect_faulty("3-999", "FailedOperation.ImageDecodeFailed")
    image_list(30)

    with pytest.raises(AirflowException, match=r"5 consecutive images failed.*ImageDecodeFailed") as raised:
        try_task(max_in_flight=1, failure_limits=FailureLimits(stop_after=5), call_retry=ONE_ATTEMPT)

    assert not isinstance(raised.value, AirflowFailException)
    assert 7 <= len(permits()) == emulator.stats()["calls"] < 30


def test_a_ratio_of_failures_stops_the_run_once_enough_images_are_done(
    try_task: Try, connect_faulty: Connect, image_list: ImageList, permits: Permits
) -> None:
    connect_faulty("1-999", "FailedOperation.ImageDecodeFailed")
    image_list(30)
    limits = FailureLimits(stop_after=None, max_failed_ratio=0.5, min_images=10)

    with pytest.raises(AirflowException, match=r"max_failed_ratio 0\.5"):
        try_task(max_in_flight=1, failure_limits=limits, call_retry=ONE_ATTEMPT)

    assert 10 <= len(permits()) < 30


@pytest.mark.parametrize("limits", [FailureLimits(stop_after=5), FailureLimits(max_failed_ratio=0.9)])
def test_bad_images_here_and_there_stop_nothing(
    try_task: Try,
    connect_faulty: Connect,
    image_list: ImageList,
    permits: Permits,
    limits: FailureLimits,
) -> None:
    connect_faulty("3-5", "FailedOperation.ImageDecodeFailed")
    image_list(12)

    try_task(max_in_flight=1, failure_limits=limits, call_retry=ONE_ATTEMPT)

    statuses = [row["status"] for row in permits().values()]
    assert (statuses.count("failed"), statuses.count("recognized")) == (3, 9)


def test_two_runs_at_once_call_for_each_image_once(
    try_task: Try, connected: RunningEmulator, image_list: ImageList, permits: Permits
) -> None:
    image_list(12)
    runs = [threading.Thread(target=try_task, args=(run_id,)) for run_id in ("run-1", "run-2")]

    for run in runs:
        run.start()
    for run in runs:
        run.join()

    assert connected.stats()["calls"] == len(permits()) == 12
