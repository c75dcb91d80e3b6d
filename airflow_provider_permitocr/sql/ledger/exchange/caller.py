"""The caller of exchanges with a ledger, and what its call caps still allow."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import Grant, RunIdentity
from airflow_provider_permitocr.options.budget import Budget, NearCap
from airflow_provider_permitocr.options.ledger import UnknownCalls
from airflow_provider_permitocr.sql.ledger.tables.schema import LONGEST_NAME

#: Ledger columns that identify a run.
RUN_COLUMNS: Final = ("dag_id", "task_id", "run_id", "map_index")


def run_columns(run: RunIdentity) -> dict[str, Any]:
    """Return a run's identifying values, by column."""
    return {name: getattr(run, name) for name in RUN_COLUMNS}


def is_run(runs: sa.FromClause, run: Mapping[str, Any]) -> sa.ColumnElement[bool]:
    """Return the condition that identifies a run's row.

    :param runs: the ledger's table of runs, or an alias of it.
    :param run: its identifying values, by column.
    """
    return sa.and_(*(runs.c[name] == run[name] for name in RUN_COLUMNS))


@dataclass(frozen=True)
class Caller:
    """The caller of exchanges, and the settings that apply to it.

    :param list_id: the image list.
    :param account: the account that pays for calls; daily caps apply to each account.
    :param session_id: this process.
    :param timezone: a day begins at midnight in this time zone.
    :param hold: how long a call holds its image against other runs.
    """

    list_id: int
    account: str
    run: RunIdentity
    session_id: str
    budget: Budget
    timezone: str
    hold: timedelta
    unknown_calls: UnknownCalls = UnknownCalls.REPEAT

    @property
    def run_name(self) -> str:
        """The DAG run of the task; outside of Airflow, this process."""
        return self.run.name or self.session_id

    @property
    def run_period(self) -> str:
        """The period for the run's calls."""
        return run_period(self.run, otherwise=self.session_id)

    @property
    def run_columns(self) -> dict[str, Any]:
        """The run's identifying values."""
        return run_columns(self.run)


def day_period(moment: datetime, timezone: str) -> str:
    """Name the day that a call counts toward.

    :param timezone: a day begins at midnight in this time zone.
    """
    return f"day {moment.astimezone(ZoneInfo(timezone)).date().isoformat()}"


def run_period(run: RunIdentity, *, otherwise: str = "") -> str:
    """Name the run that a call counts toward: all shards and tries of a task in a DAG run.

    :param otherwise: name of a run outside of Airflow.
    """
    name = f"run {run.name or otherwise}"
    if len(name) > LONGEST_NAME:
        return f"run {hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return name


class Allowance:
    """The calls that the caps still allow, counted down call by call.

    :param run: period of the run; all others are days.
    :param used: calls so far by period.
    """

    def __init__(self, budget: Budget, run: str, used: Mapping[str, int]) -> None:
        self._budget, self._run = budget, run
        self._used = Counter(used)
        self._changed: set[str] = set()
        #: Caps that are nearly used up.
        self.near: list[NearCap] = []

    @property
    def counted(self) -> dict[str, int]:
        """Calls by period, for periods that have changed."""
        return {period: self._used[period] for period in sorted(self._changed)}

    def take(self, day: str) -> Grant:
        """Count a call if the caps of day and run both allow it; return the cap that doesn't."""
        for period, cap, refusal in (
            (self._run, self._budget.cap_of_run, Grant.CAPPED),
            (day, self._budget.cap_of_day, Grant.DAY_CAPPED),
        ):
            if cap is not None and self._used[period] >= cap:
                return refusal
        self._add(day, 1)
        self._note_near(day)
        return Grant.GRANTED

    def _note_near(self, day: str) -> None:
        budget = self._budget
        for name, period, cap in (
            ("max_calls", self._run, budget.cap_of_run),
            ("max_calls_per_day", day, budget.cap_of_day),
        ):
            if cap and (near := budget.near(name, cap, self._used[period])):
                self.near.append(near)

    def give_back(self, day: str) -> None:
        """Count a call no longer, as it was not made."""
        self._add(day, -1)

    def _add(self, day: str, calls: int) -> None:
        for period in (day, self._run):
            self._used[period] += calls
            self._changed.add(period)
