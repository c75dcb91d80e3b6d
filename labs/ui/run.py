"""Starts Airflow, runs what the page has to show, and looks at it while it runs and afterwards."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console

from labs.ground.images import BenchImage, draw_images
from labs.ground.phases import phase
from labs.ground.servers.airflow_api import AirflowApi
from labs.ground.servers.airflow_services import METADATA_DATABASE, AirflowOptions, AirflowServices
from labs.ground.servers.emulator_service import EmulatorService
from labs.ground.servers.ports import free_port
from labs.ground.servers.postgres import EmbeddedPostgres
from labs.ground.servers.services import Services
from labs.ground.warehouse import BenchWarehouse
from labs.ui.browser import Window, browser
from labs.ui.looks import TASK, Looks
from labs.ui.measures import measure, progress, task_path

_DAGS: Final = Path(__file__).with_name("dags")
_LISTS: Final = {"live": 900, "shards": 300, "capped": 60, "arrears": 60, "subclass": 40}
_DAG_IDS: Final = ("page_live", "page_shards", "page_capped", "page_in_arrears", "page_subclass")
#: Of users called by their roles.
_PASSWORDS: Final = {"admin": "an-admin's", "viewer": "a-viewer's"}
_FINISHED: Final = ("success", "failed")
_LATENCY: Final = "lognormal:0.3:0.4:2"
_PRICED: Final = {"extra": json.dumps({"price_per_call": 0.02, "currency": "USD"})}


class PageError(RuntimeError):
    """The page is not as it should be; the message lists what."""


def look_at_pages(state: Path, console: Console) -> None:
    """Run everything, look at it and print what was measured.

    :raises PageError: naming what is not as it should be.
    """
    shutil.rmtree(state, ignore_errors=True)
    pictures = state / "pictures"
    pictures.mkdir(parents=True)
    with contextlib.ExitStack() as ending:
        started = ending.enter_context(browser())
        postgres = ending.enter_context(EmbeddedPostgres(state / "postgres"))
        postgres.create_database("warehouse")
        emulator = ending.enter_context(
            EmulatorService(state, "label", _LATENCY, faults=_faults(state, "odd", _ODD))
        )
        broke = ending.enter_context(
            EmulatorService(state, "label", name="broke", faults=_faults(state, "broke", _BROKE))
        )
        options = AirflowOptions(
            state / "airflow",
            _DAGS,
            free_port(),
            {
                "CORE__PARALLELISM": "8",
                "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
                "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{name}" for name in _PASSWORDS),
            },
        )
        airflow = ending.enter_context(AirflowServices(options, postgres))
        (options.home / "simple_auth_manager_passwords.json.generated").write_text(json.dumps(_PASSWORDS))
        services = Services(airflow, AirflowApi(options.url), emulator)
        with phase("Starting Airflow", "Airflow is up", console):
            migration = airflow.begin_migration()
            _list_images(postgres, draw_images(max(_LISTS.values()), state / "images"))
            airflow.finish_migration(migration)
            airflow.start()
            _set_up(services, postgres, broke)
        looks = Looks(started, options.url, pictures)
        runs = _look_while_running(looks, services, console)
        _look_afterwards(looks, services.api, runs, console)
        measure(looks, services.api, runs["page_live"], postgres.dsn(METADATA_DATABASE), console)
    console.print(f"Pictures: {pictures}", highlight=False)
    if looks.problems:
        raise PageError("\n".join(looks.problems))


_ODD: Final = [
    {"match": {"rate": 0.03, "seed": 3}, "effect": {"error": "FailedOperation.ImageNoSpecifiedCard"}},
    {"match": {"rate": 0.02, "seed": 9}, "effect": {"error": "FailedOperation.ImageBlur"}},
]
_BROKE: Final = [
    {
        "match": {"action": "MainlandPermitOCR", "calls": ["21-9999"]},
        "effect": {"error": "ResourceUnavailable.InArrears"},
    }
]


def _faults(state: Path, name: str, rules: Sequence[Any]) -> Path:
    file = state / f"{name}-faults.json"
    file.write_text(json.dumps({"rules": rules}))
    return file


def _list_images(postgres: EmbeddedPostgres, images: Sequence[BenchImage]) -> None:
    warehouse = BenchWarehouse(postgres.dsn("warehouse"))
    for name, count in _LISTS.items():
        missing = BenchImage(f"{name}-gone", Path("/no/such/permit.jpg"), "FRONT", "", "")
        warehouse.list_images(name, [*images[: count - 1], missing])


def _set_up(services: Services, postgres: EmbeddedPostgres, broke: EmulatorService) -> None:
    api = services.api
    services.emulator.wait_until_ready()
    broke.wait_until_ready()
    services.wait_until(api.is_ready, "Airflow is not healthy")
    api.log_in("admin", _PASSWORDS["admin"])
    api.set_pool("tencent_permit_ocr", 40, "One slot is one request per second")
    api.set_connection("warehouse", "Lists, results, ledgers", postgres.airflow_connection("warehouse"))
    api.set_connection("tencentcloud_default", "", services.emulator.airflow_connection | _PRICED)
    api.set_connection("account_in_arrears", "", broke.airflow_connection | _PRICED)
    for dag_id in _DAG_IDS:
        services.wait_until(lambda dag_id=dag_id: api.dag_is_parsed(dag_id, services.airflow.started), dag_id)  # type: ignore[misc]


def _look_while_running(looks: Looks, services: Services, console: Console) -> dict[str, str]:
    api, now = services.api, datetime.now(UTC)
    runs = {"page_live": api.trigger("page_live", now, now, now)}
    live = runs["page_live"]
    with phase("Looking while a task runs", "Looked while a task ran", console):
        services.wait_until(lambda: progress(api, "page_live", live).get("calls", 0) > 100, "no calls")
        alone = looks.run_url("page_live", live)
        looks.log_in("admin", _PASSWORDS["admin"], f"{looks.url}/permitocr/open?{alone.partition('?')[2]}")
        looks.log_in("viewer", _PASSWORDS["viewer"], alone)
        task_page = f"{looks.url}/dags/page_live/runs/{live}/tasks/{TASK}/details"
        looks.look(
            "live-by-link",
            task_page,
            wait_for="text=Permit OCR",
            do=_follow_link,
            is_whole=False,
            has=("Throughput", "In flight", "Running", "quota 10/s"),
        )
        looks.look("live-dark", looks.run_url("page_live", live), is_dark=True, has=("Running",))
        looks.look("live-phone", looks.run_url("page_live", live), width=390, height=844, has=("Running",))
        runs["page_shards"] = api.trigger("page_shards", now, now, now)
        shards = runs["page_shards"]
        services.wait_until(lambda: progress(api, "page_shards", shards, 2).get("calls", 0) > 20, "no shards")
        looks.look("shards-live", looks.run_url("page_shards", shards), has=("Shard 1/3", "Shard 3/3"))
        looks.look(
            "overview-live",
            f"{looks.url}/",
            wait_for="text=Browse",
            do=_open_by_menu,
            has=("page_live", "page_shards"),
            is_whole=False,
        )
        for dag_id in _DAG_IDS[2:]:
            runs[dag_id] = api.trigger(dag_id, now, now, now)
        services.wait_until(lambda: _is_over(api, runs), "the runs do not end")
    return runs


def _open_by_menu(opened: Window) -> None:
    opened.page.get_by_text("Browse", exact=True).first.click()
    opened.page.get_by_text("Permit OCR", exact=True).first.click()
    _wait_for_page(opened)


def _follow_link(opened: Window) -> None:
    opened.page.get_by_role("link", name="Permit OCR", exact=True).first.click()
    opened.page.wait_for_timeout(2_000)
    opened.take_newest()  # Airflow 3.2 opens links in a tab of their own
    _wait_for_page(opened)


def _wait_for_page(opened: Window) -> None:
    deadline = time.monotonic() + 20
    while not opened.shows("#page[aria-busy=false] .stats"):
        if time.monotonic() > deadline:
            raise PageError(f"a click leads to {opened.page.url}, which does not show the page")
        opened.page.wait_for_timeout(200)
    opened.page.wait_for_timeout(500)


def _look_afterwards(looks: Looks, api: AirflowApi, runs: dict[str, str], console: Console) -> None:
    with phase("Looking at ended runs", "Looked at ended runs", console):
        live = runs["page_live"]
        looks.look(
            "done", looks.run_url("page_live", live), has=("Success", "900", "of 900", "ImageNotFound")
        )
        looks.look(
            "done-framed-dark",
            f"{looks.url}/plugin/permitocr/permitocr/ui/run.html?"
            + looks.run_url("page_live", live).partition("?")[2],
            is_dark=True,
            is_whole=False,
            has=("Success",),
        )
        looks.look("shards", looks.run_url("page_shards", runs["page_shards"]), has=("300", "Shards"))
        looks.look(
            "shard", looks.run_url("page_shards", runs["page_shards"], 1), has=("shard 2/3", "All shards")
        )
        looks.look(
            "capped",
            looks.run_url("page_capped", runs["page_capped"]),
            has=("Today's cap of 40 calls is reached", "0 left"),
        )
        looks.look(
            "arrears",
            looks.run_url("page_in_arrears", runs["page_in_arrears"]),
            has=("ResourceUnavailable.InArrears", "Recharge the account"),
        )
        looks.look("overview", f"{looks.url}/permitocr/ui/index.html", has=("page_live", "page_subclass"))
        looks.look(
            "overview-dark-phone", f"{looks.url}/permitocr/ui/index.html", is_dark=True, width=390, height=844
        )
        looks.look("viewer", looks.run_url("page_live", live), user="viewer", has=("of 900",))
        for dag_id in ("page_live", "page_subclass"):
            links = api.get(f"{task_path(dag_id, runs[dag_id])}/links")
            looks.require(
                f"{dag_id}: no link", "/permitocr/open" in str(links["extra_links"].get("Permit OCR"))
            )
        _require_login(looks, runs["page_live"])


def _require_login(looks: Looks, run_id: str) -> None:
    """A user who is not logged in gets no data, and is sent to the login."""
    path = f"{task_path('page_live', run_id)}/xcomEntries/permitocr_progress"
    with httpx.Client(base_url=looks.url, trust_env=False) as anyone:
        looks.require("records are public", anyone.get(path).status_code == httpx.codes.UNAUTHORIZED)
        answer = anyone.get("/permitocr/open", params={"dag_id": "a b", "run_id": "r", "task_id": "t"})
        place = answer.headers.get("location", "")
        looks.require(f"/open leads nobody to {place}", "/auth/login?next=" in place)
        further = anyone.get(place)
        looks.require(
            f"the login refuses its way back: {further.text}", further.status_code < httpx.codes.BAD_REQUEST
        )


def _is_over(api: AirflowApi, runs: dict[str, str]) -> bool:
    return all(api.run_state(dag_id, run_id) in _FINISHED for dag_id, run_id in runs.items())
