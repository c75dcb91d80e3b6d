from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowTaskTimeout
from airflow.sdk.execution_time.timeout import timeout

from airflow_provider_permitocr import (
    CallRetry,
    MainlandPermitOcrOperator,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.errors import PermitOcrError
from airflow_provider_permitocr.wiring import run as assembly

pytestmark = pytest.mark.slow

ImageList = Callable[..., list[Specimen]]
Permits = Callable[[], dict[tuple[str, str], dict[str, Any]]]
NewOperator = Callable[..., MainlandPermitOcrOperator]
Execute = Callable[..., dict[str, Any]]


@pytest.fixture
def connect_faulty(
    start_label_emulator: Callable[..., RunningEmulator],
    connect_emulator: Callable[..., None],
    tmp_path: Path,
) -> Callable[[str, str], RunningEmulator]:
    """Connect an emulator that answers some calls, such as ``5-99``, with an error code."""

    def connect(calls: str, error: str) -> RunningEmulator:
        file = tmp_path / "faults.json"
        file.write_text(json.dumps({"rules": [{"match": {"calls": [calls]}, "effect": {"error": error}}]}))
        emulator = start_label_emulator(faults=file)
        connect_emulator(emulator)
        return emulator

    return connect


def test_an_account_fault_stops_the_run_and_fails_no_image(
    execute: Execute,
    connect_faulty: Callable[[str, str], RunningEmulator],
    image_list: ImageList,
    permits: Permits,
) -> None:
    emulator = connect_faulty("5-99", "FailedOperation.ArrearsError")
    image_list(12)

    with pytest.raises(AirflowFailException, match=r"ArrearsError.*Correct the account"):
        execute(max_in_flight=2)

    assert [row["status"] for row in permits().values()] == ["recognized"] * 4
    in_flight, confirming = 2, 3
    assert emulator.stats()["calls"] <= 4 + in_flight + confirming


def test_a_passing_fault_is_left_for_the_next_run(
    execute: Execute,
    connect_faulty: Callable[[str, str], RunningEmulator],
    image_list: ImageList,
    permits: Permits,
) -> None:
    connect_faulty("1-2", "InternalError")
    image_list(1)
    patience = CallRetry(attempts=2, base_seconds=0.01)

    execute(call_retry=patience)
    assert permits()["k000", "FRONT"]["status"] == "retry"
    execute("run-2", call_retry=patience)

    row = permits()["k000", "FRONT"]
    assert (row["status"], row["tries"], row["error_code"]) == ("recognized", 2, None)


def test_a_killed_task_keeps_what_was_answered_and_leaves_the_rest(
    operator: NewOperator,
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Permits,
    standings: Permits,
) -> None:
    image_list(40)
    task = operator(max_per_second=50, max_in_flight=1)

    def kill_midway() -> None:
        _when(lambda: connected.stats()["calls"] >= 3)
        task.on_kill()

    killer = threading.Thread(target=kill_midway)
    killer.start()

    with pytest.raises(AirflowException, match="stopped early"):
        task.execute({"run_id": "run-1"})
    killer.join()

    recognized = [row["status"] for row in standings().values()]
    assert recognized == ["recognized"] * connected.stats()["calls"]
    assert 3 <= len(recognized) < 40
    execute()
    assert len(permits()) == connected.stats()["calls"] == 40


def test_a_task_that_is_killed_before_it_executes_makes_no_call(
    operator: NewOperator, connected: RunningEmulator, image_list: ImageList
) -> None:
    image_list(3)
    task = operator()
    task.on_kill()

    with pytest.raises(AirflowException, match="stopped early"):
        task.execute({"run_id": "run-1"})

    assert connected.stats()["calls"] == 0


def test_a_task_that_runs_out_of_time_keeps_what_was_answered_and_says_how_much(
    operator: NewOperator,
    connected: RunningEmulator,
    image_list: ImageList,
    standings: Permits,
    capsys: pytest.CaptureFixture[str],
) -> None:
    image_list(40)
    task = operator(max_per_second=5)

    with pytest.raises(AirflowTaskTimeout), timeout(3, "out of time"):  # type: ignore[no-untyped-call]
        task.execute({"run_id": "run-1"})

    calls = connected.stats()["calls"]
    assert 0 < len(standings()) == calls < 40
    assert f"Ended early, after {calls} calls, {calls} of them billed; {calls} images done" in (
        capsys.readouterr().out
    )


def _when(condition: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(2000):
        if condition():
            return
        waiting.wait(0.005)
    raise AssertionError("it never came true")


@pytest.mark.usefixtures("impatient")
def test_a_database_that_cannot_be_reached_may_be_retried(
    execute: Execute, connected: RunningEmulator, set_connection: Callable[..., None]
) -> None:
    set_connection(
        "warehouse", conn_type="postgres", host="127.0.0.1", port=1, login="a", password="secret-word"
    )

    with pytest.raises(AirflowException, match=r"looking for the result table .* failed") as raised:
        execute()

    assert not isinstance(raised.value, AirflowFailException)
    assert "secret-word" not in str(raised.value)


def test_errors_of_this_package_are_not_swallowed(
    operator: NewOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise PermitOcrError("something of ours")

    task = operator()
    monkeypatch.setattr(assembly, "open_pipeline", fail)

    with pytest.raises(AirflowException, match="something of ours"):
        task.execute({"run_id": "r"})
