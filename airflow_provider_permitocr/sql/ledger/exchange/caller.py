"""Whose exchanges with a ledger these are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.ledger import UnknownCalls
from airflow_provider_permitocr.sql.ledger.exchange.caps import run_period

#: What tells a run from others, as columns of the ledger.
RUN_COLUMNS: Final = ("dag_id", "task_id", "run_id", "map_index")


def run_columns(run: RunIdentity) -> dict[str, Any]:
    """Return what a run is found by, by column."""
    return {name: getattr(run, name) for name in RUN_COLUMNS}


def is_run(runs: sa.FromClause, run: Mapping[str, Any]) -> sa.ColumnElement[bool]:
    """Tell which row is a run's.

    :param runs: the ledger's table of runs, or an alias of it.
    :param run: what it is found by, by column.
    """
    return sa.and_(*(runs.c[name] == run[name] for name in RUN_COLUMNS))


@dataclass(frozen=True)
class Caller:
    """Whose exchanges these are, and what they go by.

    :param list_id: the image list.
    :param account: whose calls these are; days are counted for each account.
    :param session_id: this process.
    :param timezone: whose midnight a day begins at.
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
        """What the run's calls are counted by."""
        return run_period(self.run, otherwise=self.session_id)

    @property
    def run_columns(self) -> dict[str, Any]:
        """What the run is found by."""
        return run_columns(self.run)
