"""Ledgers as several processes see them, and what is then in their tables."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.call_ledger import new_call_id
from airflow_provider_permitocr.core.calls import NOT_SENT, OK, CallIntent, CallResult, Grant, RunIdentity
from airflow_provider_permitocr.core.spending import Spending
from airflow_provider_permitocr.sql.calls_table import CallsTable
from airflow_provider_permitocr.sql.ledger_schema import budget_table, calls_table
from airflow_provider_permitocr.sql.ledger_table import SqlLedgerTable

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
_numbers = count(1)


@dataclass
class TimeOfDay:
    """A clock that passes only when told to."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Process:
    """One process of a run, with its ledger; ``options`` are those of ``CallsTable``."""

    engine: sa.Engine
    run: RunIdentity = field(default_factory=lambda: RunIdentity("dag", "task", f"run {next(_numbers)}"))
    spending: Spending = field(default_factory=Spending)
    account: str = "100"
    clock: TimeOfDay = field(default_factory=TimeOfDay)
    table: str = "calls"
    patience_seconds: float = 10.0
    call_seconds: float = 120.0
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stop = threading.Event()
        self.ledger = SqlLedgerTable(
            self.engine,
            CallsTable(self.table, conn_id="lake", **self.options),
            account=self.account,
            run=self.run,
            spending=self.spending,
            stop=self.stop,
            patience_seconds=self.patience_seconds,
            call_seconds=self.call_seconds,
            now=self.clock,
        )
        self.ledger.prepare()

    def intent(self, key: str, *, side: CardSide = CardSide.FRONT, digest: str | None = None) -> CallIntent:
        return CallIntent(new_call_id(), (key, side), digest, self.clock())

    def ask(self, *keys: str, digest: str | None = None) -> list[Grant]:
        """Ask to call for some images, and tell nothing of what becomes of it."""
        return list(self.ledger.exchange([self.intent(key, digest=digest) for key in keys], []))

    def call(
        self, key: str, code: str = OK, *, billed: bool | None = True, digest: str | None = None
    ) -> Grant:
        """Ask to call for an image, and answer at once."""
        intent = self.intent(key, digest=digest)
        (grant,) = self.ledger.exchange([intent], [])
        if grant is Grant.GRANTED:
            self.ledger.exchange([], [self.result(intent.call_id, code, billed=billed)])
        return grant

    def result(self, call_id: str, code: str = OK, *, billed: bool | None = True) -> CallResult:
        return CallResult(call_id, code, billed, "request-1", self.clock())

    def unsent(self, *intents: CallIntent) -> list[CallResult]:
        return [self.result(intent.call_id, NOT_SENT, billed=False) for intent in intents]


def rows_of(engine: sa.Engine, table: str = "calls") -> Sequence[sa.Row[Any]]:
    """Return all calls, in the order of their intents."""
    calls = calls_table(table)
    with engine.connect() as connection:
        return connection.execute(sa.select(calls).order_by(calls.c.intended_at, calls.c.image_key)).all()


def counted(engine: sa.Engine, scope: str, table: str = "calls") -> dict[str, int]:
    """Return the calls that are counted, by period."""
    budget = budget_table(table)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(budget).where(budget.c.scope == scope))
        return {row.period: row.calls for row in rows}
