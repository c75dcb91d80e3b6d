"""``airflow permitocr erase``: erases personal data, or shows what it would erase."""

from __future__ import annotations

import getpass
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_permitocr.cli.airflow_internals import airflow_command
from airflow_provider_permitocr.cli.choice import chosen_tasks, end, rendered_lists
from airflow_provider_permitocr.cli.ledger_faults import ledger_faults
from airflow_provider_permitocr.options.erasure import ErasureRule

if TYPE_CHECKING:
    import argparse

    from airflow.sdk import DAG

    from airflow_provider_permitocr.engine.erasure.erasure import Erased
    from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator


@airflow_command
def erase(arguments: argparse.Namespace) -> None:
    """Run the command, and end the process with its status.

    :param arguments: as ``cli/definition.py`` describes them.
    :raises SystemExit: 0 when everything is erased or counted, 1 when something is not, 2 for an unknown DAG
        or task, or if the arguments do not say what to erase.
    """
    rule = _rule(arguments)
    dag, task_ids = chosen_tasks(arguments.dag_id, arguments.task_id)
    done = [_erase_task(dag, task_id, rule, is_done=arguments.yes) for task_id in task_ids]
    sys.exit(0 if all(done) else 1)


def _rule(arguments: argparse.Namespace) -> ErasureRule:
    keys = arguments.key
    if arguments.keys_from is not None:
        try:
            # Editors of Windows put a byte order mark before the first key.
            lines = Path(arguments.keys_from).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            end(2, f"The file of keys cannot be read ({type(error).__name__})\n")
        keys = [*(keys or ()), *(line for line in lines if line)]
    try:
        return ErasureRule(keys=keys, older_than_days=arguments.older_than_days, policy=arguments.policy)
    except ValueError:
        end(2, "Say what to erase, by one of: --key and --keys-from, --older-than-days, --policy\n")


def _erase_task(dag: DAG, task_id: str, rule: ErasureRule, *, is_done: bool) -> bool:
    named, is_complete = f"{dag.dag_id}.{task_id}", True
    with ledger_faults(named) as faults:
        for operator in rendered_lists(dag, task_id):
            is_complete = _erase_list(named, operator, rule, is_done=is_done) and is_complete
    return is_complete and not faults


def _erase_list(named: str, operator: MainlandPermitOcrOperator, rule: ErasureRule, *, is_done: bool) -> bool:
    from airflow_provider_permitocr.wiring.without_calls import open_erasure

    with open_erasure(
        operator.options, rule, threading.Event(), erased_by=getpass.getuser(), log=operator.log
    ) as erasure:
        if not is_done:
            plan = erasure.plan()
            _print_outcome(f"{named}: {plan}. Nothing was changed: add --yes to erase", plan.not_reached)
            return True
        done = erasure.run()
    _print_outcome(f"{named}: erased {done}", done.not_reached)
    return _is_complete(done)


def _is_complete(done: Erased) -> bool:
    return not done.refused


def _print_outcome(line: str, not_reached: tuple[str, ...]) -> None:
    lines = [line, "Not reached:", *(f"  {each}" for each in not_reached)]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
