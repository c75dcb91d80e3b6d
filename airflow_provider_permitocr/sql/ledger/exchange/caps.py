"""How many calls a day and a run have made, and what their caps still allow."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from airflow_provider_permitocr.engine.ledger.calls import Grant, RunIdentity
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.sql.ledger.tables.schema import LONGEST_NAME


def day_period(moment: datetime, timezone: str) -> str:
    """Name the day that a call counts for.

    :param timezone: whose midnight it begins at.
    """
    return f"day {moment.astimezone(ZoneInfo(timezone)).date().isoformat()}"


def run_period(run: RunIdentity, *, otherwise: str = "") -> str:
    """Name the run that a call counts for: all shards and tries of a DAG run of a task.

    :param otherwise: names a run outside of Airflow.
    """
    name = f"run {run.name or otherwise}"
    if len(name) > LONGEST_NAME:
        return f"run {hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return name


class Allowance:
    """What the caps still allow, counted down call by call.

    :param run: period of the run; all others are days.
    :param used: calls so far by period.
    """

    def __init__(self, budget: Budget, run: str, used: Mapping[str, int]) -> None:
        self._budget, self._run = budget, run
        self._used = Counter(used)
        self._changed: set[str] = set()

    @property
    def counted(self) -> dict[str, int]:
        """Calls by period, of those that have changed."""
        return {period: self._used[period] for period in sorted(self._changed)}

    def take(self, day: str) -> Grant:
        """Count a call, if day and run each allow one more; tell which of them does not."""
        for period, cap, refusal in (
            (self._run, self._budget.cap_of_run, Grant.CAPPED),
            (day, self._budget.cap_of_day, Grant.DAY_CAPPED),
        ):
            if cap is not None and self._used[period] >= cap:
                return refusal
        self._add(day, 1)
        return Grant.GRANTED

    def give_back(self, day: str) -> None:
        """Count a call no longer, as it was not made."""
        self._add(day, -1)

    def _add(self, day: str, calls: int) -> None:
        for period in (day, self._run):
            self._used[period] += calls
            self._changed.add(period)
