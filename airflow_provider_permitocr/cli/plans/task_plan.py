"""The plan of one task: of each of its instances, and of all together."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_permitocr.cli.faults import hook_fault
from airflow_provider_permitocr.cli.ocr_tasks import instances
from airflow_provider_permitocr.cli.plans.planned_run import PlannedRun, rendered
from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.engine.plan.plan import Plan, together
from airflow_provider_permitocr.errors import PermitOcrError

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from airflow_provider_permitocr.engine.run.progress import Log
    from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator


@dataclass(frozen=True)
class TaskPlan:
    """What a task would do.

    :param parts: the plan of each instance of a mapped task, by its shard or number.
    :param plan: of all of them; None if they don't share a price and caps, or have nothing to do.
    :param error: why there is no plan; '' if there is one.
    """

    task_id: str
    parts: Sequence[tuple[str, Plan]] = ()
    plan: Plan | None = None
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "task_id": self.task_id,
            "error": self.error or None,
            "plan": self.plan.as_dict() if self.plan else None,
            "parts": [{"part": name, "plan": plan.as_dict()} for name, plan in self.parts],
        }


def plan_task(dag: DAG, task: Any, run: PlannedRun, *, is_quick: bool, log: Log) -> TaskPlan:
    """Plan a task, plain or mapped.

    :param is_quick: leave the images where they are.
    """
    try:
        made = [rendered(dag, each, run) for each in instances(task)]
        plans = [_plan(each, is_quick=is_quick, log=log) for each in made]
    except PermitOcrError as error:
        return TaskPlan(task.task_id, error=str(error))
    except Exception as error:  # noqa: BLE001  see ``hook_fault``
        return TaskPlan(task.task_id, error=hook_fault(error))
    if not task.is_mapped:
        return TaskPlan(task.task_id, plan=plans[0])
    names = [str(each.shard or number) for number, each in enumerate(made)]
    parts = list(zip(names, plans, strict=True))
    return TaskPlan(task.task_id, parts, together(plans) if _have_all_in_common(made) else None)


def _plan(operator: MainlandPermitOcrOperator, *, is_quick: bool, log: Log) -> Plan:
    from airflow_provider_permitocr.wiring.plan import open_planner

    # A run that has not begun has made no calls.
    with open_planner(
        operator.options, RunIdentity(), threading.Event(), is_quick=is_quick, log=log
    ) as planner:
        return planner.plan()


def _have_all_in_common(made: Sequence[MainlandPermitOcrOperator]) -> bool:
    shared = {(each.tencentcloud_conn_id, repr(each.ledger), repr(each.budget)) for each in made}
    return len(shared) == 1
