"""The app behind the page: static files without data, what codes mean, and the way in."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.responses import Response

from airflow_provider_permitocr.permit.advice import OWN_CODES
from airflow_provider_permitocr.permit.error_codes import SERVICE_CODES
from airflow_provider_permitocr.plugins import app as app_module
from airflow_provider_permitocr.tencent.wire_codes import WIRE_CODES

_RUN = {"dag_id": "a/b & c", "run_id": "manual__+00:00", "task_id": "recognize", "map_index": "2"}


class Door:
    """The app as Airflow mounts it; ``user`` is logged in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.user: str | None = "somebody"
        self.sees_plugins = True
        manager = SimpleNamespace(is_authorized_view=lambda access_view, user: self.sees_plugins)
        monkeypatch.setattr(app_module, "get_auth_manager", lambda: manager)
        outer = FastAPI()
        outer.mount("/permitocr", app_module.app)

        @outer.middleware("http")
        async def know_user(request: Request, answer: Any) -> Response:
            if self.user:
                request.state.user = self.user
            response: Response = await answer(request)
            return response

        self.client = TestClient(outer, follow_redirects=False)

    def open(self, **changed: str) -> str:
        """Return where a run's button leads to."""
        answer = self.client.get("/permitocr/open", params=_RUN | changed)
        assert answer.status_code == 307
        assert answer.headers["cache-control"] == "no-store"
        return str(answer.headers["location"])


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://example.com/team/air")
    return Door(monkeypatch)


def test_users_who_see_plugins_get_the_page_in_airflows_frame(door: Door) -> None:
    place = urlsplit(door.open())
    assert place.path == "/team/air/plugin/permitocr/team/air/permitocr/ui/run.html"
    assert {name: value[0] for name, value in parse_qs(place.query).items()} == _RUN


def test_users_who_see_no_plugins_get_the_page_alone(door: Door) -> None:
    door.sees_plugins = False
    assert urlsplit(door.open()).path == "/team/air/permitocr/ui/run.html"


def test_who_is_not_logged_in_is_led_to_the_login_and_back(door: Door) -> None:
    door.user = None
    place = urlsplit(door.open())
    assert place.path == "/team/air/api/v2/auth/login"
    back = urlsplit(parse_qs(place.query)["next"][0])
    assert back.path == "/team/air/permitocr/open"
    assert {name: value[0] for name, value in parse_qs(back.query).items()} == _RUN


@pytest.mark.parametrize(
    "dag_id", ["//evil.example", "https://evil.example", "a\r\nSet-Cookie: b", "../../x"]
)
def test_no_name_leads_elsewhere(door: Door, dag_id: str) -> None:
    for door.user in ("somebody", None):
        place = door.open(dag_id=dag_id)
        assert place.startswith("/team/air/")
        assert "\n" not in place


def test_a_run_without_its_names_is_refused(door: Door) -> None:
    assert door.client.get("/permitocr/open").status_code == 422


def test_every_code_has_its_meaning_and_what_to_do(door: Door) -> None:
    codes = door.client.get("/permitocr/codes").json()
    assert {each.code for each in (*SERVICE_CODES, *WIRE_CODES)} | set(OWN_CODES) == set(codes)
    assert [code for code, each in codes.items() if not each["reason"]] == []
    assert codes["ResourceUnavailable.InArrears"]["advice"].startswith("Recharge the account")
    assert "fetch_hosts" in codes["ImageHostRefused"]["advice"]
    assert codes["ImageReferenceUnknown"]["advice"].startswith("Correct the list")
    assert codes["FailedOperation.EmptyImageError"]["billed"] is True
    assert all(set(each) <= {"reason", "advice", "next", "billed", "prefix"} for each in codes.values())


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("index.html", "text/html"),
        ("run.html", "text/html"),
        ("style.css", "text/css"),
        ("icon.svg", "image/svg+xml"),
        ("js/run.js", "text/javascript"),
    ],
)
def test_files_are_asked_for_again_and_may_load_nothing_from_elsewhere(
    door: Door, file: str, kind: str
) -> None:
    answer = door.client.get(f"/permitocr/ui/{file}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["cache-control"] == "no-cache"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert (
        door.client.get(
            f"/permitocr/ui/{file}", headers={"If-None-Match": answer.headers["etag"]}
        ).status_code
        == 304
    )


def test_nothing_but_the_page_is_served(door: Door) -> None:
    for path in ("ui/../app.py", "ui/%2e%2e/app.py", "docs", "openapi.json", "ui/js/nothing.js"):
        assert door.client.get(f"/permitocr/{path}").status_code == 404
    assert door.client.post("/permitocr/open", params=_RUN).status_code == 405


def test_the_page_is_small_and_names_no_other_host() -> None:
    files = [file for file in app_module._STATIC.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 120_000
    for file in files:
        # Of SVG's namespace.
        text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//[a-z0-9.-]+\.[a-z]{2,}/", text), file


def test_no_script_reads_data_as_markup() -> None:
    for file in app_module._STATIC.rglob("*.js"):
        text = file.read_text("utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text
        ), file


def test_codes_are_plain_json() -> None:
    assert json.loads(json.dumps(app_module._CODES)) == app_module._CODES
