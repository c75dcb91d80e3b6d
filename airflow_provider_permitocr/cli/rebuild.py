"""``airflow permitocr rebuild``: fills targets again from the ledger, and makes no call."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from airflow_provider_permitocr.cli.airflow_internals import airflow_command
from airflow_provider_permitocr.cli.choice import for_each_list
from airflow_provider_permitocr.cli.output import say
from airflow_provider_permitocr.counted import many

if TYPE_CHECKING:
    import argparse

    from airflow_provider_permitocr.engine.delivery.rebuild import Rebuilt
    from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator


@airflow_command
def rebuild(arguments: argparse.Namespace) -> None:
    """Run the command, and end the process with its status.

    :param arguments: as ``cli/definition.py`` describes them.
    :raises SystemExit: 0 when every target was filled, 1 when one was not, 2 for an unknown DAG or task.
    """
    for_each_list(arguments, _rebuild)


def _rebuild(named: str, operator: MainlandPermitOcrOperator) -> bool:
    from airflow_provider_permitocr.wiring.without_calls import open_rebuild

    with open_rebuild(operator.options, threading.Event(), is_of_run=False, log=operator.log) as rebuild:
        _tell(named, rebuild.run())
    return True


def _tell(named: str, done: Rebuilt) -> None:
    said = [f"{named}: {many(done.kept.images, 'image')}, 0 calls"]
    said.append(f"{many(done.written, 'row')} written")
    if done.refused:
        said.append(f"{many(done.refused, 'row')} refused by a table")
    if done.files:
        said.append(f"{many(len(done.files), 'file')} written")
    said += done.unread_columns
    say("; ".join(said))
