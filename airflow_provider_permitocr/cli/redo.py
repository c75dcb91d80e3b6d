"""``airflow permitocr redo``: marks settled images for the next run, and makes no call."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_permitocr.cli.airflow_internals import airflow_command
from airflow_provider_permitocr.cli.choice import end, for_each_list, is_confirmed
from airflow_provider_permitocr.cli.output import say
from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.options.lists.redo import Redo

if TYPE_CHECKING:
    import argparse

    from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator


@airflow_command
def redo(arguments: argparse.Namespace) -> None:
    """Run the command, and end the process with its status.

    :param arguments: as ``cli/definition.py`` describes them.
    :raises SystemExit: 0 when all is marked, 1 when something is not or was not confirmed, 2 for an unknown
        DAG or task, and when no images are named.
    """
    try:
        wanted = Redo(
            statuses=arguments.status,
            error_codes=arguments.error_code,
            keys=arguments.key,
            before=arguments.before,
        )
    except ValueError:
        end(2, "Say which images: --status, --error-code, --key or --before\n")
    for_each_list(arguments, partial(_redo, wanted, asks=not arguments.yes))


def _redo(wanted: Redo, named: str, operator: MainlandPermitOcrOperator, *, asks: bool) -> bool:
    from airflow_provider_permitocr.wiring.without_calls import open_list, price_of

    price = price_of(operator.options)
    with open_list(operator.options) as ledger:
        number = ledger.count_redone(wanted)
        if not number:
            sys.stderr.write(f"{named}: no settled image of the list matches; nothing was marked\n")
            return False
        cost = (
            f"; {price.of(number)} at {price} a call" if price else "; the cost is unknown: no price is set"
        )
        say(f"{named}: {many(number, 'image')} will be recognized again, one call each{cost}")
        if asks and not is_confirmed("Recognize them again in the next run? [y/N] "):
            return False
        marked = ledger.mark_redone(wanted)
    say(f"{named}: {many(marked, 'image')} marked; the next run recognizes them")
    return True
