"""The part of Airflow's API that the page asks, beside the real app of the page: it starts in a second."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.responses import Response

KEY = "permitocr_progress"
_HOST = """<!doctype html><html class="light" style="--chakra-colors-bg: rgb(1, 2, 3)"><title>Airflow</title>
<style>html, body { margin: 0; height: 100% } iframe { width: 100%; height: 98%; border: 0 }</style>
<iframe src="PAGE" sandbox="allow-scripts allow-same-origin allow-forms"></iframe></html>"""


@dataclass
class StandIn:
    """What this Airflow knows.

    :param tasks: task instances with their records, by DAG, run, task and map index.
    :param forbidden: DAGs that the user may not read.
    :param is_logged_out: nobody is logged in.
    :param opens_menu_alone: the frame is that of Airflow 3.2.
    :param ignores_order: XCom entries are listed by DAG, task and run, as Airflow 3.2 does whatever is asked.
    :param broken: DAGs whose records Airflow cannot read, with the status that it answers.
    :param broken_shards: shards whose records Airflow cannot read, of any task; the status is 500.
    :param stored: records in the state stores of tasks, which outlive a try.
    :param hangs: seconds that a request for a record takes.
    """

    tasks: dict[tuple[str, str, str, int], dict[str, Any]] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    is_logged_out: bool = False
    opens_menu_alone: bool = False
    ignores_order: bool = False
    broken: dict[str, int] = field(default_factory=dict)
    broken_shards: set[int] = field(default_factory=set)
    stored: dict[tuple[str, str, str, int], object] = field(default_factory=dict)
    hangs: float = 0.0
    now: datetime = datetime(2026, 11, 30, 12, 30, tzinfo=UTC)
    asked: list[str] = field(default_factory=list)

    def add(
        self,
        record: object,
        *,
        dag_id: str = "permit_ocr_daily",
        run_id: str = "scheduled__2026-11-30T02:00:00+00:00",
        task_id: str = "recognize_permits",
        map_index: int = -1,
        state: str | None = "success",
        try_number: int = 1,
        run_after: str = "2026-11-30T12:00:00Z",
        pushed: str | None = None,
    ) -> None:
        """Add a task instance with its record; None: it has none.

        :param pushed: when, by Airflow's clock; None: when the record says.
        """
        written = record.get("at") if isinstance(record, dict) else None
        self.tasks[dag_id, run_id, task_id, map_index] = {
            "state": state,
            "try_number": try_number,
            "record": record,
            "run_after": run_after,
            "pushed": pushed or written or self.now.isoformat(),
        }

    def app(self) -> FastAPI:
        """Return the whole of it as an app."""
        from airflow_provider_permitocr.plugins.app import app as page

        app = FastAPI()
        app.mount("/permitocr", page)

        @app.middleware("http")
        async def asked(request: Request, answer: Any) -> Response:
            if request.url.path.startswith("/api/"):
                self.asked.append(request.url.path)
                if self.is_logged_out and "auth" not in request.url.path:
                    return JSONResponse({"detail": "Not authenticated"}, 401)
            response: Response = await answer(request)
            response.headers["Date"] = format_datetime(self.now, usegmt=True)
            return response

        @app.get("/plugin/permitocr{rest:path}")
        def framed(rest: str, request: Request) -> HTMLResponse:
            return HTMLResponse(_HOST.replace("PAGE", self._framed(rest, request.url.query)))

        @app.get("/dags/{rest:path}")
        def elsewhere(rest: str) -> HTMLResponse:
            return HTMLResponse(f"<title>Airflow</title><h1 id=other>{escape(rest)}</h1>")

        @app.get("/api/v2/auth/login")
        def login() -> HTMLResponse:
            return HTMLResponse("<title>Login</title><h1>Login</h1>")

        tasks = "/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        base = f"{tasks}/{{task_id}}"
        app.get(tasks)(self._instances)
        app.get(f"{base}/xcomEntries")(self._entries)
        app.get(f"{base}/xcomEntries/{KEY}")(self._entry)
        app.get(f"{base}/state-store/{KEY}")(self._stored)
        app.get(f"{base}/tries")(self._tries)
        app.get(f"{base}/{{map_index}}/tries")(self._tries)
        app.get(f"{base}/{{map_index}}")(self._instance)
        app.get(base)(self._instance)
        return app

    def _framed(self, rest: str, query: str) -> str:
        """What Airflow opens in its frame; 3.2 opens the entry of the menu whatever is asked for."""
        if self.opens_menu_alone or not rest:
            return "/permitocr/ui/index.html"
        return escape(f"{rest}?{query}", quote=True)

    def _require(self, dag_id: str) -> None:
        if dag_id in self.forbidden:
            raise HTTPException(403)

    def _instance(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        self._require(dag_id)
        task = self.tasks.get((dag_id, run_id, task_id, map_index))
        if task is None:
            raise HTTPException(404)
        return {
            "dag_id": dag_id,
            "dag_run_id": run_id,
            "task_id": task_id,
            "map_index": map_index,
            "rendered_map_index": None,
            "state": task["state"],
            "try_number": task["try_number"],
            "start_date": task["run_after"],
            "duration": 50.4,
            "run_after": task["run_after"],
        }

    def _of(self, dag_id: str, run_id: str, task_id: str) -> list[tuple[str, str, str, int]]:
        asked = (dag_id, run_id, task_id)
        return [
            key
            for key in self.tasks
            if all(one in ("~", other) for one, other in zip(asked, key, strict=False))
            and key[0] not in self.forbidden
        ]

    def _instances(
        self,
        dag_id: str,
        run_id: str,
        task_id: str = "~",
        limit: int = 50,
        offset: int = 0,
        state: str | None = None,
    ) -> dict[str, Any]:
        if dag_id != "~":
            self._require(dag_id)
            if not self._of(dag_id, run_id, "~"):
                raise HTTPException(404)
        keys = [key for key in self._of(dag_id, run_id, task_id) if state in (None, self.tasks[key]["state"])]
        page = [self._instance(*key) for key in keys[offset : offset + limit]]
        return {"task_instances": page, "total_entries": len(keys)}

    def _stored(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        self._require(dag_id)
        record = self.stored.get((dag_id, run_id, task_id, map_index))
        if record is None:
            raise HTTPException(404)
        return {"key": KEY, "value": record, "updated_at": self.now.isoformat(), "expires_at": None}

    def _tries(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        newest = self._instance(dag_id, run_id, task_id, map_index)
        earlier = [
            newest | {"try_number": each, "state": "failed"} for each in range(1, newest["try_number"])
        ]
        return {"task_instances": [*earlier, newest], "total_entries": newest["try_number"]}

    def _entries(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        limit: int = 50,
        offset: int = 0,
        map_index: int | None = None,
        run_after_gte: datetime | None = None,
    ) -> dict[str, Any]:
        if dag_id != "~":
            self._require(dag_id)
        found = [
            key
            for key in self._of(dag_id, run_id, task_id)
            if self.tasks[key]["record"] is not None
            and map_index in (None, key[3])
            and (
                run_after_gte is None or datetime.fromisoformat(self.tasks[key]["run_after"]) >= run_after_gte
            )
        ]
        found.sort(key=lambda key: (key[0], key[2], key[1], key[3]))
        if not self.ignores_order:
            found.sort(key=lambda key: self.tasks[key]["run_after"], reverse=True)
        page = [
            {
                "key": KEY,
                **dict(zip(("dag_id", "run_id", "task_id", "map_index"), key, strict=True)),
                "timestamp": self.tasks[key]["pushed"],
                "run_after": self.tasks[key]["run_after"],
            }
            for key in found[offset : offset + limit]
        ]
        return {"xcom_entries": page, "total_entries": len(found)}

    def _entry(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        self._require(dag_id)
        time.sleep(self.hangs)
        if dag_id in self.broken:
            raise HTTPException(self.broken[dag_id])
        if map_index in self.broken_shards:
            raise HTTPException(500)
        task = self.tasks.get((dag_id, run_id, task_id, map_index))
        if task is None or task["record"] is None:
            raise HTTPException(404)
        return {"key": KEY, "value": task["record"], "timestamp": task["pushed"]}


@contextmanager
def serve(stand_in: StandIn, path: str = "") -> Iterator[str]:
    """Serve it on a free port of this machine; yields its address.

    :param path: where it is, as behind a proxy.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    app = stand_in.app()
    if path:
        outer = FastAPI()
        outer.mount(path, app)
        app = outer
    config = uvicorn.Config(app, log_level="warning", date_header=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{path}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
