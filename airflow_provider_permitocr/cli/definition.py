"""``airflow permitocr …`` for Airflow's own parser. Every ``airflow`` command imports this module."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, Arg, GroupCommand, lazy_load_command

from airflow_provider_permitocr.permit.api import DEFAULT_REQUESTS_PER_SECOND

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.cli.cli_config import CLICommand

_CHECK = """\
Tell what is wrong with pools, slots, quota, connections and tables of the MainlandPermitOcrOperator tasks of
one DAG or of all, and how to mend it. Changes nothing and costs nothing. Run it where the scheduler runs.

Ends with status 0 when nothing is wrong, 1 when something is, 2 when it was called wrongly."""


_PLAN = """\
Tell what a run of MainlandPermitOcrOperator tasks would do: images listed, already done, refused without a
call, to call, cost and time. Images are loaded and checked as in a run, unless --quick says otherwise, but no
call is made, and nothing is created or written. Run it where the tasks run, so that it finds their files.

Ends with status 0 when there is a plan, 1 when a task cannot be planned, 2 when it was called wrongly."""


_ADOPT = """\
Take over what the ledger of MainlandPermitOcrOperator tasks does not know of: a list under another name or
from another source, and a result table that an earlier version or another ledger has filled. Makes no call.
Settled images are skipped from then on, as if this ledger had always kept them.

Ends with status 0 when all is taken over, 1 when something is not, 2 when it was called wrongly."""


_PRUNE = """\
Delete old calls, answers that are no longer in force, finished runs and counters from the ledger of
MainlandPermitOcrOperator tasks. What an image depends on stays, and so does a run that left something.
Tasks may run meanwhile.

Ends with status 0 when all is done, 1 when something is not, 2 when it was called wrongly."""


_REBUILD = """\
Fill the targets of MainlandPermitOcrOperator tasks again from the answers that the ledger has kept, as this
version reads them: after an upgrade that knows a new field, or where rows are missing. Makes no call. Names
the columns that cannot be read again.

Ends with status 0 when all is filled, 1 when something is not, 2 when it was called wrongly."""


_REDO = """\
Have images recognized again though they are settled, by the next run of MainlandPermitOcrOperator tasks. Says
how many there are and what they cost, and asks. Makes no call itself, so that the pool keeps the rate. The
old answer stays in force until there is a new one.

Ends with status 0 when all is marked, 1 when something is not or was not confirmed, 2 when it was called
wrongly."""


_ERASE = """\
Erase what is stored of people: in the ledger, result tables, stored portraits and files of
MainlandPermitOcrOperator tasks. Shows what it would erase, unless --yes is given. An image that is erased
stays known by its key, and is not called for again unless it changes or `redo` names it. Makes no call, and
leaves the sums of calls and cost as they are. Names what it cannot reach. It may be repeated, and tasks may
run meanwhile.

Ends with status 0 when all is erased or shown, 1 when something is not, 2 when it was called wrongly."""


def get_permitocr_cli_commands() -> list[CLICommand]:
    """Return the commands that this provider adds to ``airflow``."""
    commands = (_check(), _plan(), _adopt(), _prune(), _rebuild(), _redo(), _erase())
    return [GroupCommand("permitocr", help="Recognition of mainland travel permits", subcommands=commands)]


def _check() -> ActionCommand:
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
    return ActionCommand(
        name="check",
        help="Tell what keeps permit recognition from running, and how to mend it",
        description=_CHECK,
        func=lazy_load_command("airflow_provider_permitocr.cli.checks.check.check"),
        args=(dag_id, quota, offline, _output(), ARG_VERBOSE),
    )


def _plan() -> ActionCommand:
    arguments = (
        *_tasks(),
        _argument(
            "--logical-date",
            type=_time,
            metavar="TIME",
            help="Of the run to plan, in ISO 8601; now, if left out",
        ),
        _argument(
            "--interval-start",
            type=_time,
            metavar="TIME",
            help="Start of the run's data interval; by default what a run triggered then would have",
        ),
        _argument("--interval-end", type=_time, metavar="TIME", help="End of it"),
        _argument(
            "--quick", action="store_true", help="Count what is not settled, without looking at images"
        ),
        _output(),
    )
    return ActionCommand(
        name="plan",
        help="Tell what a run would do and cost, without making a call",
        description=_PLAN,
        func=lazy_load_command("airflow_provider_permitocr.cli.plans.plan.plan"),
        args=(*arguments, ARG_VERBOSE),
    )


def _adopt() -> ActionCommand:
    return ActionCommand(
        name="adopt",
        help="Take over a renamed list, or a result table that another ledger has filled",
        description=_ADOPT,
        func=lazy_load_command("airflow_provider_permitocr.cli.adopt.adopt"),
        args=(*_tasks(), ARG_VERBOSE),
    )


def _prune() -> ActionCommand:
    older_than = _argument(
        "--older-than",
        type=_days,
        required=True,
        metavar="DAYS",
        help="How old a row has to be, in days, such as 90",
    )
    yes = _argument("--yes", action="store_true", help="Do not ask before deleting")
    return ActionCommand(
        name="prune",
        help="Delete old calls and runs from a ledger that nothing depends on",
        description=_PRUNE,
        func=lazy_load_command("airflow_provider_permitocr.cli.prune.prune"),
        args=(*_tasks(), older_than, yes, ARG_VERBOSE),
    )


def _rebuild() -> ActionCommand:
    return ActionCommand(
        name="rebuild",
        help="Fill targets again from the answers that the ledger has kept, without a call",
        description=_REBUILD,
        func=lazy_load_command("airflow_provider_permitocr.cli.rebuild.rebuild"),
        args=(*_tasks(), ARG_VERBOSE),
    )


def _redo() -> ActionCommand:
    arguments = (
        *_tasks(),
        _argument(
            "--status",
            action="append",
            choices=("recognized", "rejected", "failed"),
            help="What is in force; may be given several times",
        ),
        _argument(
            "--error-code", action="append", metavar="CODE", help="Its error code; may be given several times"
        ),
        _argument("--key", action="append", metavar="KEY", help="An image's key; may be given several times"),
        _argument(
            "--before",
            type=_time,
            metavar="TIME",
            help="Only images whose last call came before this, in ISO 8601; now, if left out",
        ),
        _argument("--yes", action="store_true", help="Do not ask"),
    )
    return ActionCommand(
        name="redo",
        help="Have settled images recognized again by the next run",
        description=_REDO,
        func=lazy_load_command("airflow_provider_permitocr.cli.redo.redo"),
        args=(*arguments, ARG_VERBOSE),
    )


def _erase() -> ActionCommand:
    arguments = (
        *_tasks(),
        _argument("--key", action="append", metavar="KEY", help="An image's key; may be given several times"),
        _argument("--keys-from", metavar="FILE", help="A file with one key a line, in UTF-8"),
        _argument(
            "--older-than-days",
            type=_days,
            metavar="N",
            help="Images whose last result is older than so many days",
        ),
        _argument(
            "--policy",
            action="store_true",
            help="What the task's privacy policy hides by now, of all that is stored",
        ),
        _argument("--yes", action="store_true", help="Erase; otherwise only show what would be erased"),
    )
    return ActionCommand(
        name="erase",
        help="Erase people from the ledger, result tables, portraits and files",
        description=_ERASE,
        func=lazy_load_command("airflow_provider_permitocr.cli.erase.erase"),
        args=(*arguments, ARG_VERBOSE),
    )


def _tasks() -> tuple[Arg, Arg]:
    return (
        _argument("dag_id", help="The DAG"),
        _argument("task_id", nargs="?", help="The task; all of the operator, if left out"),
    )


def _output() -> Arg:
    return _argument(
        "-o",
        "--output",
        choices=("text", "table", "plain", "json", "yaml"),
        default="text",
        help="text to read (the default), or a format as of other airflow commands",
    )


def _argument(*names: str, **described: Any) -> Arg:
    return Arg(names, **described)  # type: ignore[no-untyped-call]


def _requests_per_second(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return number


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"must be a whole number of days above 0, not {text!r}")
    return int(text)


def _time(text: str) -> datetime:
    from airflow.sdk import timezone

    try:
        return timezone.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a time such as 2026-05-01T12:00, not {text!r}") from None
