"""Follow the runs to their end, killing a worker on the way, and collect what they left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import psutil
from rich.console import Console

from airflow_provider_permitocr.options.lists.shard import Shard, shards
from labs.distributed.evidence import Loss, all_calling_since, defects
from labs.distributed.image_lists import ImageList
from labs.distributed.verdict import Evidence
from labs.distributed.warehouse import ProofWarehouse
from labs.ground.emulator_calls import read_calls
from labs.ground.phases import phase
from labs.ground.servers.airflow_api import TaskState
from labs.ground.servers.emulator_service import QUOTA
from labs.ground.servers.processes import Service
from labs.ground.servers.services import Services

#: Pool slots of each task of a DAG, and how many tasks it has; together they fill the pool.
SLOTS: Final = {"in_one_task": 8, "in_shards": 3}
TASKS: Final = {"in_one_task": 1, "in_shards": 4}
#: From all tasks calling until the rate counts: the first answers take this long.
_WARM_UP_SECONDS: Final = 2.0
#: Share of the images that are done before the kill.
_UNDISTURBED: Final = 0.4
_LIMIT_SECONDS: Final = 600.0
_POLL_SECONDS: Final = 0.5
_PRINT_SECONDS: Final = 10.0


class RunFailedError(RuntimeError):
    """A DAG run failed or does not end; the message gives the reason."""


@dataclass(frozen=True)
class Proof:
    """What is running.

    :param lists: the image lists of the DAGs.
    :param runs: the id of each DAG's run.
    """

    services: Services
    warehouse: ProofWarehouse
    lists: Sequence[ImageList]
    runs: dict[str, str]
    console: Console

    def settled(self) -> set[str]:
        """Return the keys of the images that have a row by now."""
        return {key for dag_id in self.runs for key in self.warehouse.settled(dag_id)}

    def states(self) -> list[str]:
        """Return the states of the runs."""
        return [self.services.api.run_state(dag_id, run_id) for dag_id, run_id in self.runs.items()]

    def tasks(self) -> list[tuple[str, TaskState]]:
        """Return all tasks, each with the id of its DAG."""
        api = self.services.api
        return [(dag_id, task) for dag_id, run_id in self.runs.items() for task in api.tasks(dag_id, run_id)]

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait, and print progress occasionally.

        :raises RunFailedError: a run failed, or the condition is not met in time.
        :raises ServiceError: a process has ended.
        """
        total = sum(len(each.images) for each in self.lists)
        began = printed = time.monotonic()
        while not condition():
            now = time.monotonic()
            if now - printed >= _PRINT_SECONDS:
                self.console.print(f"  {len(self.settled()):,} of {total:,} images", highlight=False)
                printed = now
            if now - began > _LIMIT_SECONDS:
                raise RunFailedError(f"The runs are {self.states()} after {_LIMIT_SECONDS:.0f} s")
            self.services.check()
            self.require_no_failure()
            time.sleep(_POLL_SECONDS)

    def require_no_failure(self) -> None:
        """Find out whether the runs do well so far.

        :raises RunFailedError: one failed.
        """
        for (dag_id, run_id), state in zip(self.runs.items(), self.states(), strict=True):
            if state == "failed":
                raise RunFailedError(self.services.api.why_failed(dag_id, run_id))


def observe(proof: Proof, workers: Sequence[Service]) -> Evidence:
    """Let the runs go on undisturbed for a while, kill the busiest worker, and let them end.

    :raises RunFailedError: a run failed, or does not end.
    :raises ServiceError: a process that should run has ended.
    """
    with phase(None, "All tasks run, on two workers", proof.console):
        proof.wait_until(lambda: _running(proof) == sum(TASKS.values()))
    undisturbed = round(_UNDISTURBED * sum(len(each.images) for each in proof.lists))
    with phase(None, f"{undisturbed:,} images are done", proof.console):
        proof.wait_until(lambda: len(proof.settled()) >= undisturbed)
    victim = max(workers, key=_tasks_of)
    with phase(None, f"{victim.name} was killed with its {_tasks_of(victim)} tasks", proof.console):
        killed_at = time.time()
        proof.services.airflow.kill(victim)
        settled = frozenset(proof.settled())
    with phase(None, "Both runs have come to their end", proof.console):
        proof.wait_until(lambda: not {"queued", "running"}.intersection(proof.states()))
    proof.require_no_failure()
    calls = read_calls(proof.services.emulator.journal)
    keys = {digest: key for each in proof.lists for digest, key in each.keys.items()}
    return Evidence(
        calls,
        keys,
        [found for each in proof.lists for found in defects(each, proof.warehouse.results(each.dag_id))],
        (all_calling_since(calls, keys, _task_of) + _WARM_UP_SECONDS, killed_at),
        _loss(proof, killed_at, settled),
        QUOTA,
    )


def _task_of(key: str) -> str:
    dag_id = key.rpartition("-")[0]
    return f"{dag_id} {next(each for each in shards(TASKS[dag_id]) if Shard.parse(each).holds(key))}"


def _tasks_of(worker: Service) -> int:
    """Count the tasks that a worker runs: each is a child of a process of its pool."""
    pool = psutil.Process(worker.child.pid).children()
    return sum(len(process.children()) for process in pool)


def _running(proof: Proof) -> int:
    return [task.state for _, task in proof.tasks()].count("running")


def _loss(proof: Proof, killed_at: float, settled: frozenset[str]) -> Loss:
    again = [(dag_id, task) for dag_id, task in proof.tasks() if task.try_number > 1 and task.started]
    return Loss(
        killed_at,
        settled,
        sum(SLOTS[dag_id] for dag_id, _ in again),
        min((task.started.timestamp() for _, task in again if task.started), default=killed_at),
    )
