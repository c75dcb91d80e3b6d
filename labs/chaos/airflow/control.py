"""What people do to a running Airflow, through its REST API; and where its tasks run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import psutil

from labs.ground.servers.airflow_api import AirflowApi, TaskState

#: The title that Airflow gives the process of a task (Linux only), before the task instance's id.
_TITLE: Final = "airflow worker -- "


@dataclass(frozen=True)
class RunStart:
    """What started a run.

    :param triggered_by: Airflow's term, such as ``timetable``.
    :param interval: its data interval; None: it has none.
    """

    triggered_by: str
    interval: tuple[datetime, datetime] | None


class AirflowControl(AirflowApi):
    """A client that can also do what disturbs runs."""

    def unpause(self, dag_id: str) -> None:
        """Switch a DAG on."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Switch a DAG off."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": True})

    def trigger_undated(self, dag_id: str) -> None:
        """Start a run without a logical date."""
        self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None})

    def update_asset(self, name: str) -> None:
        """Update an asset, which starts the runs that wait for it."""
        assets = self._call("GET", "/api/v2/assets", params={"name_pattern": name})["assets"]
        (asset_id,) = [asset["id"] for asset in assets if asset["name"] == name]
        self._call("POST", "/api/v2/assets/events", json={"asset_id": asset_id})

    def run_start(self, dag_id: str, run_id: str) -> RunStart:
        """Return how a run came to be."""
        run = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")
        begin, end = (_moment(run[f"data_interval_{name}"]) for name in ("start", "end"))
        return RunStart(run["triggered_by"], (begin, end) if begin and end else None)

    def run_ids(self, dag_id: str) -> list[str]:
        """Return the ids of a DAG's runs, whatever started them, oldest first."""
        answer = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns", params={"order_by": "id"})
        return [run["dag_run_id"] for run in answer["dag_runs"]]

    def task(self, dag_id: str, run_id: str) -> TaskState:
        """Return the one task of a run."""
        (task,) = self.tasks(dag_id, run_id)
        return task

    def process(self, dag_id: str, run_id: str) -> psutil.Process | None:
        """Return the process that executes a run's one task; its parent supervises it."""
        answer = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances")
        (instance,) = answer["task_instances"]
        title = f"{_TITLE}{instance['id']}"
        for process in psutil.Process().children(recursive=True):
            try:
                if " ".join(process.cmdline()).strip() == title:
                    return process
            except psutil.NoSuchProcess:
                continue
        return None

    def mark_failed(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Mark a task as failed, as the button does."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        self._call("PATCH", path, json={"new_state": "failed"})

    def clear(self, dag_id: str, run_id: str) -> None:
        """Clear the tasks of a run in any state, so that they run again."""
        choice = {"dag_run_id": run_id, "dry_run": False, "only_failed": False, "reset_dag_runs": True}
        self._call("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", json=choice)

    def backfill(self, dag_id: str, first: datetime, last: datetime) -> None:
        """Run a DAG for the intervals between two times, those that were run before too."""
        wanted = {
            "dag_id": dag_id,
            "from_date": first.isoformat(),
            "to_date": last.isoformat(),
            "reprocess_behavior": "completed",
        }
        self._call("POST", "/api/v2/backfills", json=wanted)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
