"""``airflow permitocr prune``: deletes what a ledger no longer needs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from airflow_provider_permitocr.cli.airflow_internals import airflow_command
from airflow_provider_permitocr.cli.choice import chosen_tasks, is_confirmed, rendered_instances
from airflow_provider_permitocr.cli.faults import ledger_faults
from airflow_provider_permitocr.cli.output import say
from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines

if TYPE_CHECKING:
    import argparse

    from airflow.sdk import DAG

    from airflow_provider_permitocr.options.ledger import Ledger


@airflow_command
def prune(arguments: argparse.Namespace) -> None:
    """Run the command, and end the process with its status.

    :param arguments: as ``cli/definition.py`` describes them.
    :raises SystemExit: 0 when all is done, 1 when something is not or was not confirmed, 2 for an unknown DAG
        or task.
    """
    dag, task_ids = chosen_tasks(arguments.dag_id, arguments.task_id)
    ledgers: dict[str, tuple[Ledger, str]] = {}
    is_done = True
    for task_id in task_ids:
        with ledger_faults(f"{dag.dag_id}.{task_id}") as faults:
            ledgers |= _ledgers(dag, task_id)
        is_done = is_done and not faults
    for ledger, timezone in ledgers.values():
        if not (arguments.yes or is_confirmed(_question(ledger, arguments.older_than))):
            is_done = False
            continue
        with ledger_faults(f"{ledger.name} on {ledger.conn_id}") as faults:
            _prune(ledger, timezone, arguments.older_than)
        is_done = is_done and not faults
    sys.exit(0 if is_done else 1)


def _ledgers(dag: DAG, task_id: str) -> dict[str, tuple[Ledger, str]]:
    """Return the ledgers of a task, each once, with the time zone of its days."""
    from airflow_provider_permitocr.wiring.identity import ledger_of

    made = rendered_instances(dag, task_id)
    described = [(ledger_of(operator.options), operator.budget.timezone) for operator in made]
    return {repr((ledger.name, ledger.conn_id)): (ledger, timezone) for ledger, timezone in described}


def _question(ledger: Ledger, days: int) -> str:
    return (
        f"Delete calls and finished runs older than {days:,} days from the ledger {ledger.name} on"
        f" {ledger.conn_id}? [y/N] "
    )


def _prune(ledger: Ledger, timezone: str, days: int) -> None:
    from airflow_provider_permitocr.sql.database.failures import database_errors
    from airflow_provider_permitocr.sql.dialects.known import database_of
    from airflow_provider_permitocr.sql.ledger.runs import pruning
    from airflow_provider_permitocr.sql.ledger.tables.preparation import check_tables, prepare_tables

    named = f"{ledger.name} on {ledger.conn_id}"
    with SqlEngines() as engines:
        engine = engines.of_ledger(ledger.conn_id)
        database_of(engine).require_file(engine, ledger.conn_id)
        with database_errors(f"looking at the ledger {ledger.name!r}"):
            if not check_tables(engine, ledger):
                say(f"{named} does not exist yet: nothing to delete")
                return
            tables = prepare_tables(engine, ledger, timezone)
        done = pruning.prune(engine, tables, days, ledger.days_kept)
    say(
        f"{named}: {many(done.calls, 'call')}, {many(done.answers, 'answer')}, {many(done.runs, 'run')},"
        f" {done.counters:,} counters and {done.reviews:,} reviews deleted"
    )
