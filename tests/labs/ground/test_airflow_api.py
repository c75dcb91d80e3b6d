from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from labs.ground.servers.airflow_api import AirflowApi, AirflowApiError, TaskState

_STARTED = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


class _Airflow:
    """Answers by method and path; remembers what it was sent."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.sent: dict[str, Any] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = f"{request.method} {request.url.path}"
        self.sent[asked] = json.loads(request.content) if request.content else dict(request.url.params)
        if asked not in self.answers:
            return httpx.Response(404, json={"detail": "not found"})
        answer = self.answers[asked]
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)


def _api(airflow: Callable[[httpx.Request], httpx.Response]) -> AirflowApi:
    return AirflowApi("http://airflow", httpx.MockTransport(airflow))


def test_ready_means_that_the_scheduler_is_healthy() -> None:
    path = "GET /api/v2/monitor/health"
    assert _api(_Airflow({path: {"scheduler": {"status": "healthy"}}})).is_ready()
    assert not _api(_Airflow({path: {"scheduler": {"status": "unhealthy"}}})).is_ready()


def test_api_server_that_does_not_listen_yet_is_not_ready() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    assert not _api(refuse).is_ready()


def test_dag_counts_as_parsed_only_by_this_airflow() -> None:
    airflow = _Airflow({"GET /api/v2/importErrors": {"import_errors": []}})
    assert not _api(airflow).dag_is_parsed("daily", _STARTED)
    airflow.answers["GET /api/v2/dags/daily"] = {"last_parsed_time": "2026-07-01T11:59:59Z"}
    assert not _api(airflow).dag_is_parsed("daily", _STARTED)
    airflow.answers["GET /api/v2/dags/daily"] = {"last_parsed_time": "2026-07-01T12:00:01Z"}
    assert _api(airflow).dag_is_parsed("daily", _STARTED)


def test_dag_file_that_does_not_import_is_named_with_its_traceback() -> None:
    broken = {"filename": "daily.py", "stack_trace": "SyntaxError: invalid syntax"}
    airflow = _Airflow({"GET /api/v2/importErrors": {"import_errors": [broken]}})
    with pytest.raises(AirflowApiError, match=r"daily\.py does not import:\nSyntaxError"):
        _api(airflow).dag_is_parsed("daily", _STARTED)


def test_run_left_by_an_interrupted_demo_is_failed() -> None:
    path = "/api/v2/dags/daily/dagRuns"
    airflow = _Airflow({f"GET {path}": {"dag_runs": [{"dag_run_id": "old"}]}, f"PATCH {path}/old": {}})
    _api(airflow).abandon_unfinished_runs("daily")
    assert airflow.sent[f"PATCH {path}/old"] == {"state": "failed"}


def test_pool_is_made_or_resized() -> None:
    airflow = _Airflow({"POST /api/v2/pools": {}})
    _api(airflow).set_pool("ocr", 20, "")
    assert airflow.sent["POST /api/v2/pools"]["slots"] == 20
    airflow = _Airflow({"GET /api/v2/pools/ocr": {}, "PATCH /api/v2/pools/ocr": {}})
    _api(airflow).set_pool("ocr", 20, "")
    assert airflow.sent["PATCH /api/v2/pools/ocr"]["slots"] == 20


def test_connection_of_an_earlier_run_gets_its_new_port() -> None:
    path = "/api/v2/connections"
    airflow = _Airflow({f"GET {path}/warehouse": {}, f"PATCH {path}/warehouse": {}})
    _api(airflow).set_connection("warehouse", "", {"conn_type": "postgres", "port": 5433})
    assert airflow.sent[f"PATCH {path}/warehouse"]["port"] == 5433


def test_task_without_a_result_returns_none() -> None:
    assert _api(_Airflow({})).result("daily", "run", "recognize") is None


def test_log_reads_as_text_with_the_traceback() -> None:
    failed = {
        "event": "Task failed",
        "level": "error",
        "timestamp": "2026-07-01T12:00:00Z",
        "error_detail": [
            {
                "exc_type": "ValueError",
                "exc_value": "no such table",
                "frames": [{"filename": "operator.py", "lineno": 7, "name": "execute"}],
            }
        ],
    }
    path = "GET /api/v2/dags/daily/dagRuns/run/taskInstances/recognize/logs/2"
    airflow = _Airflow({path: {"content": [failed, "plain line"]}})
    assert _api(airflow).log("daily", "run", TaskState("recognize", "failed", 2)) == [
        "ERROR Task failed\n  operator.py:7 in execute\nValueError: no such table",
        "plain line",
    ]


def test_refusal_tells_what_was_asked_and_why_not() -> None:
    airflow = _Airflow({"GET /api/v2/dags/daily/dagRuns/run": httpx.Response(409, text="conflict")})
    with pytest.raises(AirflowApiError, match="409 to GET /api/v2/dags/daily/dagRuns/run: conflict"):
        _api(airflow).run_state("daily", "run")


def test_where_not_everyone_is_let_in_a_user_logs_in_by_name() -> None:
    airflow = _Airflow({"POST /auth/token": {"access_token": "secret"}, "GET /api/v2/x": {"y": 1}})
    api = _api(airflow)
    api.log_in("admin", "password")
    assert airflow.sent["POST /auth/token"] == {"username": "admin", "password": "password"}
    assert api.get("/api/v2/x", limit=5) == {"y": 1}
    assert airflow.sent["GET /api/v2/x"] == {"limit": "5"}


def test_what_is_not_there_is_found_to_be_none() -> None:
    assert _api(_Airflow({})).find("/api/v2/x", map_index=3) is None
