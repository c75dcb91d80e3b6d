"""Ledgers as several processes see them, and what is then in their tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import (
    NOT_SENT,
    OK,
    Attempt,
    CallIntent,
    ClosedCall,
    Grant,
    RunIdentity,
    new_call_id,
)
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.engine.run.window import Window
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.permit.answers import KeptAnswer
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.dialects.mysql import MySql
from airflow_provider_permitocr.sql.dialects.postgresql import PostgreSql
from airflow_provider_permitocr.sql.dialects.sqlite import Sqlite
from airflow_provider_permitocr.sql.ledger.sql_ledger import LedgerRun, SqlLedger
from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables
from tests.sql.ledger.ground import identity

TABLES = ledger_tables("permit_ocr")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
#: ``call_seconds``, ``patience_seconds`` below, and the ledger's own minute.
HOLD_SECONDS = 120.0 + 10.0 + 60.0
#: Of a run whose figures do not matter.
SUMMARY = RunSummary(
    listed=9, skipped=0, statuses={}, error_codes={}, calls=0, throttled=0, elapsed_seconds=1.0
)
_numbers = count(1)


class LedgerTime:
    """The database's clock, which passes only when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.set(NOON)

    def set(self, now: datetime) -> None:
        self.now = now
        text = now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        clocks = {PostgreSql: f"timestamptz '{text}+00'", Sqlite: f"'{text}'", MySql: f"TIMESTAMP'{text}'"}
        for database, clock in clocks.items():
            self._monkeypatch.setattr(database, "clock", clock)

    def pass_seconds(self, seconds: float) -> None:
        self.set(self.now + timedelta(seconds=seconds))


def a_run(run: str = "run 1", map_index: int = -1, try_number: int = 1) -> RunIdentity:
    """Return a run of one task."""
    return RunIdentity("dag", "task", run, map_index, try_number)


@dataclass
class Process:
    """One process of a run, with its ledger.

    :param listed: images of its window.
    :param ledger_options: of ``Ledger``.
    :param list_options: of its list's identity.
    :param run_options: of ``LedgerRun``, such as its window.
    """

    engine: sa.Engine
    run: RunIdentity = field(default_factory=lambda: a_run(f"run {next(_numbers)}"))
    budget: Budget = field(default_factory=Budget)
    account: str = "100"
    name: str = "permit_ocr"
    patience_seconds: float = 10.0
    call_seconds: float = 120.0
    listed: int = 0
    ledger_options: dict[str, Any] = field(default_factory=dict)
    list_options: dict[str, Any] = field(default_factory=dict)
    run_options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ledger = SqlLedger(
            self.engine,
            Ledger(self.name, conn_id="lake", **self.ledger_options),
            LedgerRun(
                identity=identity(**self.list_options),
                account=self.account,
                run=self.run,
                budget=self.budget,
                call_seconds=self.call_seconds,
                **({"window": Window()} | self.run_options),
            ),
            patience=Patience(self.patience_seconds),
        )
        self.ledger.prepare("text", self.listed)

    def intent(
        self,
        key: str,
        *,
        side: CardSide = CardSide.FRONT,
        digest: str | None = None,
        updated_at: datetime | None = None,
    ) -> CallIntent:
        return CallIntent(new_call_id(), (key, side), updated_at, digest)

    def open(self, *intents: CallIntent) -> list[Grant]:
        return list(self.ledger.exchange(intents, [], []).grants)

    def ask(self, *keys: str, **special: Any) -> list[Grant]:
        """Ask to call for some images, and tell nothing of what becomes of it."""
        return self.open(*(self.intent(key, **special) for key in keys))

    def close(self, *closed: ClosedCall) -> Sequence[ClosedCall]:
        return self.ledger.exchange([], closed, []).refused

    def call(self, key: str, code: str = OK, *, billed: bool | None = True, **special: Any) -> Grant:
        """Ask to call for an image, and answer at once."""
        intent = self.intent(key, **special)
        (grant,) = self.open(intent)
        if grant is Grant.GRANTED:
            self.close(answered(intent, code, billed=billed))
        return grant


def answered(
    intent: CallIntent,
    code: str = OK,
    *,
    billed: bool | None = True,
    number: str = "H1",
    kind: str = "",
    **special: Any,
) -> ClosedCall:
    """Close a call: with an answer, or with the code of an error.

    :param kind: document type, as printed.
    """
    if code != OK:
        return ClosedCall(intent.call_id, code, billed, "request-1")
    attempt = Attempt(
        intent.row_key, Status.RECOGNIZED, is_verdict=True, updated_at=intent.updated_at, **special
    )
    fields = {"Number": number, "Type": kind} if kind else {"Number": number}
    return ClosedCall(intent.call_id, OK, billed, "request-1", KeptAnswer(fields), attempt)


def unsent(*intents: CallIntent) -> list[ClosedCall]:
    """Close calls that were not made."""
    return [ClosedCall(intent.call_id, NOT_SENT, False) for intent in intents]


def attempt(key: str, status: Status, **special: Any) -> Attempt:
    """Return what came of an image without a call."""
    row_key: RowKey = (key, CardSide.FRONT)
    return Attempt(row_key, status, **special)


def calls_of(engine: sa.Engine, name: str = "permit_ocr") -> Sequence[sa.Row[Any]]:
    """Return all calls, in the order of their intents."""
    calls = ledger_tables(name).calls
    with engine.connect() as connection:
        return connection.execute(sa.select(calls).order_by(calls.c.place, calls.c.image_key)).all()


def images_of(engine: sa.Engine) -> dict[str, sa.Row[Any]]:
    """Return all images by key."""
    with engine.connect() as connection:
        return {row.image_key: row for row in connection.execute(sa.select(TABLES.images))}


def counted(engine: sa.Engine, kind: str, name: str = "permit_ocr") -> dict[str, int]:
    """Return the calls that are counted, by period.

    :param kind: day or run.
    """
    counters = ledger_tables(name).counters
    with engine.connect() as connection:
        rows = connection.execute(sa.select(counters).where(counters.c.period.startswith(f"{kind} ")))
        return {row.period.removeprefix(f"{kind} "): row.calls for row in rows}


def pass_the_hold(process: Process, time: LedgerTime) -> None:
    """Let holds run out while a process exchanges, so that there is no outage."""
    end = time.now + timedelta(seconds=HOLD_SECONDS + 1)
    while time.now < end:
        time.pass_seconds(50)
        process.ask(f"in between {time.now}")
