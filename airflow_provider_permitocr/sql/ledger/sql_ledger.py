"""A ledger in a database: what ``engine/ports.py`` asks of one."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.ledger.calls import (
    Attempt,
    CallIntent,
    ClosedCall,
    Exchanged,
    Grant,
    RunIdentity,
)
from airflow_provider_permitocr.engine.ledger.deliveries import Delivered
from airflow_provider_permitocr.engine.ledger.ports import KeptAnswers
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.engine.progress.facts import LedgerSums
from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.engine.run.window import DueFile, Leftovers, LeftRun, Window
from airflow_provider_permitocr.errors import (
    ConfigurationError,
    LedgerError,
    LedgerUnreachableError,
    TargetError,
)
from airflow_provider_permitocr.options.budget import Budget, NearCap
from airflow_provider_permitocr.options.ledger import Ledger, UnknownCalls
from airflow_provider_permitocr.options.lists.redo import Redo
from airflow_provider_permitocr.options.review import ReviewRule
from airflow_provider_permitocr.sql.database.failures import (
    blames_a_row,
    database_errors,
    describe,
    is_transient,
)
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.database.rights import require_rights
from airflow_provider_permitocr.sql.dialects.dataset import located
from airflow_provider_permitocr.sql.ledger.deliveries.sql_delivery import SqlDelivery
from airflow_provider_permitocr.sql.ledger.erasure.erasing import Erasing, SqlErasure
from airflow_provider_permitocr.sql.ledger.exchange.caller import Caller, day_period
from airflow_provider_permitocr.sql.ledger.exchange.exchange import Exchange, LedgerEmptiedError, OpenCall
from airflow_provider_permitocr.sql.ledger.exchange.halving import RowRefusedError, exchange_or_halve
from airflow_provider_permitocr.sql.ledger.exchange.hand_in import hand_in
from airflow_provider_permitocr.sql.ledger.exchange.statements import lock
from airflow_provider_permitocr.sql.ledger.lists.lists import ListIdentity, find_list, register_list
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.reading import LedgerReader
from airflow_provider_permitocr.sql.ledger.review.reviewing import SqlReview
from airflow_provider_permitocr.sql.ledger.runs.leftovers import close_left, take_leftovers, whole_runs
from airflow_provider_permitocr.sql.ledger.runs.runs import begin_run, end_run, first_start, say_alive
from airflow_provider_permitocr.sql.ledger.runs.sums import add_up
from airflow_provider_permitocr.sql.ledger.standing import standings
from airflow_provider_permitocr.sql.ledger.standing.delivered_answers import Keeping, delete_delivered
from airflow_provider_permitocr.sql.ledger.standing.disclosure import Disclosure
from airflow_provider_permitocr.sql.ledger.standing.doubts import examine_again
from airflow_provider_permitocr.sql.ledger.standing.redoing import count_redone, mark_redone
from airflow_provider_permitocr.sql.ledger.tables.clock import now
from airflow_provider_permitocr.sql.ledger.tables.preparation import prepare_tables
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

T = TypeVar("T")

#: How much longer a hold lasts than a call plus the patience for an unreachable ledger: the turn before, the
#: exchange after.
_HOLD_SECONDS: Final = 60.0
#: How long a run deletes answers at its end.
_DELETING_SECONDS: Final = 30.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LedgerRun:
    """Settings of a run's ledger.

    :param account: the account that pays for calls.
    :param files: what its window is written to.
    :param call_seconds: the longest that a call takes.
    :param disclosure: which parts of answers leave it.
    :param makes_calls: False: fill targets from existing answers, and register no run.
    """

    identity: ListIdentity
    account: str
    run: RunIdentity
    window: Window
    budget: Budget
    files: tuple[DueFile, ...] = ()
    call_seconds: float = 120.0
    disclosure: Disclosure = Disclosure()
    session_id: str = ""
    makes_calls: bool = True


class SqlLedger(LedgerReader):
    """The ledger of a ``Ledger``, for one run.

    :param engine: used only for the ledger.
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
        # Outside of Airflow a process is a separate run, and nothing fences it.
        identity = run.run if run.run.name else replace(run.run, run_id=session_id)
        super().__init__(
            engine,
            described,
            run_name=identity.name,
            session_id=session_id,
            disclosure=run.disclosure,
            patience=patience,
        )
        self._run = replace(run, run=identity)
        self._caller: Caller | None = None
        self._began_at = datetime.now(UTC)
        self._ledger_id = ""
        self._open_calls: dict[str, OpenCall] = {}
        self._near: list[NearCap] = []
        self._is_unclear = False
        self._day = datetime.now(UTC)
        self._timezone = run.budget.timezone
        self._one_at_a_time = threading.Lock()

    @property
    def ledger_id(self) -> str:
        """What journals know this ledger by; known once it is prepared."""
        return self._ledger_id

    def prepare(self, key_type: str | None, listed: int = 0) -> None:
        """Create what is missing, and make sure that this list, source, targets and run may use it.

        :param key_type: of the list's keys; None if the list is empty.
        :param listed: how many images this run's window has.
        :raises TargetError: naming what to change.
        :raises FencedError: when a newer try of this task has begun.
        :raises DatabaseError: when the database cannot be reached.
        """
        doing = f"preparing the ledger {self._described.name!r}"
        with database_errors(doing):
            tables = self._patience.wait_out(
                partial(prepare_tables, self._engine, self._described, self._timezone), doing
            )
            if self._run.makes_calls and self._described.days_kept is not None:
                self._require_deletable(tables)
            self._patience.wait_out(partial(self._begin, tables, key_type, listed), doing)

    def _require_deletable(self, tables: LedgerTables) -> None:
        named = f"the ledger's table {tables.answers.fullname!r}, because of keep_answers,"
        with self._engine.connect() as connection:
            require_rights(connection, tables.answers, named=named, with_delete=True)

    def _begin(self, tables: LedgerTables, key_type: str | None, listed: int) -> None:
        run = self._run
        with self._engine.begin() as connection:
            lock(connection, tables)
            state = tables.state.c
            ledger_id, timezone = connection.execute(sa.select(state.ledger_id, state.timezone)).one()
            self._require_timezone(timezone)
            identity = replace(run.identity, key_type=key_type)
            if not run.makes_calls and find_list(connection, tables, identity) is None:
                raise TargetError(
                    f"the ledger does not know the list {identity.name!r}, so it has no answers for it."
                    " A run recognizes its images; `airflow permitocr adopt DAG TASK` takes over a table"
                    " that another ledger filled"
                )
            list_id = register_list(connection, tables, identity)
            caller = Caller(
                list_id=list_id,
                account=run.account,
                run=run.run,
                session_id=self._session_id,
                budget=run.budget,
                timezone=timezone or self._timezone,
                hold=timedelta(
                    seconds=run.call_seconds + self._patience.seconds + _HOLD_SECONDS,
                ),
                unknown_calls=UnknownCalls(self._described.unknown_calls),
            )
            self._began_at = now(connection)
            if run.makes_calls:
                begin_run(connection, tables, caller, run.window, listed=listed, files=run.files)
        self._caller, self._ledger_id = caller, ledger_id
        self._where = tables, list_id

    def _require_timezone(self, timezone: str | None) -> None:
        budget = self._run.budget
        if timezone and budget.max_calls_per_day is not None and timezone != budget.timezone:
            raise ConfigurationError(
                f"The ledger {self._described.name!r} counts days in {timezone}, but Budget(timezone=...)"
                f" is {budget.timezone}. Give all tasks of a ledger the same timezone."
            )

    def exchange(
        self,
        intents: Sequence[CallIntent],
        closed: Sequence[ClosedCall],
        attempts: Sequence[Attempt],
    ) -> Exchanged:
        """Write closed calls and attempts, and intents as far as they are granted, in one transaction.

        If the database refuses a row for its values, a binary search isolates it; the other rows are written.

        :raises LedgerUnreachableError: when a retry may succeed.
        :raises LedgerError: when the database refuses permanently.
        """
        with self._one_at_a_time:
            exchanged = exchange_or_halve(self._once, intents, closed, attempts)
            # Not before: any part of a halved exchange may be the one whose commit got no answer.
            self._is_unclear = False
            near, self._near = tuple(self._near), []
        return replace(exchanged, near=near)

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
            if is_transient(error):
                raise LedgerUnreachableError(
                    f"Writing into the ledger {self._described.name!r} failed: {describe(error)}"
                ) from None
            if blames_a_row(error):
                raise RowRefusedError(describe(error)) from None
            raise LedgerError(
                f"Writing into the ledger {self._described.name!r} failed: {describe(error)}"
            ) from None
        self._day = exchange.now or self._day
        for each in closed:
            self._open_calls.pop(each.call_id, None)
        self._open_calls |= exchange.opened
        self._near += exchange.near
        return grants

    def hand_in(self, closed: Sequence[ClosedCall]) -> Sequence[ClosedCall]:
        """Close calls of any run from a journal; calls that are already closed stay unchanged.

        :return: those that the ledger does not know or refuses.
        """
        tables, _ = self._prepared()
        doing = f"handing a journal in to the ledger {self._described.name!r}"
        with database_errors(doing):
            return self._patience.wait_out(partial(hand_in, self._engine, tables, closed), doing)

    def delivery(self, target: str, *, keeps_history: bool = False) -> SqlDelivery:
        """Return the state of a target of this list.

        :param keeps_history: the target has a row for each recognition.
        """
        return SqlDelivery(
            self._engine,
            self._known_list,
            lambda: self._began_at,
            target=target,
            session_id=self._session_id,
            keeps_history=keeps_history,
            disclosure=self._disclosure,
        )

    def leftovers(self) -> Leftovers:
        """Take over what earlier runs have left that no living run has taken."""
        return self._change(
            "taking over what earlier runs have left in",
            lambda connection, tables, caller: take_leftovers(
                connection,
                tables,
                caller,
                self._run.window.shard,
                is_query=self._run.identity.is_query,
            ),
        )

    def unsettled(self, after: RowKey | None, most: int, *, only_redone: bool = False) -> Sequence[RowKey]:
        """Return images to try again or to redo, by key, but for those that this run has tried."""
        return self._unsettled(self._began_at, after, most, only_redone=only_redone)

    def count_redone(self, redo: Redo) -> int:
        """Count the images that ``mark_redone`` would mark."""
        return self._change("counting images to redo in", partial(self._redone, redo, count_redone))

    def mark_redone(self, redo: Redo) -> int:
        """Mark images to recognize again; by default those last called for before this run."""
        return self._change("marking images to redo in", partial(self._redone, redo, mark_redone))

    def _redone(
        self,
        redo: Redo,
        do: Callable[[OpenList, Redo, datetime], int],
        connection: sa.Connection,
        tables: LedgerTables,
        caller: Caller,
    ) -> int:
        # This DAG run's calls always count as recent: its next try would pay for them again.
        before = first_start(connection, tables, caller) or self._began_at
        return do(OpenList(connection, tables, caller.list_id), redo, min(before, redo.moment or before))

    def close_left(self, left: LeftRun) -> None:
        """Write down that a window which was taken over is whole, and its files with it."""
        self._change(
            "writing down a run in",
            lambda connection, tables, caller: close_left(connection, tables, caller, left),
        )

    @property
    def answers_table(self) -> str:
        """The table that keeps answers, with its schema; known once it is prepared."""
        return located(self._engine, self._prepared()[0].answers.fullname)

    def kept_answers(self) -> KeptAnswers:
        """Count the answers that are in force, by what is left of them."""
        return self._read(standings.count_answers, KeptAnswers())

    def examine_again(self) -> int:
        """Examine all answers in force again, so that reviews ask about what is doubtful now.

        :return: images about which something else is known since.
        """
        tables, caller = self._prepared()

        def change(do: Callable[[OpenList], None]) -> None:
            self._change(
                "examining answers again in",
                lambda connection, *_: do(OpenList(connection, tables, caller.list_id)),
            )

        def read(do: Callable[[OpenList], list[Delivered]]) -> list[Delivered]:
            return self._read(do, [])

        return examine_again(read, change, tables, self._disclosure.reading)

    def whole_runs(self) -> Sequence[LeftRun]:
        """Return runs of this list whose window is complete and was written to files, oldest first."""
        is_query = self._run.identity.is_query
        return self._read(lambda opened: whole_runs(opened, is_query=is_query), [])

    def erasure(self, erasing: Erasing) -> SqlErasure:
        """Return an erasure of this list; the ledger is prepared first."""
        return SqlErasure(self._engine, self._known_list, erasing, patience=self._patience)

    def review(self, rule: ReviewRule, asker: RunIdentity) -> SqlReview:
        """Return a question about readings of this list; the ledger is prepared first."""
        return SqlReview(
            self._engine, self._known_list, rule, asker, disclosure=self._disclosure, patience=self._patience
        )

    def keep_alive(self) -> None:
        """Send this run's heartbeat; after two minutes without one, other runs take over what it holds.

        :raises LedgerUnreachableError: when the ledger cannot be reached.
        """
        tables, caller = self._prepared()
        try:
            with self._engine.begin() as connection:
                say_alive(connection, tables, caller)
        except SQLAlchemyError as error:
            raise LedgerUnreachableError(
                f"Writing into the ledger {self._described.name!r} failed: {describe(error)}"
            ) from None

    def close_run(self, summary: RunSummary, *, whole: bool, left: int = 0) -> None:
        """Write down how the run has ended."""
        self._change(
            "writing down the run in",
            lambda connection, tables, caller: end_run(connection, tables, caller, summary, whole, left=left),
        )

    def delete_delivered(self) -> None:
        """Delete answers that must not be kept; the next run deletes what takes too long now."""
        if (days := self._described.days_kept) is None:
            return
        tables, caller = self._prepared()
        until = time.monotonic() + _DELETING_SECONDS
        keeping = Keeping(days, self._session_id)
        doing = f"deleting delivered answers from the ledger {self._described.name!r}"
        with database_errors(doing):
            done = self._patience.wait_out(
                lambda: delete_delivered(
                    self._engine, tables, caller.list_id, keeping, is_over=lambda: time.monotonic() > until
                ),
                doing,
            )
        _log.info("Deleted %s that every target has", many(done.answers, "answer"))
        if done.waiting:
            _log.info("Answers that are delivered are kept for now: %s", done.waiting)

    def sums(self) -> LedgerSums | None:
        """Sum up what concerns more than this run; None until it is prepared."""
        if self._where is None or self._caller is None:
            return None
        with (
            database_errors(f"adding up the ledger {self._described.name!r}"),
            self._engine.connect() as connection,
        ):
            return add_up(connection, self._where[0], self._caller)

    def _change(self, doing: str, do: Callable[[sa.Connection, LedgerTables, Caller], T]) -> T:
        """Do something under the ledger's lock; it may be done twice."""
        tables, caller = self._prepared()

        def change(connection: sa.Connection) -> T:
            lock(connection, tables)
            return do(connection, tables, caller)

        named = f"{doing} the ledger {self._described.name!r}"
        with database_errors(named):
            return self._patience.write(self._engine, change, named)

    def _prepared(self) -> tuple[LedgerTables, Caller]:
        assert self._where is not None, "the ledger is prepared first"
        assert self._caller is not None
        return self._where[0], self._caller

    def _known_list(self) -> tuple[LedgerTables, int]:
        tables, caller = self._prepared()
        return tables, caller.list_id
