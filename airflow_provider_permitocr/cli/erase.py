"""``airflow permitocr erase``: erases personal data, or shows what it would erase."""

from __future__ import annotations

import getpass
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_permitocr.cli.airflow_internals import airflow_command
from airflow_provider_permitocr.cli.choice import end, for_each_list
from airflow_provider_permitocr.cli.output import say
from airflow_provider_permitocr.options.erasure import ErasureRule

if TYPE_CHECKING:
    import argparse

    from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator


@airflow_command
def erase(arguments: argparse.Namespace) -> None:
    """Run the command, and end the process with its status.

    :param arguments: as ``cli/definition.py`` describes them.
    :raises SystemExit: 0 when everything is erased or counted, 1 when something is not, 2 for an unknown DAG
        or task, or if the arguments do not say what to erase.
    """
    rule = _rule(arguments)
    for_each_list(arguments, partial(_erase, rule, is_done=arguments.yes))


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


def _erase(rule: ErasureRule, named: str, operator: MainlandPermitOcrOperator, *, is_done: bool) -> bool:
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
    return not done.refused


def _print_outcome(line: str, not_reached: tuple[str, ...]) -> None:
    lines = [line, "Not reached:", *(f"  {each}" for each in not_reached)]
    say("\n".join(lines))
