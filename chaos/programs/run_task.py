"""A task as a worker runs it: the operator is made and executed, in a process that may be killed.

Everything heavy is imported here, once for all tasks: their processes are forked from one that has it.
"""

from __future__ import annotations

import logging
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pandas as pd  # noqa: F401 - every task needs these three
from airflow.sdk.exceptions import AirflowException

import airflow_provider_permitocr.operators.assembly
import airflow_provider_permitocr.sql.result_target  # noqa: F401
from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator
from chaos.task import Task, TaskEnd

_TASK_ID: Final = "recognize_permits"


def run_task(task: Task, parent: Connection) -> None:
    """Execute the operator, telling the parent when that begins, and how it ended."""
    _print_to(task.log)
    for conn_id, content in task.connections.items():
        os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"] = content
    instance = SimpleNamespace(
        dag_id=task.dag_id, task_id=_TASK_ID, map_index=task.map_index, try_number=task.try_number
    )
    parent.send(None)
    try:
        operator = MainlandPermitOcrOperator(task_id=_TASK_ID, **task.arguments)
        summary = operator.execute({"run_id": task.run_id, "ti": instance})  # type: ignore[typeddict-item]
    except AirflowException as error:
        logging.getLogger().exception("The task failed")
        parent.send(TaskEnd(error=type(error).__name__, message=str(error)))
    else:
        parent.send(TaskEnd(summary))


def _print_to(log: Path) -> None:
    with log.open("ab") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(message)s", force=True)
