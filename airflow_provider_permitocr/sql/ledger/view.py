"""A ledger that is looked at, for a plan; one that is missing is empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.engine.run.window import Leftovers
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.lists.redo import Redo
from airflow_provider_permitocr.sql.database.failures import database_errors
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.exchange.caller import day_period, run_columns, run_period
from airflow_provider_permitocr.sql.ledger.exchange.statements import count_calls, lock
from airflow_provider_permitocr.sql.ledger.lists.lists import ListIdentity, register_list
from airflow_provider_permitocr.sql.ledger.reading import LedgerReader
from airflow_provider_permitocr.sql.ledger.runs.leftovers import find_leftovers
from airflow_provider_permitocr.sql.ledger.standing.redoing import count_redone
from airflow_provider_permitocr.sql.ledger.tables.clock import now
from airflow_provider_permitocr.sql.ledger.tables.preparation import check_tables
from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables


class SqlLedgerView(LedgerReader):
    """The ledger of a ``Ledger``, as a run would find it.

    :param identity: the list that the run would read.
    :param run: the run that would be.
    :param shard: that it would read.
    """

    def __init__(
        self,
        engine: sa.Engine,
        described: Ledger,
        *,
        identity: ListIdentity,
        run: RunIdentity,
        shard: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(engine, described, run_name=run.name, **options)
        self._identity, self._run, self._shard = identity, run, shard
        self._looked_at = datetime.now(UTC)

    def look(self, key_type: str | None) -> None:
        """Make sure that a run can use it; writes are tried and rolled back.

        :param key_type: of the list's keys; None if the list is empty.
        :raises TargetError: naming what to change.
        :raises DatabaseError: when the database cannot be reached.
        """
        if database_of(self._engine).missing_file(self._engine) is not None:
            return
        with database_errors(f"looking at the ledger {self._described.name!r}"):
            if not check_tables(self._engine, self._described):
                return
            tables = ledger_tables(self._described.name)
            with self._engine.connect() as connection:
                lock(connection, tables)
                list_id = register_list(connection, tables, replace(self._identity, key_type=key_type))
                self._looked_at = now(connection)
                connection.rollback()
        self._where = tables, list_id

    def leftovers(self) -> Leftovers:
        """Return what earlier runs have left, for a run to take over."""
        return self._read(
            lambda opened: find_leftovers(
                opened, run_columns(self._run), self._shard, is_query=self._identity.is_query
            ),
            Leftovers(),
        )

    def unsettled(self, after: RowKey | None, most: int, *, only_redone: bool = False) -> Sequence[RowKey]:
        """Return images that earlier runs could not settle, or that were requested again, by key."""
        return self._unsettled(self._looked_at, after, most, only_redone=only_redone)

    def redone(self, redo: Redo) -> int:
        """Count the images to recognize again; by default of all that were called for by now."""
        moment = min(self._looked_at, redo.moment or self._looked_at)
        return self._read(lambda opened: count_redone(opened, redo, moment), 0)

    def calls_left(self, budget: Budget, account: str) -> int | None:
        """Return how many calls the caps allow now; None without a cap."""
        if not budget.is_capped:
            return None
        if self._where is None:
            return budget.calls_left(day=0, run=0)
        tables, _ = self._where
        with (
            database_errors(f"reading what {self._described.name!r} counts"),
            self._engine.connect() as connection,
        ):
            day, run = day_period(now(connection), budget.timezone), run_period(self._run)
            counted = count_calls(connection, tables, account, {day, run})
        return budget.calls_left(day=counted[day], run=counted[run])
