"""All that happens to runs under a real Airflow, at the same time: its scheduler, retries, API, backfills."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import psutil

from airflow_provider_permitocr.permit.api import ACTION
from labs.chaos.airflow.control import AirflowControl
from labs.chaos.airflow.runs import backfilled, scheduled, two_at_once
from labs.chaos.airflow.scene import AirflowScene, AirflowSceneError
from labs.chaos.airflow.tries import account_fault, marked_failed, out_of_time, task_killed, worker_stopped
from labs.chaos.airflow.triggers import TRIGGERS, triggered
from labs.chaos.scene import Stage
from labs.ground.command import ROOT
from labs.ground.figures import Figure
from labs.ground.images import draw_images
from labs.ground.servers.airflow_api import AirflowApiError
from labs.ground.servers.airflow_services import AirflowOptions, AirflowServices
from labs.ground.servers.emulator_service import EmulatorService
from labs.ground.servers.ports import free_port
from labs.ground.servers.services import Services

FAULT: Final = "FailedOperation.ArrearsError"
SITUATIONS: Final[dict[str, Callable[[AirflowScene], list[Figure]]]] = {
    "out_of_time": out_of_time,
    "scheduled": scheduled,
    "account_fault": partial(account_fault, code=FAULT),
    "marked_failed": marked_failed,
    "task_killed": task_killed,
    "worker_stopped": worker_stopped,
    "backfilled": backfilled,
    "two_at_once": two_at_once,
    **{name: partial(triggered, trigger=trigger) for name, trigger in TRIGGERS.items()},
}
_POOL: Final = "tencent_permit_ocr"
#: All tasks run at the same time, with 20 slots each.
_SLOTS: Final = 400
_SETTINGS: Final = {"CORE__PARALLELISM": "12", "SCHEDULER__USE_JOB_SCHEDULE": "True"}
#: Situations side by side: a small machine takes its time to start tasks.
_AT_ONCE: Final = 4
#: A median of 0.4 s, rarely more than 1 s, never more than 3.
_LATENCY: Final = "lognormal:0.4:0.4:3"


def airflow(stage: Stage) -> list[Figure]:
    """Start Airflow, and play all situations with it, side by side."""
    state = stage.state / "airflow-services"
    state.mkdir()
    with contextlib.ExitStack() as ending:
        healthy = ending.enter_context(_emulator(state, "healthy"))
        faulty = ending.enter_context(
            _emulator(state, "faulty", _write_faults(state, stage.sizes.airflow_images // 2))
        )
        options = AirflowOptions(state / "home", ROOT / "labs" / "chaos" / "dags", free_port(), _SETTINGS)
        airflow_services = ending.enter_context(AirflowServices(options, stage.postgres))
        api = AirflowControl(options.url)
        services = Services(airflow_services, api, healthy)
        _start(services, faulty)
        stage.say("Airflow is up")
        threads = ending.enter_context(ThreadPoolExecutor(_AT_ONCE))
        over = threading.Event()
        ending.callback(threads.shutdown, wait=False, cancel_futures=True)
        ending.callback(over.set)  # called first, so that no thread waits for long

        def check() -> None:
            if over.is_set():
                raise AirflowSceneError("interrupted")
            services.check()

        execute = airflow_services.execute
        common = AirflowScene("", (), api, healthy, faulty, stage.postgres, execute, check, state)
        scenes = _scenes(stage, common)
        return [figure for figures in threads.map(partial(_play, stage), scenes) for figure in figures]


def _write_faults(state: Path, first: int) -> Path:
    file = state / "faults.json"
    match = {"action": ACTION, "calls": [f"{first}-999999999"]}
    rule = {"match": match, "effect": {"error": FAULT}}
    file.write_text(json.dumps({"rules": [rule]}))
    return file


def _emulator(state: Path, name: str, faults: Path | None = None) -> EmulatorService:
    return EmulatorService(state, "label", _LATENCY, name=name, quota=0, faults=faults)


def _start(services: Services, faulty: EmulatorService) -> None:
    airflow_services, api = services.airflow, services.api
    airflow_services.finish_migration(airflow_services.begin_migration())
    airflow_services.start()
    for emulator in (services.emulator, faulty):
        emulator.wait_until_ready()
    services.wait_until(api.is_ready, "Airflow is not healthy")
    api.log_in()
    api.set_pool(_POOL, _SLOTS, "One slot is one request per second of the account's quota")
    services.wait_until(
        lambda: all(api.dag_is_parsed(dag_id, airflow_services.started) for dag_id in SITUATIONS),
        "The DAGs are not there",
    )


def _scenes(stage: Stage, common: AirflowScene) -> list[AirflowScene]:
    sizes = stage.sizes
    chosen = sizes.airflow_only or tuple(SITUATIONS)
    numbers = [sizes.trigger_images if name in TRIGGERS else sizes.airflow_images for name in chosen]
    images = iter(draw_images(sum(numbers), stage.state / "airflow-images"))
    return [
        replace(common, dag_id=dag_id, images=list(islice(images, number)), runs=[])
        for dag_id, number in zip(chosen, numbers, strict=True)
    ]


def _play(stage: Stage, scene: AirflowScene) -> list[Figure]:
    began = time.monotonic()
    try:
        scene.set_up()
        figures = SITUATIONS[scene.dag_id](scene)
    except (AirflowSceneError, AirflowApiError, psutil.Error) as error:
        file = scene.logs / f"{scene.dag_id}-error.log"
        file.write_text(f"{type(error).__name__}: {error}")
        figures = [Figure("played to its end", f"no, see {file}", "yes", kept=False)]
    scene.keep_logs()
    stage.say(f"{scene.dag_id}: {time.monotonic() - began:.0f} s")
    return [replace(figure, name=f"{scene.dag_id}: {figure.name}") for figure in figures]
