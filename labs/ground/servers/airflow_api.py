"""What the demo asks of Airflow's public REST API (``/api/v2``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx

_LOG_LINES: Final = 40
_UNFINISHED: Final = ("queued", "running")
#: Parts of a log entry that are not worth a place in its line.
_SHOWN_OTHERWISE: Final = {"timestamp", "level", "event", "error_detail", "logger", "filename", "lineno"}
_SAME_ON_EVERY_LINE: Final = {"ti_id", "map_index", "run_id", "try_number", "task_id", "dag_id"}
_LOG_NOISE: Final = frozenset(_SHOWN_OTHERWISE | _SAME_ON_EVERY_LINE)


class AirflowApiError(RuntimeError):
    """Airflow refused, or a DAG cannot be used; the message gives the reason."""


@dataclass(frozen=True)
class TaskState:
    """One task of a run.

    :param try_number: its latest try, from 1.
    :param map_index: which one of a mapped task; -1 of any other.
    :param started: when its latest try started.
    """

    task_id: str
    state: str | None
    try_number: int
    map_index: int = -1
    started: datetime | None = None


class AirflowApi:
    """A client for one Airflow that lets everyone in as administrator.

    :param url: base URL of the API server.
    :param transport: replaces the network in tests.
    """

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False, transport=transport)

    def is_ready(self) -> bool:
        """Return whether the API responds and sees a live scheduler."""
        try:
            health = self._client.get("/api/v2/monitor/health")
        except httpx.TransportError:
            return False
        return health.is_success and health.json()["scheduler"]["status"] == "healthy"

    def log_in(self, name: str = "", password: str = "") -> None:
        """Get a token for all further calls.

        :param name: of a user; not needed if everyone is admitted.
        """
        user = {"username": name, "password": password}
        asked = self._call("POST", "/auth/token", json=user) if name else self._call("GET", "/auth/token")
        token = asked["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"

    def set_pool(self, name: str, slots: int, description: str) -> None:
        """Make a pool, or give an existing one these slots."""
        pool = {"name": name, "slots": slots, "description": description, "include_deferred": False}
        self._put("/api/v2/pools", name, pool)

    def set_connection(self, conn_id: str, description: str, parts: Mapping[str, str | int]) -> None:
        """Create or change a connection, which is visible in the UI.

        :param description: its purpose, for the UI's list.
        :param parts: ``conn_type``, ``host``, ``login`` and so on.
        """
        self._put(
            "/api/v2/connections", conn_id, {"connection_id": conn_id, "description": description, **parts}
        )

    def dag_is_parsed(self, dag_id: str, since: datetime) -> bool:
        """Return whether the DAG processor has read a DAG's file since a given time.

        :raises AirflowApiError: a DAG file does not import.
        """
        errors = self._call("GET", "/api/v2/importErrors")["import_errors"]
        if errors:
            raise AirflowApiError(f"{errors[0]['filename']} does not import:\n{errors[0]['stack_trace']}")
        dag = self._find(f"/api/v2/dags/{dag_id}")
        parsed_at: str | None = dag["last_parsed_time"] if dag else None
        return parsed_at is not None and datetime.fromisoformat(parsed_at) >= since

    def abandon_unfinished_runs(self, dag_id: str) -> None:
        """Mark as failed what an interrupted demo left running, which would hold up the next run."""
        runs = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns", params={"state": _UNFINISHED})
        for run in runs["dag_runs"]:
            self._call(
                "PATCH", f"/api/v2/dags/{dag_id}/dagRuns/{run['dag_run_id']}", json={"state": "failed"}
            )

    def trigger(self, dag_id: str, logical_date: datetime, start: datetime, end: datetime) -> str:
        """Switch a DAG on and start a run of it.

        :param start: start of the run's data interval.
        :param end: end of the run's data interval.
        :return: the run's id.
        """
        self._call("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False})
        run = self._call(
            "POST",
            f"/api/v2/dags/{dag_id}/dagRuns",
            json={
                "logical_date": logical_date.isoformat(),
                "data_interval_start": start.isoformat(),
                "data_interval_end": end.isoformat(),
            },
        )
        return str(run["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return a run's state, e.g. ``running``."""
        return str(self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        """Return the tasks of a run."""
        answer = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances")
        return [_task_state(task) for task in answer["task_instances"]]

    def result(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """Return a task's return value, ``None`` if nothing."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        entry = self._find(path)
        return None if entry is None else entry["value"]

    def log(self, dag_id: str, run_id: str, task: TaskState) -> list[str]:
        """Return the lines of a task's log."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/logs/{task.try_number}"
        answer = self._call("GET", path, params={"map_index": task.map_index})
        return [_readable(entry) for entry in answer["content"]]

    def why_failed(self, dag_id: str, run_id: str) -> str:
        """Describe a failed run: its failed tasks and the end of their logs."""
        parts = [f"The DAG run {run_id} of {dag_id} failed."]
        for task in self.tasks(dag_id, run_id):
            if task.state not in ("success", "skipped"):
                lines = self.log(dag_id, run_id, task) if task.try_number else []
                parts += [f"Task {task.task_id} is {task.state}. The end of its log:", *lines[-_LOG_LINES:]]
        return "\n".join(parts)

    def get(self, path: str, **query: Any) -> Any:
        """Return what is at a path.

        :raises AirflowApiError: when Airflow refuses.
        """
        return self._call("GET", path, params=query)

    def find(self, path: str, **query: Any) -> dict[str, Any] | None:
        """Return the resource at a path; None if it does not exist."""
        return self._find(path, **query)

    def _put(self, collection: str, name: str, content: Mapping[str, Any]) -> None:
        if self._find(f"{collection}/{name}") is None:
            self._call("POST", collection, json=content)
        else:
            self._call("PATCH", f"{collection}/{name}", json=content)

    def _find(self, path: str, **query: Any) -> dict[str, Any] | None:
        answer = self._client.get(path, params=query)
        return None if answer.status_code == httpx.codes.NOT_FOUND else _content(answer)

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        return _content(self._client.request(method, path, **arguments))


def _task_state(task: Mapping[str, Any]) -> TaskState:
    started = task["start_date"]
    return TaskState(
        task["task_id"],
        task["state"],
        task["try_number"],
        task["map_index"],
        datetime.fromisoformat(started) if started else None,
    )


def _content(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        asked = f"{answer.request.method} {answer.url.path}"
        raise AirflowApiError(f"Airflow answered {answer.status_code} to {asked}: {answer.text}")
    content: dict[str, Any] = answer.json()
    return content


def _readable(entry: dict[str, Any] | str) -> str:
    if isinstance(entry, str):
        return entry
    rest = [f"{name}={value}" for name, value in entry.items() if name not in _LOG_NOISE]
    line = " ".join([str(entry.get("level", "")).upper(), str(entry["event"]), *rest]).strip()
    return "\n".join([line, *(_raised(detail) for detail in entry.get("error_detail") or ())])


def _raised(detail: dict[str, Any]) -> str:
    where = "".join(
        f"  {frame['filename']}:{frame['lineno']} in {frame['name']}\n" for frame in detail.get("frames", ())
    )
    return f"{where}{detail.get('exc_type')}: {detail.get('exc_value')}"
