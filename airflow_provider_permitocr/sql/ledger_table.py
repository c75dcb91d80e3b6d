"""The ledger in a database: intents, results, caps and claims, each exchange in one transaction."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import sqlalchemy as sa

from airflow_provider_permitocr.core.calls import CallIntent, CallResult, Grant, RunIdentity
from airflow_provider_permitocr.core.spending import Spending
from airflow_provider_permitocr.sql.tables import CallsTable


class SqlLedgerTable:
    """The ledger of a ``CallsTable``, on any database that SQLAlchemy speaks to.

    :param account: whose calls these are; days are counted for each account on its own.
    :param run: who makes them.
    :param stop: ends the waiting for a database that is away.
    """

    def __init__(
        self,
        engine: sa.Engine,
        described: CallsTable,
        *,
        account: str,
        run: RunIdentity,
        spending: Spending,
        stop: threading.Event,
    ) -> None:
        self._engine, self._described = engine, described
        self._account, self._run, self._spending = account, run, spending
        self._stop = stop

    def prepare(self) -> None:
        """Create what is missing."""
        raise NotImplementedError

    def exchange(self, intents: Sequence[CallIntent], results: Sequence[CallResult]) -> Sequence[Grant]:
        """Write results of earlier calls, and intents as far as they are granted, in one transaction."""
        raise NotImplementedError
