"""``airflow permitocr plan``: tells what a run would do and cost, and makes no call."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from airflow.utils.cli import suppress_logs_and_warning
from airflow.utils.providers_configuration_loader import providers_configuration_loaded

from airflow_provider_permitocr.cli.dags import read_dags
from airflow_provider_permitocr.cli.ocr_tasks import is_ocr_task
from airflow_provider_permitocr.cli.plan_report import plan_block
from airflow_provider_permitocr.cli.planned_run import planned_run
from airflow_provider_permitocr.cli.report import WIDEST, findings_block, unknown
from airflow_provider_permitocr.cli.task_plan import plan_task
from airflow_provider_permitocr.core.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from airflow.sdk import DAG

    from airflow_provider_permitocr.cli.planned_run import PlannedRun


class _ToStderr:
    """Where progress goes, so that the plan alone is the output."""

    def info(self, event: str) -> None:
        """Write a line."""
        sys.stderr.write(f"{event}\n")
        sys.stderr.flush()


@suppress_logs_and_warning
@providers_configuration_loaded
def plan(arguments: argparse.Namespace) -> None:
    """Run the command, and end the process with its status.

    :param arguments: as ``cli/definition.py`` describes them.
    :raises SystemExit: 0 when there is a plan, 1 when a task cannot be planned, 2 for a DAG or task that is
        not there, or dates that make no interval.
    """
    # As Airflow's own commands about connections do: else those in its database are not seen.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    files = read_dags()
    dag = next((each for each in files.dags if each.dag_id == arguments.dag_id), None)
    if dag is None:
        said = unknown("DAG", arguments.dag_id, files.dag_ids)
        _end(2, f"{said}\n{findings_block(files.findings, WIDEST)}")
    known = [task.task_id for task in dag.tasks if is_ocr_task(task)]
    if not known:
        _end(2, f"There is no task of MainlandPermitOcrOperator in the DAG {dag.dag_id!r}\n")
    if arguments.task_id not in (None, *known):
        said = unknown("task of MainlandPermitOcrOperator", arguments.task_id, known)
        _end(2, f"{said}; the DAG {dag.dag_id!r} has {', '.join(known)}\n")
    try:
        run = planned_run(dag, arguments.logical_date, arguments.interval_start, arguments.interval_end)
    except ConfigurationError as error:
        _end(2, f"{error}\n")
    sys.exit(_plan(dag, run, [arguments.task_id] if arguments.task_id else known, arguments))


def _plan(dag: DAG, run: PlannedRun, task_ids: list[str], arguments: argparse.Namespace) -> int:
    plans = [
        plan_task(dag, dag.get_task(task_id), run, is_quick=arguments.quick, log=_ToStderr())
        for task_id in task_ids
    ]
    if arguments.output == "json":
        told = {
            "dag_id": dag.dag_id,
            "logical_date": run.logical_date.isoformat(),
            "data_interval_start": run.interval_start and run.interval_start.isoformat(),
            "data_interval_end": run.interval_end and run.interval_end.isoformat(),
            "tasks": [each.as_dict() for each in plans],
        }
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(plan_block(dag.dag_id, run, each) for each in plans))
    return int(any(each.error for each in plans))


def _end(status: int, said: str) -> NoReturn:
    sys.stderr.write(said)
    sys.exit(status)
