"""``airflow permitocr rebuild``: fills targets again from the ledger, and makes no call."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from airflow_provider_permitocr.cli.airflow_internals import airflow_command
from airflow_provider_permitocr.cli.choice import chosen_tasks, rendered_lists
from airflow_provider_permitocr.cli.ledger_faults import ledger_faults
from airflow_provider_permitocr.counted import many

if TYPE_CHECKING:
    import argparse

    from airflow.sdk import DAG

    from airflow_provider_permitocr.engine.delivery.rebuild import Rebuilt
    from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator


@airflow_command
def rebuild(arguments: argparse.Namespace) -> None:
    """Run the command, and end the process with its status.

    :param arguments: as ``cli/definition.py`` describes them.
    :raises SystemExit: 0 when every target was filled, 1 when one was not, 2 for an unknown DAG or task.
    """
    dag, task_ids = chosen_tasks(arguments.dag_id, arguments.task_id)
    done = [_rebuild_task(dag, task_id) for task_id in task_ids]
    sys.exit(0 if all(done) else 1)


def _rebuild_task(dag: DAG, task_id: str) -> bool:
    named = f"{dag.dag_id}.{task_id}"
    with ledger_faults(named) as faults:
        for operator in rendered_lists(dag, task_id):
            _tell(named, _fill(operator))
    return not faults


def _fill(operator: MainlandPermitOcrOperator) -> Rebuilt:
    from airflow_provider_permitocr.wiring.without_calls import open_rebuild

    with open_rebuild(operator.options, threading.Event(), is_of_run=False, log=operator.log) as rebuild:
        return rebuild.run()


def _tell(named: str, done: Rebuilt) -> None:
    said = [f"{named}: {many(done.kept.images, 'image')}, 0 calls"]
    said.append(f"{many(done.written, 'row')} written")
    if done.refused:
        said.append(f"{many(done.refused, 'row')} refused by a table")
    if done.files:
        said.append(f"{many(len(done.files), 'file')} written")
    said += done.unread_columns
    sys.stdout.write("; ".join(said) + "\n")
    sys.stdout.flush()
