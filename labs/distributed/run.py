"""The proof from its first process to its last line."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rich.console import Console

from labs.distributed.broker import redis_broker
from labs.distributed.celery_settings import celery_settings
from labs.distributed.image_lists import ImageList, draw_lists
from labs.distributed.observe import SLOTS, TASKS, Proof, observe
from labs.distributed.postgres import postgres_server
from labs.distributed.verdict import judge
from labs.distributed.warehouse import ProofWarehouse
from labs.ground.command import ROOT
from labs.ground.figures import show
from labs.ground.phases import phase
from labs.ground.servers.airflow_api import AirflowApi
from labs.ground.servers.airflow_services import AirflowOptions, AirflowServices, DatabaseServer
from labs.ground.servers.emulator_service import QUOTA, EmulatorService
from labs.ground.servers.ports import free_port
from labs.ground.servers.processes import Service
from labs.ground.servers.services import Services

#: Directory for all that it makes; emptied first.
STATE: Final = ROOT / ".demo" / "distributed"
POOL: Final = "tencent_permit_ocr"
#: A median of 0.4 s, rarely more than 1 s, never more than 3.
_LATENCY: Final = "lognormal:0.4:0.4:3"
_WAREHOUSE: Final = "warehouse"
#: The emulator takes three at most; a killed worker holds the images of its calls for a minute more.
_CALL_SECONDS: Final = 10
#: One worker is enough to run all tasks.
_CONCURRENCY: Final = sum(TASKS.values())


@dataclass(frozen=True)
class ProofOptions:
    """What to run.

    :param images: how many to recognize, over both DAGs.
    :raises ValueError: too few images for a steady part.
    """

    images: int

    def __post_init__(self) -> None:
        if self.images < 40 * QUOTA:
            raise ValueError(f"--images {self.images}: give {40 * QUOTA} or more, 40 seconds of the quota")


class NotAsPromisedError(RuntimeError):
    """A figure is not as promised; the message names it."""


def run_proof(options: ProofOptions, console: Console) -> None:
    """Run both DAGs, kill a worker halfway, and compare the results with the promises.

    :raises NotAsPromisedError: a figure does not match its promise.
    :raises RuntimeError: something could not be started, or a run failed; the message gives the reason.
    """
    began = time.monotonic()
    shutil.rmtree(STATE, ignore_errors=True)
    STATE.mkdir(parents=True)
    with contextlib.ExitStack() as ending:
        with phase("Finding PostgreSQL and Redis", "PostgreSQL and Redis are up", console):
            postgres = ending.enter_context(postgres_server(STATE))
            broker = ending.enter_context(redis_broker(STATE))
            postgres.create_database(_WAREHOUSE)
        emulator = ending.enter_context(EmulatorService(STATE, "label", _LATENCY))
        settings = celery_settings(broker, postgres)
        airflow_options = AirflowOptions(
            STATE / "airflow", ROOT / "labs" / "distributed" / "dags", free_port(), settings
        )
        airflow = ending.enter_context(AirflowServices(airflow_options, postgres))
        services = Services(airflow, AirflowApi(airflow_options.url), emulator)
        lists, warehouse = _draw_while_airflow_migrates(options, services, postgres, console)
        workers = _start_airflow(services, postgres, console)
        proof = Proof(services, warehouse, lists, _trigger(services.api), console)
        evidence = observe(proof, workers)
    figures = judge(evidence)
    show(figures, evidence.defects, console)
    console.print(f"[dim]All this took {time.monotonic() - began:.0f} s.[/dim]", highlight=False)
    broken = [figure.name for figure in figures if not figure.kept]
    if broken:
        raise NotAsPromisedError(f"Not as promised: {', '.join(broken)}.")


def _draw_while_airflow_migrates(
    options: ProofOptions, services: Services, postgres: DatabaseServer, console: Console
) -> tuple[list[ImageList], ProofWarehouse]:
    with phase(
        "Making Airflow's database, labelling images", "Airflow's database and images are made", console
    ):
        migration = services.airflow.begin_migration()
        share = {dag_id: SLOTS[dag_id] * TASKS[dag_id] / QUOTA for dag_id in SLOTS}
        counts = {dag_id: round(options.images * share[dag_id]) for dag_id in SLOTS}
        directory = STATE / "images"
        lists = draw_lists(counts, directory)
        warehouse = ProofWarehouse(postgres.dsn(_WAREHOUSE))
        warehouse.list_images(lists, directory)
        services.airflow.finish_migration(migration)
    return lists, warehouse


def _start_airflow(services: Services, postgres: DatabaseServer, console: Console) -> list[Service]:
    api, airflow = services.api, services.airflow
    with phase("Starting Airflow with two workers", "Airflow is up, with two Celery workers", console):
        airflow.start()
        workers = [airflow.start_worker(name, _CONCURRENCY) for name in ("worker-1", "worker-2")]
        services.emulator.wait_until_ready()
        services.wait_until(api.is_ready, "Airflow is not healthy")
        api.log_in()
        api.set_pool(POOL, QUOTA, "One slot is one request per second of the account's quota")
        api.set_connection("warehouse", "Image lists and results", postgres.airflow_connection(_WAREHOUSE))
        account = services.emulator.airflow_connection | {
            "extra": json.dumps({"call_timeout": _CALL_SECONDS})
        }
        api.set_connection("tencentcloud_default", "The emulator, in place of the API", account)
        services.wait_until(
            lambda: all(api.dag_is_parsed(dag_id, airflow.started) for dag_id in SLOTS),
            "The DAGs are not there",
        )
        services.wait_until(
            lambda: all(_takes_tasks(worker) for worker in workers), "No two workers are ready"
        )
    return workers


def _takes_tasks(worker: Service) -> bool:
    return " ready." in worker.log.read_text(errors="replace")


def _trigger(api: AirflowApi) -> dict[str, str]:
    now = datetime.now(UTC)
    return {dag_id: api.trigger(dag_id, now, now, now) for dag_id in SLOTS}
