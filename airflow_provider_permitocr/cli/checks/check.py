"""``airflow permitocr check``: reads DAGs and pools, checks them, and prints the findings."""

from __future__ import annotations

import shutil
import sys
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from airflow_provider_permitocr.cli.airflow_internals import airflow_command, pool_slots
from airflow_provider_permitocr.cli.checks.findings import Finding, Verdict, noted, wrong
from airflow_provider_permitocr.cli.checks.inspection import Inspection
from airflow_provider_permitocr.cli.dags import DagFiles, read_dags
from airflow_provider_permitocr.cli.output import print_rows, say
from airflow_provider_permitocr.cli.report import WIDEST, findings_block, summary, task_block, unknown
from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.sql.database.failures import DatabaseError, database_errors

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from airflow_provider_permitocr.cli.checks.findings import Task

LookedAt: TypeAlias = "tuple[Task, list[Finding]]"


@airflow_command
def check(arguments: argparse.Namespace) -> None:
    """Run the command, and end the process with its status.

    :param arguments: as ``cli/definition.py`` describes them.
    :raises SystemExit: 0 when nothing is wrong, 1 when something is, 2 for an unknown DAG.
    """
    files = read_dags()
    if arguments.dag_id is not None and arguments.dag_id not in files.dag_ids:
        said = unknown("DAG", arguments.dag_id, files.dag_ids)
        sys.stderr.write(f"{said}\n{findings_block(files.findings, WIDEST)}")
        sys.exit(2)
    sys.exit(_check(files, arguments))


def _check(files: DagFiles, arguments: argparse.Namespace) -> int:
    chosen = [task for task in files.tasks if arguments.dag_id in (None, task.dag_id)]
    general = list(files.findings) if arguments.dag_id is None else []
    following = [task for task in files.following if arguments.dag_id in (None, task.dag_id)]
    if not chosen and not following:
        general.append(_without_tasks(files, arguments.dag_id))
    pools: dict[str, int] | None = None
    try:
        with database_errors("reading the pools"):
            pools = pool_slots()
    except DatabaseError as error:
        general.append(_metadata_unreadable(error))
    inspection = Inspection(files.tasks, pools, arguments.quota, ask=not arguments.offline)
    looked_at: Iterable[LookedAt] = chain(
        ((task, inspection.findings(task)) for task in chosen),
        ((task, inspection.of_following(task)) for task in following),
    )
    found = (_print_text if arguments.output == "text" else _print_rows)(general, looked_at, arguments.output)
    return int(any(finding.verdict is Verdict.WRONG for finding in found))


def _print_text(general: list[Finding], looked_at: Iterable[LookedAt], _output: str) -> list[Finding]:
    """Print a report, each task as soon as it is checked, and return all findings."""
    width = min(shutil.get_terminal_size((WIDEST, 0)).columns, WIDEST)
    found, tasks = list(general), []
    if general:
        say(findings_block(general, width))
    for task, findings in looked_at:
        found += findings
        tasks.append(task)
        say(task_block(task, findings, width))
    say(summary(found, tasks))
    return found


def _print_rows(general: list[Finding], looked_at: Iterable[LookedAt], output: str) -> list[Finding]:
    """Print a row per finding, and return all findings."""
    about: list[tuple[Task | None, Finding]] = [(None, finding) for finding in general]
    about += [(task, finding) for task, findings in looked_at for finding in findings]
    print_rows([finding.as_row(task) for task, finding in about], output)
    return [finding for _, finding in about]


def _without_tasks(files: DagFiles, dag_id: str | None) -> Finding:
    of_airflow = f"{many(len(files.dag_ids), 'DAG')} of this Airflow"
    where = of_airflow if dag_id is None else f"the DAG {dag_id!r}"
    message = f"no MainlandPermitOcrOperator task in {where}"
    return noted("DAG files", message)


def _metadata_unreadable(error: DatabaseError) -> Finding:
    return wrong(
        "Airflow",
        f"its database cannot be read, so pools are not checked: {error}",
        remedy="run this command where the scheduler runs, with its configuration, and after airflow db"
        " migrate",
    )
