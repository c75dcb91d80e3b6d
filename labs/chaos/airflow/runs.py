"""A list that several runs come upon: cleared, scheduled and backfilled, or at the same moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from labs.chaos.airflow.scene import AirflowScene
from labs.chaos.verdict import at_most, every_image_once, exactly, ledger_equals_journal, none_of
from labs.ground.figures import Figure
from labs.ground.servers.airflow_api import TaskState

#: The interval of the DAG that is scheduled, and the first of the one that is backfilled.
_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
_UPLOADED: Final = "ALTER TABLE images ADD COLUMN uploaded_at timestamptz DEFAULT '2026-01-01T12:00:00Z'"


def scheduled(scene: AirflowScene) -> list[Figure]:
    """Let the scheduler start a run; clear it once it is done, and run a backfill over its interval."""
    scene.warehouse.execute(_UPLOADED)
    scene.api.unpause(scene.dag_id)
    (run_id,) = scene.started(1)
    tasks = [scene.wait_for_end(run_id)]
    calls = [len(scene.calls())]
    scene.api.clear(scene.dag_id, run_id)
    tasks.append(scene.wait_for_end(run_id))
    calls.append(len(scene.calls()))
    scene.api.backfill(scene.dag_id, _DAY, _DAY)
    scene.wait_for_try(run_id, 3)
    tasks.append(scene.wait_for_end(run_id))
    evidence = scene.evidence()
    return [
        Figure("runs that succeeded", _states(tasks), "3", all(task.state == "success" for task in tasks)),
        *every_image_once(evidence),
        exactly("calls by the scheduled run", calls[0], len(scene.images)),
        none_of("calls once it was cleared", calls[1] - calls[0]),
        none_of("calls by its backfill", len(evidence.calls) - calls[1]),
        *ledger_equals_journal(evidence),
    ]


def backfilled(scene: AirflowScene) -> list[Figure]:
    """Let a backfill start two runs over one list at the same moment."""
    scene.api.unpause(scene.dag_id)
    scene.api.backfill(scene.dag_id, _DAY, _DAY + timedelta(days=1))
    return _both(scene, scene.started(2))


def two_at_once(scene: AirflowScene) -> list[Figure]:
    """Start two runs over one list by hand at the same moment."""
    return _both(scene, [scene.trigger(), scene.trigger()])


def _both(scene: AirflowScene, run_ids: list[str]) -> list[Figure]:
    tasks = [scene.wait_for_end(run_id) for run_id in run_ids]
    evidence = scene.evidence()
    return [
        Figure("runs that succeeded", _states(tasks), "2", all(task.state == "success" for task in tasks)),
        *every_image_once(evidence),
        at_most("calls", len(evidence.calls), len(scene.images), "= images"),
        *ledger_equals_journal(evidence),
    ]


def _states(tasks: list[TaskState]) -> str:
    return f"{sum(task.state == 'success' for task in tasks)} of {len(tasks)}"
