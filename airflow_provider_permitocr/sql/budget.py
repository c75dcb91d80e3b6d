"""How many calls each day and each run of a ledger has made, and how many more its caps allow."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from airflow_provider_permitocr.core.calls import RunIdentity
from airflow_provider_permitocr.core.spending import Spending
from airflow_provider_permitocr.sql.calls_table import CallsTable
from airflow_provider_permitocr.sql.inspection import relation_kind
from airflow_provider_permitocr.sql.ledger_schema import LONGEST_PERIOD, budget_table


class Scope(StrEnum):
    """What a row of the budget is about."""

    DAY = "day"  #: all calls of an account in one day
    RUN = "run"  #: all calls of a run: of all its shards and tries
    LOCK = "lock"  #: none; whoever writes into the ledger holds this row, one after the other


class Period(NamedTuple):
    """What calls are counted by."""

    scope: Scope
    name: str


#: Its row is of no account.
_LOCK: Final = Period(Scope.LOCK, "")
#: A worker whose machine dies leaves its connection to the server's keepalive, which takes two hours; the
#: others wait for the row that it holds.
_POSTGRES_LIMITS: Final = (
    "SET LOCAL idle_in_transaction_session_timeout = '60s'; SET LOCAL lock_timeout = '30s'"
)


class LockMissingError(Exception):
    """The row that is locked is not there."""


def day_of(moment: datetime, spending: Spending) -> Period:
    """Return the day that a call counts for."""
    return Period(Scope.DAY, moment.astimezone(ZoneInfo(spending.timezone)).date().isoformat())


def run_of(run: RunIdentity, *, otherwise: str = "") -> Period:
    """Return the run that a call counts for.

    :param otherwise: names a run that has no name of its own.
    """
    name = f"{run.dag_id}/{run.task_id}/{run.run_id}"
    if name == "//":
        name = otherwise
    if len(name) > LONGEST_PERIOD:
        name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return Period(Scope.RUN, name)


@dataclass(frozen=True)
class CallsSoFar:
    """What counts towards the caps.

    :param day: calls of the account on the day.
    :param run: calls of the run.
    """

    day: int = 0
    run: int = 0


def calls_so_far(
    connection: sa.Connection,
    described: CallsTable,
    *,
    account: str,
    run: RunIdentity,
    spending: Spending,
    now: datetime,
) -> CallsSoFar:
    """Read what counts towards the caps. Changes nothing, and needs no ledger to be there.

    :param now: whose day is asked for.
    """
    budget = Budget(described.table, account)
    table = budget.table
    if relation_kind(connection, table.name, table.schema) is None:
        return CallsSoFar()
    day, of_run = day_of(now, spending), run_of(run)
    counted = budget.read(connection, [day, of_run])
    return CallsSoFar(counted.get(day, 0), counted.get(of_run, 0))


class Budget:
    """The rows that count an account's calls.

    :param calls_table: name of the table of calls.
    """

    def __init__(self, calls_table: str, account: str) -> None:
        self.table = budget_table(calls_table)
        self._account = account

    def make_lock(self, engine: sa.Engine) -> None:
        """Make the row that is locked, unless it is there."""
        row = {"account": "", "scope": _LOCK.scope.value, "period": _LOCK.name, "calls": 0}
        with engine.connect() as connection:
            if connection.execute(sa.select(self.table).where(self._is_lock())).first():
                return
        with suppress(IntegrityError), engine.begin() as connection:  # another makes it at the same moment
            connection.execute(sa.insert(self.table), [row])

    def lock(self, connection: sa.Connection) -> None:
        """Wait until nobody else writes into the ledger; nobody will until the transaction ends.

        It has to be a transaction's first statement: what it reads afterwards is then what all others have
        left, whatever its isolation.
        """
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(_POSTGRES_LIMITS)
        # DuckDB would leave out an update that changes nothing.
        update = sa.update(self.table).where(self._is_lock()).values(calls=self.table.c.calls + 1)
        connection.execute(update)

    def read(self, connection: sa.Connection, periods: Iterable[Period]) -> dict[Period, int]:
        """Return the calls of those periods that have any."""
        known = self._rows(connection, periods)
        known.pop(_LOCK, None)
        return known

    def read_locked(self, connection: sa.Connection, periods: Iterable[Period]) -> dict[Period, int]:
        """Return the calls of those periods that have any, after ``lock``.

        :raises LockMissingError: when there was nothing to lock.
        """
        known = self._rows(connection, periods)
        if _LOCK not in known:
            raise LockMissingError
        return known

    def _rows(self, connection: sa.Connection, periods: Iterable[Period]) -> dict[Period, int]:
        asked_for = {*periods, _LOCK}
        columns = self.table.c
        statement = sa.select(columns.scope, columns.period, columns.calls).where(
            columns.account.in_([self._account, ""]), columns.period.in_([each.name for each in asked_for])
        )
        rows = connection.execute(statement)
        found = {Period(Scope(scope), name): calls for scope, name, calls in rows}
        return {each: found[each] for each in asked_for if each in found}

    def add(
        self, connection: sa.Connection, changes: Mapping[Period, int], known: Mapping[Period, int]
    ) -> None:
        """Count calls, or take them back.

        :param known: periods that have a row.
        """
        columns = self.table.c
        update = (
            sa.update(self.table)
            .where(
                columns.account == self._account,
                columns.scope == sa.bindparam("of_scope"),
                columns.period == sa.bindparam("of_period"),
            )
            .values(calls=columns.calls + sa.bindparam("change"))
        )
        changed = [
            {"of_scope": scope.value, "of_period": name, "change": change}
            for (scope, name), change in changes.items()
            if change and (scope, name) in known
        ]
        added = [
            {"account": self._account, "scope": scope.value, "period": name, "calls": change}
            for (scope, name), change in changes.items()
            if change > 0 and (scope, name) not in known
        ]
        if changed:
            connection.execute(update, changed)
        if added:
            connection.execute(sa.insert(self.table), added)

    def _is_lock(self) -> sa.ColumnElement[bool]:
        columns = self.table.c
        return sa.and_(
            columns.account == "", columns.scope == _LOCK.scope.value, columns.period == _LOCK.name
        )


class Allowance:
    """What the caps still allow, counted down call by call.

    :param used: calls so far.
    """

    def __init__(self, spending: Spending, used: Mapping[Period, int]) -> None:
        self._caps = {Scope.DAY: spending.max_calls_per_day, Scope.RUN: spending.max_calls}
        self._used = Counter(used)
        #: What has been taken since, or given back.
        self.changes: Counter[Period] = Counter()

    def give_back(self, *periods: Period) -> None:
        """Count a call no longer."""
        for period in periods:
            self._used[period] -= 1
            self.changes[period] -= 1

    def take(self, *periods: Period) -> bool:
        """Count a call in all of these periods, if each allows one more."""
        for period in periods:
            cap = self._caps[period.scope]
            if cap is not None and self._used[period] >= cap:
                return False
        for period in periods:
            self._used[period] += 1
            self.changes[period] += 1
        return True
