"""``airflow permitocr …`` for Airflow's own parser. Every ``airflow`` command imports this module."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, Arg, GroupCommand, lazy_load_command

from airflow_provider_permitocr.core.api import DEFAULT_REQUESTS_PER_SECOND

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand

_DESCRIPTION = """\
Tell what is wrong with pools, slots, quota, connections and tables of the MainlandPermitOcrOperator tasks of
one DAG or of all, and how to mend it. Changes nothing and costs nothing. Run it where the scheduler runs.

Ends with status 0 when nothing is wrong, 1 when something is, 2 when it was called wrongly."""


def get_permitocr_cli_commands() -> list[CLICommand]:
    """Return the commands that this provider adds to ``airflow``."""
    dag_id = _argument("dag_id", nargs="?", help="The DAG to check; all, if left out")
    quota = _argument(
        "--quota",
        type=_requests_per_second,
        default=float(DEFAULT_REQUESTS_PER_SECOND),
        metavar="N",
        help="Requests that the account may send in a second; 20, unless it was raised",
    )
    offline = _argument(
        "--offline", action="store_true", help="Do not ask Tencent Cloud whether the credentials are valid"
    )
    check = ActionCommand(
        name="check",
        help="Tell what keeps permit recognition from running, and how to mend it",
        description=_DESCRIPTION,
        func=lazy_load_command("airflow_provider_permitocr.cli.check.check"),
        args=(dag_id, quota, offline, ARG_VERBOSE),
    )
    return [GroupCommand("permitocr", help="Recognition of mainland travel permits", subcommands=(check,))]


def _argument(name: str, **described: Any) -> Arg:
    return Arg((name,), **described)  # type: ignore[no-untyped-call]


def _requests_per_second(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return number
