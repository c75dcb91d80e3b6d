"""``airflow permitocr plan``: shows what a run would do and cost, without a call."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_permitocr.cli.airflow_internals import airflow_command
from airflow_provider_permitocr.cli.choice import chosen_tasks, end
from airflow_provider_permitocr.cli.output import print_rows
from airflow_provider_permitocr.cli.plans.planned_run import planned_run
from airflow_provider_permitocr.cli.plans.report import plan_block, plan_rows
from airflow_provider_permitocr.cli.plans.task_plan import plan_task
from airflow_provider_permitocr.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from airflow.sdk import DAG

    from airflow_provider_permitocr.cli.plans.planned_run import PlannedRun
    from airflow_provider_permitocr.cli.plans.task_plan import TaskPlan


class _ToStderr:
    """Where progress is printed, so that the output only contains the plan."""

    def info(self, event: str) -> None:
        """Write a line."""
        sys.stderr.write(f"{event}\n")
        sys.stderr.flush()


@airflow_command
def plan(arguments: argparse.Namespace) -> None:
    """Run the command, and end the process with its status.

    :param arguments: as ``cli/definition.py`` describes them.
    :raises SystemExit: 0 when there is a plan, 1 when a task cannot be planned, 2 for a DAG or task that is
        not there, or dates that make no interval.
    """
    dag, task_ids = chosen_tasks(arguments.dag_id, arguments.task_id)
    try:
        run = planned_run(dag, arguments.logical_date, arguments.interval_start, arguments.interval_end)
    except ConfigurationError as error:
        end(2, f"{error}\n")
    sys.exit(_plan(dag, run, task_ids, arguments))


def _plan(dag: DAG, run: PlannedRun, task_ids: list[str], arguments: argparse.Namespace) -> int:
    plans = [
        plan_task(dag, dag.get_task(task_id), run, is_quick=arguments.quick, log=_ToStderr())
        for task_id in task_ids
    ]
    if arguments.output == "text":
        sys.stdout.write("\n".join(plan_block(dag.dag_id, run, each) for each in plans))
    else:
        rows = [row for each in plans for row in plan_rows(each)]
        print_rows(rows, arguments.output, _document(dag, run, plans))
    return int(any(each.error for each in plans))


def _document(dag: DAG, run: PlannedRun, plans: Sequence[TaskPlan]) -> dict[str, Any]:
    return {
        "dag_id": dag.dag_id,
        "logical_date": run.logical_date.isoformat(),
        "data_interval_start": run.interval_start and run.interval_start.isoformat(),
        "data_interval_end": run.interval_end and run.interval_end.isoformat(),
        "tasks": [each.as_dict() for each in plans],
    }
