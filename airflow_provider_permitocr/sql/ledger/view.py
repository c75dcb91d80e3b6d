"""A ledger that is looked at, for a plan; one that is missing is empty."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.core.calls import RunIdentity
from airflow_provider_permitocr.core.spending import Spending
from airflow_provider_permitocr.sql.database_file import missing_file
from airflow_provider_permitocr.sql.errors import database_errors
from airflow_provider_permitocr.sql.ledger.caps import day_period, run_period
from airflow_provider_permitocr.sql.ledger.lists import ListIdentity, register_list
from airflow_provider_permitocr.sql.ledger.now import now
from airflow_provider_permitocr.sql.ledger.options import Ledger
from airflow_provider_permitocr.sql.ledger.preparation import check_tables
from airflow_provider_permitocr.sql.ledger.reading import LedgerReader, Opened
from airflow_provider_permitocr.sql.ledger.schema import ledger_tables
from airflow_provider_permitocr.sql.ledger.statements import count_calls, lock


class SqlLedgerView(LedgerReader):
    """The ledger of a ``Ledger``, as a run would find it.

    :param identity: the list that the run would read.
    :param run: the run that would be.
    """

    def __init__(
        self,
        engine: sa.Engine,
        described: Ledger,
        *,
        identity: ListIdentity,
        run: RunIdentity,
        **options: Any,
    ) -> None:
        super().__init__(engine, described, **options)
        self._identity, self._run = identity, run

    def look(self, key_type: str | None) -> None:
        """Make sure that a run can use it; nothing is changed, what is tried is rolled back.

        :param key_type: of the list's keys; None where the list is empty.
        :raises TargetError: naming what to change.
        :raises DatabaseError: when the database cannot be reached.
        """
        if missing_file(self._engine) is not None:
            return
        with database_errors(f"looking at the ledger {self._described.name!r}"):
            if not check_tables(self._engine, self._described):
                return
            tables = ledger_tables(self._described.name)
            with self._engine.connect() as connection:
                lock(connection, tables)
                list_id = register_list(connection, tables, replace(self._identity, key_type=key_type))
                connection.rollback()
        self._opened = Opened(tables, list_id, self._run.name)

    def calls_left(self, spending: Spending, account: str) -> int | None:
        """Return how many calls the caps allow now; None where there is no cap."""
        if not spending.is_capped:
            return None
        if self._opened is None:
            return spending.calls_left(day=0, run=0)
        tables = self._opened.tables
        with (
            database_errors(f"reading what {self._described.name!r} counts"),
            self._engine.connect() as connection,
        ):
            day, run = day_period(now(connection), spending.timezone), run_period(self._run)
            counted = count_calls(connection, tables, account, {day, run})
        return spending.calls_left(day=counted[day], run=counted[run])
