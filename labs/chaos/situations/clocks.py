"""Workers whose clocks are far apart, on one list and one ledger."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from labs.chaos.databases import Database, mariadb_database
from labs.chaos.scene import Scene, Setting, Stage
from labs.chaos.task_process import TaskProcess
from labs.chaos.verdict import (
    at_most,
    every_image_once,
    ledger_equals_journal,
    none_of,
    not_played,
    of_situation,
    paid_twice,
    succeeded,
)
from labs.ground.figures import Figure

#: As far apart as signatures allow, which accept five minutes either way.
_CLOCKS: Final = (-298.0, 299.0)
#: Many calls are under way at any time, and each of them is one that the other worker may think long gone.
_LATENCY: Final = "uniform:1:2"
#: Slow, so that both make calls most of the time.
_RATE: Final = 15


def clocks(stage: Stage) -> list[Figure]:
    """Start two runs of one list at the same time, on workers whose clocks are ten minutes apart."""
    figures = of_situation("PostgreSQL", _play(stage, "clocks_postgres", None))
    with mariadb_database("clocks") as mariadb:
        shown = _play(stage, "clocks_mariadb", mariadb) if mariadb else [not_played("a MariaDB server")]
    return [*figures, *of_situation("MariaDB", shown)]


def _play(stage: Stage, name: str, ledger: Database | None) -> list[Figure]:
    images = stage.sizes.images // 2
    with Scene(stage, name, Setting(images, latency=_LATENCY, ledger=ledger)) as scene:
        # Each is a new interpreter, which takes its time to start.
        with ThreadPoolExecutor(len(_CLOCKS)) as threads:
            tasks = list(threads.map(partial(_start, scene), _CLOCKS))
        for task in tasks:
            task.go()
        ends = [task.end() for task in tasks]
        evidence = scene.evidence()
    begun = sorted(_begun_at(entry.call_id) for entry in evidence.entries)
    apart = begun[-1] - begun[0]
    return [
        Figure("seconds between the clocks", f"{apart:.0f}", "about 600", apart > 590),
        *(
            succeeded(which, end)
            for which, end in zip(("the slow worker", "the fast one"), ends, strict=True)
        ),
        *every_image_once(evidence),
        none_of("answers paid for again", paid_twice(evidence)),
        at_most("calls", len(evidence.calls), images, "= images"),
        *ledger_equals_journal(evidence),
    ]


def _start(scene: Scene, seconds: float) -> TaskProcess:
    return scene.start(f"run {seconds}", clock_seconds=seconds, max_per_second=_RATE, waits=True)


def _begun_at(call_id: str) -> float:
    """Return when a call was meant to be made, by its worker's clock."""
    return int(call_id[:12], 16) / 1000
