"""The ledger in a database: intents, results, caps and claims, each exchange in one transaction."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.core.calls import (
    NOT_SENT,
    CallIntent,
    CallResult,
    Grant,
    RunIdentity,
)
from airflow_provider_permitocr.core.spending import Spending
from airflow_provider_permitocr.sql.budget import Allowance, Budget, LockMissingError, day_of, run_of
from airflow_provider_permitocr.sql.calls_table import CallsTable, UnknownCalls
from airflow_provider_permitocr.sql.claims import Claims
from airflow_provider_permitocr.sql.error_codes import blames_a_row
from airflow_provider_permitocr.sql.errors import (
    DatabaseError,
    database_errors,
    describe,
    keep_rows_out_of_the_log,
)
from airflow_provider_permitocr.sql.ledger_preparation import prepare_tables
from airflow_provider_permitocr.sql.ledger_schema import calls_table
from airflow_provider_permitocr.sql.patience import PATIENCE_SECONDS, wait_out
from airflow_provider_permitocr.sql.times import as_utc

#: How long a call of another process keeps this one from its image: as long as it may take, with some time
#: for its turn before, and long enough for its row to be written where the result's database was away.
_LEASE_SECONDS: Final = 150.0
_BESIDE_A_CALL_SECONDS: Final = 30.0
_LONGEST_CODE: Final = 250


class SqlLedgerTable:
    """The ledger of a ``CallsTable``, on any database that SQLAlchemy speaks to and that keeps keys unique.

    :param account: whose calls these are; days are counted for each account on its own.
    :param run: who makes them.
    :param stop: ends the waiting for a database that is away.
    :param patience_seconds: how long to wait for one.
    :param call_seconds: the longest that a call takes.
    :param now: the time of day, in UTC.
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
        patience_seconds: float = PATIENCE_SECONDS,
        call_seconds: float = 120.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        keep_rows_out_of_the_log()
        self._engine, self._described = engine, described
        self._account, self._run, self._spending = account, run, spending
        self._now = now
        self._session_id = uuid.uuid4().hex
        self._calls = calls_table(described.table)
        self._budget = Budget(described.table, account)
        self._run_period = run_of(run, otherwise=self._session_id)
        lease = timedelta(seconds=max(_LEASE_SECONDS, call_seconds + _BESIDE_A_CALL_SECONDS))
        self._claims = Claims(run, self._session_id, lease, UnknownCalls(described.unknown_calls))
        self._wait_out = partial(wait_out, stop=stop, patience_seconds=patience_seconds)

    def prepare(self) -> None:
        """Create the two tables where they are missing, and check those that are there.

        :raises TargetError: naming what to change.
        :raises DatabaseError: when the database cannot be reached.
        """
        doing = f"preparing the call ledger {self._described.table!r}"
        with database_errors(doing):
            without_zone = self._wait_out(partial(prepare_tables, self._engine, self._described), doing=doing)
            self._wait_out(partial(self._budget.make_lock, self._engine), doing=doing)
        self._calls = calls_table(self._described.table, without_zone=without_zone)

    def exchange(self, intents: Sequence[CallIntent], results: Sequence[CallResult]) -> Sequence[Grant]:
        """Write results of earlier calls, and intents as far as they are granted, in one transaction.

        :return: a grant for each intent, in their order.
        :raises DatabaseError: when the database cannot be reached for longer than patience lasts, or refuses.
        """
        if not intents and not results:
            return []
        try:
            return self._exchange_or_halve(intents, results)
        except SQLAlchemyError as error:
            raise DatabaseError(
                f"writing into the call ledger {self._described.table!r} failed: {describe(error)}"
                f"{_consequences(intents, results)}"
            ) from None

    def _exchange_or_halve(self, intents: Sequence[CallIntent], results: Sequence[CallResult]) -> list[Grant]:
        """Leave out the intents that the table refuses for what their keys hold."""
        try:
            return self._exchange_patiently(intents, results)
        except (SQLAlchemyError, ValueError, OverflowError) as error:
            if not intents or not blames_a_row(error):
                raise
        if len(intents) == 1:
            self._exchange_patiently([], results)
            return [Grant.REFUSED]
        half = len(intents) // 2
        return self._exchange_or_halve(intents[:half], results) + self._exchange_or_halve(intents[half:], [])

    def _exchange_patiently(
        self, intents: Sequence[CallIntent], results: Sequence[CallResult]
    ) -> list[Grant]:
        is_repeated = False

        def do() -> list[Grant]:
            nonlocal is_repeated
            was_tried, is_repeated = is_repeated, True
            try:
                return self._exchange_once(intents, results, is_repeated=was_tried)
            except LockMissingError:
                self._budget.make_lock(self._engine)
                return self._exchange_once(intents, results, is_repeated=was_tried)

        return self._wait_out(do, doing=f"writing into the call ledger {self._described.table!r}")

    def _exchange_once(
        self, intents: Sequence[CallIntent], results: Sequence[CallResult], *, is_repeated: bool
    ) -> list[Grant]:
        """Do all in one transaction, which may be done again where nobody knows whether it was committed."""
        with self._engine.begin() as connection:
            self._budget.lock(connection)
            written = self._written(connection, intents) if is_repeated else set()
            asked = [intent for intent in intents if intent.call_id not in written]
            unsent = self._unsent(connection, results)
            intended = unsent | {intent.call_id: intent.intended_at for intent in asked}
            days = {call_id: day_of(as_utc(at), self._spending) for call_id, at in intended.items()}
            known = self._budget.read_locked(connection, {*days.values(), self._run_period})
            allowance = Allowance(self._spending, known)
            for call_id in unsent:
                allowance.give_back(days[call_id], self._run_period)
            against = self._claims.judge(connection, self._calls, asked, self._now()) if asked else {}
            for intent in asked:
                if intent.call_id not in against and not allowance.take(
                    days[intent.call_id], self._run_period
                ):
                    against[intent.call_id] = Grant.CAPPED
            self._close(connection, results)
            self._open(connection, [intent for intent in asked if intent.call_id not in against])
            self._budget.add(connection, allowance.changes, known)
        return [against.get(intent.call_id, Grant.GRANTED) for intent in intents]

    def _written(self, connection: sa.Connection, intents: Sequence[CallIntent]) -> set[str]:
        """Return which intents are written already, by a transaction of whose commit nothing was heard."""
        if not intents:
            return set()
        call_id = self._calls.c.call_id
        statement = sa.select(call_id).where(call_id.in_([intent.call_id for intent in intents]))
        return set(connection.execute(statement).scalars())

    def _unsent(self, connection: sa.Connection, results: Sequence[CallResult]) -> dict[str, datetime]:
        """Return when the calls were intended that are counted and were not made.

        One that is closed already has been given back.
        """
        not_sent = [result.call_id for result in results if result.code == NOT_SENT]
        if not not_sent:
            return {}
        columns = self._calls.c
        statement = sa.select(columns.call_id, columns.intended_at).where(
            columns.call_id.in_(not_sent), columns.code.is_(None)
        )
        return {row.call_id: row.intended_at for row in connection.execute(statement)}

    def _close(self, connection: sa.Connection, results: Sequence[CallResult]) -> None:
        if not results:
            return
        columns = self._calls.c
        update = (
            sa.update(self._calls)
            .where(columns.call_id == sa.bindparam("of_call"))
            .values(
                {
                    name: sa.bindparam(f"new_{name}")
                    for name in ("code", "billed", "request_id", "answered_at")
                }
            )
        )
        connection.execute(
            update,
            [
                {
                    "of_call": result.call_id,
                    "new_code": _storable(result.code),
                    "new_billed": None if result.billed is None else int(result.billed),
                    "new_request_id": result.request_id and _storable(result.request_id),
                    "new_answered_at": as_utc(result.answered_at).astimezone(UTC),
                }
                for result in results
            ],
        )

    def _open(self, connection: sa.Connection, intents: Sequence[CallIntent]) -> None:
        if not intents:
            return
        run = self._run
        made_by = {
            **{"account": self._account, "session_id": self._session_id},
            **{"dag_id": run.dag_id, "task_id": run.task_id, "run_id": run.run_id},
            **{"map_index": run.map_index, "task_try": run.try_number},
        }
        rows = [
            {
                "call_id": intent.call_id,
                "image_key": intent.row_key[0],
                "card_side": intent.row_key[1].value,
                "image_digest": intent.image_digest,
                "intended_at": as_utc(intent.intended_at).astimezone(UTC),
                **made_by,
            }
            for intent in intents
        ]
        connection.execute(sa.insert(self._calls), rows)


def _consequences(intents: Sequence[CallIntent], results: Sequence[CallResult]) -> str:
    """Say what it means that an exchange was not written."""
    not_made = f"; {len(intents)} calls were not made, as none is made that is not written there first"
    still_open = (
        f"; the outcome of {len(results)} calls is not written there, so that they stay open (code IS"
        " NULL), though their answers go into the result"
    )
    return (not_made if intents else "") + (still_open if results else "")


def _storable(text: str) -> str:
    """Take out of a service's text what some databases refuse: one of them must not cost the other rows."""
    plain = text.encode("utf-8", "replace").decode().replace("\x00", "")
    return plain[:_LONGEST_CODE]
