"""How fast the page is, and what it costs Airflow and its runs."""

from __future__ import annotations

import json
import time
from statistics import median
from typing import Any, Final

from rich.console import Console

from labs.ground.phases import phase
from labs.ground.servers.airflow_api import AirflowApi
from labs.ui.looks import TASK, Looks
from labs.ui.recorded import record_runs

_RECORDED_RUNS: Final = 1_000
_FIRST_CONTENT_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.05
_REPORTING_PART: Final = 0.01


def measure(looks: Looks, api: AirflowApi, run_id: str, dsn: str, console: Console) -> None:
    """Record a thousand runs, measure, and require what is promised.

    :param run_id: of the one run of ``page_live``, which has ended.
    :param dsn: of Airflow's own database.
    """
    with phase("Measuring with 1,000 recorded runs", "Measured", console):
        record_runs(dsn, "page_live", _RECORDED_RUNS)
        overview = f"{looks.url}/permitocr/ui/index.html"
        first = min(looks.first_content_seconds(overview, "#tasks tbody tr") for _ in range(5))
        one = min(looks.first_content_seconds(looks.run_url("page_live", run_id), ".stats") for _ in range(5))
        poll = _poll_seconds(api, run_id)
    record = progress(api, "page_live", run_id)
    size = len(json.dumps(record))
    for name, value, limit in (
        ("overview, first content", first, _FIRST_CONTENT_SECONDS),
        ("run, first content", one, _FIRST_CONTENT_SECONDS),
        ("one poll of a run's page", poll, _POLL_SECONDS),
    ):
        console.print(f"  {name}: {1000 * value:,.0f} ms (at most {1000 * limit:,.0f})", highlight=False)
        looks.require(f"{name} takes {value:.3f} s", value <= limit)
    console.print(f"  one record: {size:,} bytes", highlight=False)
    _require_light(looks, record, console)
    text = looks.look("overview-full", overview, has=("recorded__",))
    looks.require("no way to further runs", "Show more runs" in text)


def _require_light(looks: Looks, record: dict[str, Any], console: Console) -> None:
    seconds = record["points"]["seconds"][-1]
    cpu = record["reporting"]["cpu_seconds"] / seconds
    waited = record["reporting"]["seconds"] / seconds
    shares = f"{cpu:.2%} of its time computing, {waited:.2%} waiting for answers in its own thread"
    console.print(f"  reporting took a run of {seconds:.0f} s {shares}", highlight=False)
    looks.require(f"reporting took {cpu:.2%} of the run", cpu < _REPORTING_PART)


def _poll_seconds(api: AirflowApi, run_id: str) -> float:
    """Measure what a run's page requests every three seconds: its record, and occasionally its state."""
    task = task_path("page_live", run_id)
    seconds = []
    for number in range(50):
        began = time.perf_counter()
        api.get(f"{task}/xcomEntries/permitocr_progress")
        if number % 5 == 0:
            api.get(task)
        seconds.append(time.perf_counter() - began)
    return median(seconds)


def task_path(dag_id: str, run_id: str) -> str:
    """Return where the API has a run's task."""
    return f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{TASK}"


def progress(api: AirflowApi, dag_id: str, run_id: str, map_index: int | None = None) -> dict[str, Any]:
    """Return the record of a run, as its page reads it; empty if there is none yet."""
    query = {} if map_index is None else {"map_index": map_index}
    entry = api.find(f"{task_path(dag_id, run_id)}/xcomEntries/permitocr_progress", **query)
    return entry["value"] if entry else {}
