"""Which tasks of the operator a command is about, by the names that it was given."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from airflow_provider_permitocr.cli.dags import read_dags
from airflow_provider_permitocr.cli.faults import ledger_faults
from airflow_provider_permitocr.cli.ocr_tasks import instances, is_ocr_task
from airflow_provider_permitocr.cli.output import say
from airflow_provider_permitocr.cli.plans.planned_run import planned_run, rendered
from airflow_provider_permitocr.cli.report import WIDEST, findings_block, unknown

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from airflow.sdk import DAG

    from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator


def chosen_tasks(dag_id: str, task_id: str | None) -> tuple[DAG, list[str]]:
    """Find a DAG, and its tasks of the operator.

    :param task_id: None: all of them.
    :raises SystemExit: 2 when there is no such DAG or task.
    """
    files = read_dags()
    dag = next((each for each in files.dags if each.dag_id == dag_id), None)
    if dag is None:
        said = unknown("DAG", dag_id, files.dag_ids)
        end(2, f"{said}\n{findings_block(files.findings, WIDEST)}")
    known = [task.task_id for task in dag.tasks if is_ocr_task(task)]
    if not known:
        end(2, f"No MainlandPermitOcrOperator task in the DAG {dag.dag_id!r}\n")
    if task_id not in (None, *known):
        said = unknown("MainlandPermitOcrOperator task", task_id or "", known)
        end(2, f"{said}; the DAG {dag.dag_id!r} has {', '.join(known)}\n")
    return dag, [task_id] if task_id else known


def rendered_instances(dag: DAG, task_id: str) -> Sequence[MainlandPermitOcrOperator]:
    """Return a task's variants, rendered as for a run triggered now.

    :raises ConfigurationError: naming what is only known at run time.
    """
    run = planned_run(dag, None, None, None)
    return [rendered(dag, each, run) for each in instances(dag.get_task(task_id))]


def rendered_lists(
    dag: DAG, task_id: str, *, by_connection: bool = False
) -> Iterator[MainlandPermitOcrOperator]:
    """Yield one of the rendered instances for each list: its shards share all that is kept of it.

    :param by_connection: one for each connection that the list is read from, too.
    :raises ConfigurationError: naming what is only known at run time.
    """
    seen: set[str] = set()
    for operator in rendered_instances(dag, task_id):
        shared = [operator.targets, operator.ledger, operator.list]
        identity = repr([operator.source.conn_id, *shared] if by_connection else shared)
        if identity not in seen:
            seen.add(identity)
            yield operator


def for_each_list(
    arguments: argparse.Namespace,
    do: Callable[[str, MainlandPermitOcrOperator], bool],
    *,
    by_connection: bool = False,
) -> NoReturn:
    """Do something to each list of the chosen tasks, and end the process; errors are reported on stderr.

    :param do: gets the task's name and an operator of the list; returns whether everything was done.
    :param by_connection: as for ``rendered_lists``.
    :raises SystemExit: 0 when everything was done, 1 when something was not, 2 for an unknown DAG or task.
    """
    dag, task_ids = chosen_tasks(arguments.dag_id, arguments.task_id)
    done = []
    for task_id in task_ids:
        named = f"{dag.dag_id}.{task_id}"
        with ledger_faults(named) as faults:
            done += [do(named, each) for each in rendered_lists(dag, task_id, by_connection=by_connection)]
        done.append(not faults)
    sys.exit(0 if all(done) else 1)


def is_confirmed(question: str) -> bool:
    """Ask on stdout, and take anything but a yes on stdin as a no."""
    say(question, ending="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def end(status: int, said: str) -> NoReturn:
    """End the process with a message.

    :raises SystemExit: with this status.
    """
    sys.stderr.write(said)
    sys.exit(status)
