"""A ledger in a database: what ``core/ports.py`` asks of one."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.core.calls import (
    Attempt,
    CallIntent,
    ClosedCall,
    Exchanged,
    Grant,
    RunIdentity,
)
from airflow_provider_permitocr.core.errors import ConfigurationError, LedgerError, LedgerUnreachableError
from airflow_provider_permitocr.core.models import RunSummary
from airflow_provider_permitocr.core.spending import Spending
from airflow_provider_permitocr.sql.error_codes import blames_a_row, may_pass
from airflow_provider_permitocr.sql.errors import database_errors, describe
from airflow_provider_permitocr.sql.ledger import deliveries
from airflow_provider_permitocr.sql.ledger.caller import Caller
from airflow_provider_permitocr.sql.ledger.caps import day_period
from airflow_provider_permitocr.sql.ledger.exchange import Exchange, LedgerEmptiedError, OpenCall
from airflow_provider_permitocr.sql.ledger.halving import RowRefusedError, exchange_or_halve
from airflow_provider_permitocr.sql.ledger.hand_in import hand_in
from airflow_provider_permitocr.sql.ledger.lists import ListIdentity, register_list
from airflow_provider_permitocr.sql.ledger.options import Ledger, UnknownCalls
from airflow_provider_permitocr.sql.ledger.preparation import prepare_tables
from airflow_provider_permitocr.sql.ledger.reading import LedgerReader, Opened
from airflow_provider_permitocr.sql.ledger.runs import Window, begin_run, end_run
from airflow_provider_permitocr.sql.ledger.schema import LedgerTables
from airflow_provider_permitocr.sql.ledger.statements import lock
from airflow_provider_permitocr.sql.patience import Patience

T = TypeVar("T")

#: What a hold lasts beyond a call and the patience for a ledger that cannot be reached: the turn before, the
#: exchange after.
_HOLD_SECONDS: Final = 60.0


@dataclass(frozen=True)
class LedgerRun:
    """What a run's ledger goes by.

    :param account: whose calls these are.
    :param target: name of the table that is delivered to; None where there is none.
    :param call_seconds: the longest that a call takes.
    :param with_portrait: identical images take only answers with a portrait, where there is one.
    """

    identity: ListIdentity
    account: str
    run: RunIdentity
    window: Window
    spending: Spending
    target: str | None = None
    call_seconds: float = 120.0
    with_portrait: bool = False
    session_id: str = ""


class SqlLedger(LedgerReader):
    """The ledger of a ``Ledger``, for one run.

    :param engine: used for the ledger alone.
    :param patience: how long reading waits for the database; how long an exchange does is up to its caller.
    """

    def __init__(
        self,
        engine: sa.Engine,
        described: Ledger,
        run: LedgerRun,
        *,
        patience: Patience = Patience(),
    ) -> None:
        session_id = run.session_id or uuid.uuid4().hex
        super().__init__(
            engine,
            described,
            session_id=session_id,
            with_portrait=run.with_portrait,
            patience=patience,
        )
        # Outside of Airflow a process is a run of its own, and nothing fences it.
        identity = run.run if run.run.name else replace(run.run, run_id=self._session_id)
        self._run = replace(run, run=identity)
        self._caller: Caller | None = None
        self._ledger_id = ""
        self._open_calls: dict[str, OpenCall] = {}
        self._is_unclear = False
        self._day = datetime.now(UTC)
        self._timezone = run.spending.timezone
        self._one_at_a_time = threading.Lock()

    @property
    def ledger_id(self) -> str:
        """What journals know this ledger by; known once it is prepared."""
        return self._ledger_id

    def prepare(self, key_type: str | None) -> None:
        """Create what is missing, and make sure that this list, source, target and run may use it.

        :param key_type: of the list's keys; None where the list is empty.
        :raises TargetError: naming what to change.
        :raises FencedError: when a newer try of this task has begun.
        :raises DatabaseError: when the database cannot be reached.
        """
        doing = f"preparing the ledger {self._described.name!r}"
        with database_errors(doing):
            tables = self._patience.wait_out(
                partial(prepare_tables, self._engine, self._described, self._timezone), doing
            )
            self._patience.wait_out(partial(self._begin, tables, key_type), doing)

    def _begin(self, tables: LedgerTables, key_type: str | None) -> None:
        run = self._run
        with self._engine.begin() as connection:
            lock(connection, tables)
            state = tables.state.c
            ledger_id, timezone = connection.execute(sa.select(state.ledger_id, state.timezone)).one()
            self._require_timezone(timezone)
            list_id = register_list(connection, tables, replace(run.identity, key_type=key_type))
            caller = Caller(
                list_id=list_id,
                account=run.account,
                run=run.run,
                session_id=self._session_id,
                spending=run.spending,
                timezone=timezone or self._timezone,
                hold=timedelta(
                    seconds=run.call_seconds + self._patience.seconds + _HOLD_SECONDS,
                ),
                unknown_calls=UnknownCalls(self._described.unknown_calls),
            )
            begin_run(connection, tables, caller, run.window)
        self._caller, self._ledger_id = caller, ledger_id
        self._opened = Opened(tables, list_id, caller.run_name)

    def _require_timezone(self, timezone: str | None) -> None:
        spending = self._run.spending
        if timezone and spending.max_calls_per_day is not None and timezone != spending.timezone:
            raise ConfigurationError(
                f"The ledger {self._described.name!r} counts days in {timezone}, and Spending(timezone=...)"
                f" says {spending.timezone}. Give all tasks of a ledger the same timezone."
            )

    def exchange(
        self,
        intents: Sequence[CallIntent],
        closed: Sequence[ClosedCall],
        attempts: Sequence[Attempt],
    ) -> Exchanged:
        """Write closed calls and attempts, and intents as far as they are granted, in one transaction.

        What the database refuses for what a row holds is found by halves, and does not hold up the others.

        :raises LedgerUnreachableError: when it may be tried again.
        :raises LedgerError: when the database refuses for good.
        """
        with self._one_at_a_time:
            return exchange_or_halve(self._once, intents, closed, attempts)

    def _once(
        self,
        intents: Sequence[CallIntent],
        closed: Sequence[ClosedCall],
        attempts: Sequence[Attempt],
    ) -> list[Grant]:
        tables, caller = self._prepared()
        try:
            with self._engine.begin() as connection:
                exchange = Exchange(
                    connection, tables, caller, self._open_calls, day_period(self._day, caller.timezone)
                )
                grants = exchange.run(intents, closed, attempts, is_repeated=self._is_unclear)
        except LedgerEmptiedError:
            raise LedgerError(
                f"The ledger {self._described.name!r} has lost its row in {tables.state.name}. Restore the"
                " ledger from a backup, or remove its tables and take over the targets with airflow permitocr"
                " adopt."
            ) from None
        except (SQLAlchemyError, ValueError, OverflowError) as error:
            self._is_unclear = True
            if may_pass(error):
                raise LedgerUnreachableError(
                    f"Writing into the ledger {self._described.name!r} failed: {describe(error)}"
                ) from None
            if blames_a_row(error):
                raise RowRefusedError(describe(error)) from None
            raise LedgerError(
                f"Writing into the ledger {self._described.name!r} failed: {describe(error)}"
            ) from None
        self._is_unclear = False
        self._day = exchange.now or self._day
        for each in closed:
            self._open_calls.pop(each.call_id, None)
        self._open_calls |= exchange.opened
        return grants

    def hand_in(self, closed: Sequence[ClosedCall]) -> Sequence[ClosedCall]:
        """Close calls of any run, as a journal has kept them; those that are closed already stay as they are.

        :return: those that the ledger does not know or does not take.
        """
        tables, _ = self._prepared()
        doing = f"handing a journal in to the ledger {self._described.name!r}"
        with database_errors(doing):
            return self._patience.wait_out(partial(hand_in, self._engine, tables, closed), doing)

    def claim_delivery(self) -> int | None:
        """Become the one that delivers to this run's target, or stay so, for the next minute."""
        return self._deliver(
            lambda connection, tables, list_id, target: deliveries.claim(
                connection, tables, list_id, target, self._session_id
            )
        )

    def note_delivery(self, version: int) -> None:
        """Write down that everything up to a version is delivered."""
        self._deliver(
            lambda connection, tables, list_id, target: deliveries.note(
                connection, tables, list_id, target, self._session_id, version
            )
        )

    def release_delivery(self) -> None:
        """Let another run deliver."""
        self._deliver(
            lambda connection, tables, list_id, target: deliveries.release(
                connection, tables, list_id, target, self._session_id
            )
        )

    def close_run(self, summary: RunSummary, *, whole: bool) -> None:
        """Write down how the run has ended."""
        tables, caller = self._prepared()

        def close() -> None:
            with self._engine.begin() as connection:
                end_run(connection, tables, caller, summary, whole)

        doing = f"writing down the run in the ledger {self._described.name!r}"
        with database_errors(doing):
            self._patience.wait_out(close, doing)

    def _deliver(self, do: Callable[[sa.Connection, LedgerTables, int, str], T]) -> T:
        tables, caller = self._prepared()
        target = self._run.target
        assert target is not None
        with (
            database_errors(f"noting a delivery in the ledger {self._described.name!r}"),
            self._engine.begin() as connection,
        ):
            return do(connection, tables, caller.list_id, target)

    def _prepared(self) -> tuple[LedgerTables, Caller]:
        assert self._opened is not None, "the ledger is prepared first"
        assert self._caller is not None
        return self._opened.tables, self._caller
