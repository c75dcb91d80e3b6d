"""The demo from its first process to its last line."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from rich.console import Console

from labs.demo.follow import Watched, follow
from labs.demo.report import (
    show_accuracy,
    show_costs,
    show_document,
    show_flags,
    show_results,
    show_summary,
)
from labs.demo.turn import turn
from labs.demo.warehouse import LedgerSums, ListedImage, Warehouse
from labs.ground.accuracy import Accuracy, compare, without_reason
from labs.ground.image_list import DrawnImage, read_image_list
from labs.ground.phases import phase
from labs.ground.servers.airflow_api import AirflowApi
from labs.ground.servers.airflow_services import AirflowOptions, AirflowServices
from labs.ground.servers.emulator_service import QUOTA, EmulatorService
from labs.ground.servers.ports import free_port
from labs.ground.servers.postgres import EmbeddedPostgres
from labs.ground.servers.processes import Service, spawn
from labs.ground.servers.services import Services

DAG_ID: Final = "permit_ocr_daily"
ANALYTICS_DAG_ID: Final = "permit_ocr_analytics"
TASK_ID: Final = "recognize_permits"
POOL: Final = "tencent_permit_ocr"
WAREHOUSE_DATABASE: Final = "warehouse"
#: Of the fields of clean specimens; ``make demo`` fails below.
PROMISED_PERCENT: Final = 98
#: In UTC, by the DAG's timetable.
_DUE_HOUR: Final = 2
_UI_PORT: Final = 8080
#: Invented, so that the summary includes a cost.
_PRICE: Final = {"price_per_call": 0.02, "currency": "USD"}


@dataclass(frozen=True)
class DemoOptions:
    """Where the demo finds and keeps things.

    :param state: directory for everything it makes; kept for the next run.
    :param dags: folder with the DAG files.
    :param keep_running: leave the UI up until interrupted.
    """

    state: Path
    dags: Path
    keep_running: bool = False


class RunFailedError(RuntimeError):
    """The DAG run failed, or did not do what it should; the message gives the reason."""


def run_demo(options: DemoOptions, console: Console) -> None:
    """Run the main job and show the result.

    :raises RunFailedError: the DAG run failed, or its result is not what the demo promises.
    :raises RuntimeError: something could not be started; the message says what to do.
    """
    began = time.monotonic()
    with contextlib.ExitStack() as ending:
        ending.enter_context(turn(options.state, console))
        postgres = EmbeddedPostgres(options.state / "postgres")
        with phase("Starting PostgreSQL", "PostgreSQL is up", console):
            ending.enter_context(postgres)
            postgres.create_database(WAREHOUSE_DATABASE)
        emulator = ending.enter_context(EmulatorService(options.state))
        reports = options.state / "reports"
        reports.mkdir(exist_ok=True)
        airflow_options = AirflowOptions(
            options.state / "airflow",
            options.dags,
            free_port(_UI_PORT),
            variables={"permit_ocr_reports": str(reports)},
        )
        airflow = ending.enter_context(AirflowServices(airflow_options, postgres))
        services = Services(airflow, AirflowApi(airflow_options.url), emulator)
        ending.callback(console.print, "Ending everything that was started …")
        drawn = _draw_while_airflow_starts(options.state, services, console)
        warehouse = Warehouse(postgres.dsn(WAREHOUSE_DATABASE))
        _list_images(drawn, options.state / "images", warehouse)
        _set_up_airflow(services, postgres.airflow_connection(WAREHOUSE_DATABASE), console)
        run_id, summary = _run_dag(services, warehouse, len(drawn), console)
        results = warehouse.results()
        clean = _report(drawn, results, console)
        stats, ledger = emulator.stats(), warehouse.ledger_sums(run_id)
        show_summary(summary, int(stats["calls"]), ledger, console)
        _analyze(services, warehouse, results, reports, console)
        console.print(f"\n[dim]All this took {time.monotonic() - began:.0f} s.[/dim]", highlight=False)
        if options.keep_running:
            _keep_running(airflow_options.url, run_id, services, console)
            return
        _require(clean, without_reason(drawn, results))
        _require_same_count(stats, ledger)
        console.print("Next: [bold]make demo-ui[/bold] leaves Airflow's UI up to click through;")
        console.print("docs/index.md leads to all pages, by task.", highlight=False)


def _draw_while_airflow_starts(state: Path, services: Services, console: Console) -> list[DrawnImage]:
    log = state / "drawing.log"
    doing = "Drawing images, making Airflow's database, loading the emulator's models"
    with phase(doing, "Images are drawn, Airflow has its database, the emulator reads", console):
        migration = services.airflow.begin_migration()
        command = [sys.executable, "-m", "labs.ground.image_list", str(state)]
        drawing = Service("Drawing the images", log, spawn(command, log=log))
        services.airflow.finish_migration(migration)
        services.airflow.start()
        drawing.wait()
        services.emulator.wait_until_ready()
    return read_image_list(state / "truth.jsonl")


def _list_images(drawn: list[DrawnImage], directory: Path, warehouse: Warehouse) -> None:
    rows = [ListedImage(image.image_id, str(directory / image.file), image.card_side) for image in drawn]
    warehouse.list_images(rows, _end_of_last_interval(datetime.now(UTC)) - timedelta(minutes=1))


def _end_of_last_interval(now: datetime) -> datetime:
    """Return the last time that the DAG was due: the UI's Trigger button takes the day before it."""
    today = now.replace(hour=_DUE_HOUR, minute=0, second=0, microsecond=0)
    return today if today <= now else today - timedelta(days=1)


def _set_up_airflow(
    services: Services, warehouse_connection: Mapping[str, str | int], console: Console
) -> None:
    api = services.api
    parts = "API server, scheduler, DAG processor"
    with phase(f"Starting Airflow: {parts}", f"Airflow is up: {parts}", console):
        services.wait_until(api.is_ready, "Airflow is not healthy")
        api.log_in()
        api.set_pool(POOL, QUOTA, "One slot is one request per second of the account's quota")
        api.set_connection("warehouse", "The demo's image list and result table", warehouse_connection)
        account = services.emulator.airflow_connection | {"extra": json.dumps(_PRICE)}
        api.set_connection("tencentcloud_default", "The emulator, in place of the API", account)
        for dag_id in (DAG_ID, ANALYTICS_DAG_ID):
            is_parsed = partial(api.dag_is_parsed, dag_id, services.airflow.started)
            services.wait_until(is_parsed, f"No DAG {dag_id}")
            api.abandon_unfinished_runs(dag_id)


def _run_dag(services: Services, warehouse: Warehouse, total: int, console: Console) -> tuple[str, Any]:
    api = services.api
    with phase(None, f"DAG {DAG_ID} has run in pool {POOL}", console):
        start, end = warehouse.upload_interval()
        run_id = api.trigger(DAG_ID, datetime.now(UTC), start, end)
        watched = Watched(
            lambda: api.run_state(DAG_ID, run_id), warehouse.count_results, total, services.check
        )
        if follow(watched, console) != "success":
            raise RunFailedError(api.why_failed(DAG_ID, run_id))
    results = [api.result(DAG_ID, run_id, task.task_id) for task in api.tasks(DAG_ID, run_id)]
    return run_id, next((result for result in results if isinstance(result, Mapping)), None)


def _analyze(
    services: Services,
    warehouse: Warehouse,
    results: Sequence[Mapping[str, Any]],
    reports: Path,
    console: Console,
) -> None:
    """Run the DAG for analysts, and show what it gives them.

    In a deployment the asset that the first DAG updates starts it; here nothing runs by schedule.
    """
    api, now = services.api, datetime.now(UTC)
    doing = "Updating views, tables and the report for analysts"
    with phase(doing, f"DAG {ANALYTICS_DAG_ID} has run", console):
        run_id = api.trigger(ANALYTICS_DAG_ID, now, now, now)
        services.wait_until(
            lambda: api.run_state(ANALYTICS_DAG_ID, run_id) in ("success", "failed"),
            f"The run of {ANALYTICS_DAG_ID} does not end",
        )
        if api.run_state(ANALYTICS_DAG_ID, run_id) != "success":
            raise RunFailedError(api.why_failed(ANALYTICS_DAG_ID, run_id))
    show_flags(results, console)
    show_document(warehouse.document(), console)
    show_costs(warehouse.costs(), console)
    pages = sorted(reports.glob("*.html"))
    if not pages:
        raise RunFailedError(f"The run of {ANALYTICS_DAG_ID} wrote no report into {reports}.")
    console.print(f"\nThe same in pictures: [bold]{pages[-1]}[/bold]", highlight=False)


def _report(drawn: list[DrawnImage], results: Sequence[Mapping[str, Any]], console: Console) -> Accuracy:
    clean = compare(drawn, results, "clean")
    show_results(results, console)
    show_accuracy(clean, compare(drawn, results, "effect"), console)
    return clean


def _require(clean: Accuracy, unexplained: list[str]) -> None:
    if clean.percent < PROMISED_PERCENT:
        raise RunFailedError(f"Less than {PROMISED_PERCENT} % of the clean fields were read as drawn.")
    if unexplained:
        raise RunFailedError(f"The result table does not say what is wrong with {', '.join(unexplained)}.")


def _require_same_count(stats: Mapping[str, Any], ledger: LedgerSums) -> None:
    if (ledger.calls, ledger.billed) != (stats["calls"], stats["billed"]):
        raise RunFailedError(
            f"The ledger says {ledger.calls} calls, {ledger.billed} of them billed; the emulator counted"
            f" {stats['calls']}, {stats['billed']} of them billed."
        )


def _keep_running(url: str, run_id: str, services: Services, console: Console) -> None:
    run = urlencode({"dag_id": DAG_ID, "run_id": run_id, "task_id": TASK_ID})
    page = f"{url}/permitocr/open?{run}"
    console.print("\nThe run's page in Airflow's UI (no login). End it with Ctrl-C:")
    console.print(f"[bold]{page}[/bold]", highlight=False, soft_wrap=True)
    console.print("Nothing runs by schedule here; press Trigger for a run over the last interval.")
    try:
        while True:
            services.check()
            time.sleep(1)
    except SystemExit as interrupted:
        if interrupted.code != 128 + signal.SIGINT:
            raise  # a Ctrl-C is how this is meant to end
