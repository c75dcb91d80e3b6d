from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from labs.chaos.airflow.control import AirflowControl, RunStart

_RUN = "/api/v2/dags/permits/dagRuns/run-1"
_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_INSTANCE = {
    "id": "01a2-03b4",
    "task_id": "recognize_permits",
    "state": "running",
    "try_number": 1,
    "map_index": -1,
    "start_date": None,
}


class _Airflow:
    """Answers every question with the same; remembers what it was sent."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.sent: dict[str, Any] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = f"{request.method} {request.url.path}"
        self.sent[asked] = json.loads(request.content) if request.content else dict(request.url.params)
        return httpx.Response(200, json=self.answer)

    @property
    def control(self) -> AirflowControl:
        return AirflowControl("http://airflow", httpx.MockTransport(self))


def test_runs_are_listed_the_oldest_first() -> None:
    airflow = _Airflow({"dag_runs": [{"dag_run_id": "run-1"}, {"dag_run_id": "run-2"}]})
    assert airflow.control.run_ids("permits") == ["run-1", "run-2"]
    assert airflow.sent["GET /api/v2/dags/permits/dagRuns"] == {"order_by": "id"}


def test_clearing_takes_tasks_that_succeeded_too() -> None:
    airflow = _Airflow({})
    airflow.control.clear("permits", "run-1")
    sent = airflow.sent["POST /api/v2/dags/permits/clearTaskInstances"]
    assert (sent["dag_run_id"], sent["only_failed"], sent["dry_run"]) == ("run-1", False, False)


def test_marking_names_the_task_alone() -> None:
    airflow = _Airflow({})
    airflow.control.mark_failed("permits", "run-1", "recognize_permits")
    assert airflow.sent == {f"PATCH {_RUN}/taskInstances/recognize_permits": {"new_state": "failed"}}


def test_a_backfill_takes_intervals_that_were_run_before() -> None:
    airflow = _Airflow({})
    airflow.control.backfill("permits", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    sent = airflow.sent["POST /api/v2/backfills"]
    assert sent["reprocess_behavior"] == "completed"
    assert (sent["from_date"], sent["to_date"]) == ("2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00")


def test_a_run_can_be_triggered_without_a_logical_date() -> None:
    airflow = _Airflow({})
    airflow.control.trigger_undated("permits")
    assert airflow.sent == {"POST /api/v2/dags/permits/dagRuns": {"logical_date": None}}


def test_an_asset_is_updated_by_its_whole_name() -> None:
    airflow = _Airflow({"assets": [{"id": 1, "name": "scans_old"}, {"id": 2, "name": "scans"}]})
    airflow.control.update_asset("scans")
    assert airflow.sent["POST /api/v2/assets/events"] == {"asset_id": 2}


@pytest.mark.parametrize(
    ("start", "end", "interval"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", (_DAY, datetime(2026, 1, 2, tzinfo=UTC))),
        (None, None, None),
    ],
)
def test_what_started_a_run_and_its_interval_are_read(
    start: str | None, end: str | None, interval: tuple[datetime, datetime] | None
) -> None:
    answer = {"triggered_by": "cli", "data_interval_start": start, "data_interval_end": end}
    assert _Airflow(answer).control.run_start("permits", "run-1") == RunStart("cli", interval)


def test_the_process_of_a_task_is_known_by_its_title() -> None:
    program = (
        "import setproctitle, sys, time; setproctitle.setproctitle(sys.argv[1]); print(flush=True);"
        " time.sleep(60)"
    )
    control = _Airflow({"task_instances": [_INSTANCE]}).control
    assert control.process("permits", "run-1") is None
    command = [sys.executable, "-c", program, f"airflow worker -- {_INSTANCE['id']}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as task:
        try:
            assert task.stdout is not None
            task.stdout.readline()
            process = control.process("permits", "run-1")
        finally:
            task.kill()
    assert process is not None
    assert process.pid == task.pid
