"""A task as a worker runs it: the operator is made and executed, in a process that may be killed.

Everything heavy is imported here, once for all tasks: their processes are forked from one that has it.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import asdict
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Final

from airflow.sdk.exceptions import AirflowException

from airflow_provider_permitocr import MainlandPermitOcrOperator
from airflow_provider_permitocr.cli.adopt import adopt_list
from airflow_provider_permitocr.errors import PermitOcrError
from labs.chaos.task import Task, TaskEnd

_TASK_ID: Final = "recognize_permits"
_PACKAGE: Final = "airflow_provider_permitocr"
#: What a task imports when it needs it, and every task here does.
_NEEDED: Final = (
    "airflow.providers.postgres.hooks.postgres",
    "airflow.sdk.execution_time.supervisor",
    f"{_PACKAGE}.engine.delivery.frame",
    f"{_PACKAGE}.wiring.connections.object_storage",
    f"{_PACKAGE}.images.conversion.convert",
    f"{_PACKAGE}.wiring.run",
    f"{_PACKAGE}.sql.ledger.sql_ledger",
    f"{_PACKAGE}.sql.targets.result_target",
    f"{_PACKAGE}.tencent.client",
    f"{_PACKAGE}.tencent.sdk",
    "tencentcloud.common.common_client",
)

for _module in _NEEDED:
    import_module(_module)


def run_task(task: Task, parent: Connection) -> None:
    """Execute the operator, and notify the parent when it begins and how it ended."""
    _print_to(task.log)
    for conn_id, content in task.connections.items():
        os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"] = content
    instance = SimpleNamespace(
        dag_id=task.dag_id, task_id=_TASK_ID, map_index=task.map_index, try_number=task.try_number
    )
    parent.send(None)
    if task.waits:
        parent.recv()
    try:
        operator = MainlandPermitOcrOperator(task_id=_TASK_ID, **task.arguments)
        if task.adopts:
            summary = asdict(adopt_list(operator))
        else:
            summary = operator.execute({"run_id": task.run_id, "ti": instance})  # type: ignore[typeddict-item]
    except (AirflowException, PermitOcrError) as error:
        logging.getLogger().exception("The task failed")
        parent.send(TaskEnd(error=type(error).__name__, message=str(error)))
    else:
        parent.send(TaskEnd(summary))


def _print_to(log: Path) -> None:
    with log.open("ab") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(message)s", force=True)
