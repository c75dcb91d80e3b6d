"""Whose exchanges with a ledger these are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow_provider_permitocr.core.calls import RunIdentity
from airflow_provider_permitocr.core.spending import Spending
from airflow_provider_permitocr.sql.ledger.caps import run_period
from airflow_provider_permitocr.sql.ledger.options import UnknownCalls


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
    spending: Spending
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
        run = self.run
        return {
            "dag_id": run.dag_id,
            "task_id": run.task_id,
            "run_id": run.run_id,
            "map_index": run.map_index,
        }
