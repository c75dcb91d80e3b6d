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
Check the MainlandPermitOcrOperator tasks of one DAG, or of all: pools, slots, quota, connections and tables.
Reports problems and how to fix them. Changes nothing and costs nothing. Run it where the scheduler runs.

Exit status: 0 nothing is wrong, 1 something is wrong, 2 usage error."""


_PLAN = """\
Show what a run of MainlandPermitOcrOperator tasks would do: images listed, settled before, rejected without
a call, to call, cost and time. Images are loaded and checked as in a run, unless --quick is given. Makes no
call, and creates and writes nothing. Run it where the tasks run, so that it finds their files.

Exit status: 0 every task was planned, 1 a task cannot be planned, 2 usage error."""


_ADOPT = """\
Adopt into the ledger of MainlandPermitOcrOperator tasks what it does not know: a list that was renamed or
has another source, and a result table that an earlier version or another ledger filled. Makes no call.
Settled images are skipped from then on, as if this ledger had always kept them.

Exit status: 0 everything was taken over, 1 something was not, 2 usage error."""


_PRUNE = """\
Delete old calls, answers that are no longer in force, finished runs and counters from the ledger of
MainlandPermitOcrOperator tasks. Keeps what an image still needs, and runs that left images. Tasks may run
at the same time.

Exit status: 0 everything was deleted, 1 something was not, 2 usage error."""


_REBUILD = """\
Fill the targets of MainlandPermitOcrOperator tasks again from the answers in the ledger, as this version
reads them. Use it after an upgrade that adds a field, or if rows are missing. Makes no call. Names the
columns that cannot be read again.

Exit status: 0 every target was filled, 1 something was not, 2 usage error."""


_REDO = """\
Mark settled images, so that the next run of MainlandPermitOcrOperator tasks recognizes them again. Shows how
many images there are and what they cost, and asks first. Makes no call itself: the run does, in its pool.
The old answer stays in force until there is a new one.

Exit status: 0 all images were marked, 1 something was not marked or not confirmed, 2 usage error."""


_ERASE = """\
Erase personal data: in the ledger, result tables, stored portraits and files of
MainlandPermitOcrOperator tasks. Shows what it would erase, unless --yes is given. An erased image stays
known by its key, and is not called for again unless it changes or `redo` names it. Makes no call, and
leaves the sums of calls and cost unchanged. Reports what it cannot reach. Safe to repeat, and tasks may
run meanwhile.

Exit status: 0 everything was erased or shown, 1 something was not, 2 usage error."""


def get_permitocr_cli_commands() -> list[CLICommand]:
    """Return the commands that this provider adds to ``airflow``."""
    commands = (_check(), _plan(), _adopt(), _prune(), _rebuild(), _redo(), _erase())
    return [GroupCommand("permitocr", help="Recognition of mainland travel permits", subcommands=commands)]


def _check() -> ActionCommand:
    dag_id = _argument("dag_id", nargs="?", help="The DAG to check; default: all")
    quota = _argument(
        "--quota",
        type=_requests_per_second,
        default=float(DEFAULT_REQUESTS_PER_SECOND),
        metavar="N",
        help="Requests per second that the account may send (default: 20)",
    )
    offline = _argument(
        "--offline", action="store_true", help="Do not ask Tencent Cloud whether the credentials are valid"
    )
    return _command(
        "checks.check",
        "Find what keeps permit recognition from running, and how to fix it",
        _CHECK,
        dag_id,
        quota,
        offline,
        _output(),
    )


def _plan() -> ActionCommand:
    arguments = (
        *_tasks(),
        _argument(
            "--logical-date",
            type=_time,
            metavar="TIME",
            help="Logical date of the run to plan, in ISO 8601 (default: now)",
        ),
        _argument(
            "--interval-start",
            type=_time,
            metavar="TIME",
            help="Start of the run's data interval; default: that of a run triggered at that time",
        ),
        _argument("--interval-end", type=_time, metavar="TIME", help="End of the run's data interval"),
        _argument(
            "--quick", action="store_true", help="Count images that are not settled, without opening them"
        ),
        _output(),
    )
    return _command("plans.plan", "Show what a run would do and cost, without a call", _PLAN, *arguments)


def _adopt() -> ActionCommand:
    return _command(
        "adopt", "Take over a renamed list, or a result table that another ledger filled", _ADOPT, *_tasks()
    )


def _prune() -> ActionCommand:
    older_than = _argument(
        "--older-than",
        type=_days,
        required=True,
        metavar="DAYS",
        help="Delete rows older than this many days, for example 90",
    )
    yes = _argument("--yes", action="store_true", help="Do not ask before deleting")
    return _command(
        "prune", "Delete old calls and runs that a ledger no longer needs", _PRUNE, *_tasks(), older_than, yes
    )


def _rebuild() -> ActionCommand:
    return _command(
        "rebuild", "Fill targets again from the answers in the ledger, without a call", _REBUILD, *_tasks()
    )


def _redo() -> ActionCommand:
    arguments = (
        *_tasks(),
        _argument(
            "--status",
            action="append",
            choices=("recognized", "rejected", "failed"),
            help="Status in force; repeatable",
        ),
        _argument(
            "--error-code", action="append", metavar="CODE", help="Error code of the image; repeatable"
        ),
        _argument("--key", action="append", metavar="KEY", help="Key of an image; repeatable"),
        _argument(
            "--before",
            type=_time,
            metavar="TIME",
            help="Only images last called before this time, in ISO 8601 (default: now)",
        ),
        _argument("--yes", action="store_true", help="Do not ask before marking"),
    )
    return _command("redo", "Mark settled images to be recognized again by the next run", _REDO, *arguments)


def _erase() -> ActionCommand:
    arguments = (
        *_tasks(),
        _argument("--key", action="append", metavar="KEY", help="Key of an image; repeatable"),
        _argument("--keys-from", metavar="FILE", help="A file with one key a line, in UTF-8"),
        _argument(
            "--older-than-days",
            type=_days,
            metavar="N",
            help="Erase images whose last result is older than this many days",
        ),
        _argument(
            "--policy",
            action="store_true",
            help="Apply the task's current privacy policy to everything stored",
        ),
        _argument("--yes", action="store_true", help="Erase; otherwise only show what would be erased"),
    )
    return _command(
        "erase", "Erase people from the ledger, result tables, portraits and files", _ERASE, *arguments
    )


def _command(module: str, help_line: str, description: str, *arguments: Arg) -> ActionCommand:
    """Describe a command, which has the name of its module and of the function in there."""
    name = module.rpartition(".")[2]
    function = lazy_load_command(f"airflow_provider_permitocr.cli.{module}.{name}")
    return ActionCommand(
        name=name, help=help_line, description=description, func=function, args=(*arguments, ARG_VERBOSE)
    )


def _tasks() -> tuple[Arg, Arg]:
    return (
        _argument("dag_id", help="The DAG"),
        _argument("task_id", nargs="?", help="The task; default: all MainlandPermitOcrOperator tasks"),
    )


def _output() -> Arg:
    return _argument(
        "-o",
        "--output",
        choices=("text", "table", "plain", "json", "yaml"),
        default="text",
        help="Output format: text (default), or a format of other airflow commands",
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
    from airflow_provider_permitocr.options.validation import MOST_DAYS

    days = text.lstrip("0")
    if not (
        days.isascii() and days.isdecimal() and len(days) <= len(str(MOST_DAYS)) and int(days) <= MOST_DAYS
    ):
        raise argparse.ArgumentTypeError(
            f"must be a whole number of days from 1 to {MOST_DAYS}, not {text!r}"
        )
    return int(days)


def _time(text: str) -> datetime:
    from airflow.sdk import timezone

    try:
        return timezone.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a time such as 2026-05-01T12:00, not {text!r}") from None
