"""What runs of a list have left behind, and what its targets do not take, as a ledger knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow_provider_permitocr.cli.checks.findings import Finding, Verdict
from airflow_provider_permitocr.counted import many

if TYPE_CHECKING:
    from airflow_provider_permitocr.sql.ledger.open_list import OpenList

_SUBJECT: Final = "left over"
_MOST_NAMED: Final = 3


def left_findings(opened: OpenList, shard: str | None) -> list[Finding]:
    """Report what the next run takes over, what it cannot, and which rows are refused."""
    from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
    from airflow_provider_permitocr.sql.ledger.deliveries.refusals import refusals_by_target
    from airflow_provider_permitocr.sql.ledger.exchange.caller import run_columns
    from airflow_provider_permitocr.sql.ledger.runs.leftovers import find_leftovers

    left = find_leftovers(opened, run_columns(RunIdentity()), shard)
    found = []
    if left.runs:
        names = _some([each.run[2] for each in left.runs])
        found.append(
            _note(
                f"{many(len(left.runs), 'run has', 'runs have')} not finished; the next run takes them"
                f" up: {names}"
            )
        )
    if left.unread:
        found.append(
            _note(
                f"{many(left.unread, 'image')} of earlier runs cannot be listed again, because their query"
                f" has templates or changes over time: {_some(left.unread_runs)}",
                "clear these runs",
            )
        )
    for target, count in refusals_by_target(opened):
        found.append(
            _note(
                f"{target} has refused {many(count, 'row')}; the next run tries them again",
                "look for error_code ResultRowRefused there, and fix the constraint",
            )
        )
    return found


def _note(message: str, remedy: str = "") -> Finding:
    return Finding(Verdict.NOTE, _SUBJECT, message, remedy)


def _some(names: Any) -> str:
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
