"""Small tables beside a result table: what a ledger's calls cost, and how long they took.

They are tables, not views, because the ledger may be in another database. They outlive pruned calls.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from airflow_provider_permitocr.engine.analytics.figures import CostLine, HourLine
from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.targets.result_table import ResultTable, split_schema
from airflow_provider_permitocr.sql.analytics import call_sums
from airflow_provider_permitocr.sql.analytics.definitions import COST, OF_LEDGERS, PACE, Analysis
from airflow_provider_permitocr.sql.database.changes import Change, carry_out
from airflow_provider_permitocr.sql.database.failures import database_errors
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.database.rights import raise_refusal, require_rights
from airflow_provider_permitocr.sql.database.types import TYPES
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.dialects.reflection import RelationKind
from airflow_provider_permitocr.sql.ledger.tables.preparation import read_state
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables, ledger_tables
from airflow_provider_permitocr.sql.source.times import as_utc
from airflow_provider_permitocr.sql.targets.result_schema import TABLE_OPTIONS

#: One of the two kinds of lines.
Line = TypeVar("Line", bound="CostLine | HourLine")
_LINE: Final = "line"


class FilledLists(NamedTuple):
    """The lists that fill a result table.

    :param key_type: the ledger's name for the type of their keys; None: they differ, or are unknown.
    """

    list_ids: frozenset[int]
    key_type: str | None


def lists_of(
    ledger: sa.Engine, described: Ledger, target: ResultTable, named: str, patience: Patience = Patience(0)
) -> FilledLists:
    """Find the lists that fill a result table.

    :param ledger: engine of the ledger.
    :param named: the ledger's name for the result table.
    :raises TargetError: when there is no such ledger, or it doesn't fill this table.
    :raises DatabaseError: when the database cannot be reached.
    """
    tables = ledger_tables(described.name)
    deliveries, lists = tables.deliveries.c, tables.lists.c

    def find(connection: sa.Connection) -> Sequence[Any] | None:
        inspector = sa.inspect(connection)
        if not all(inspector.has_table(each.name, each.schema) for each in tables):
            return None
        read_state(connection, described, tables)
        known = sa.select(lists.list_id, lists.key_type).join(
            tables.deliveries, deliveries.list_id == lists.list_id
        )
        return connection.execute(known.where(deliveries.target == named)).all()

    doing = f"looking at the ledger {described.name!r}"
    with database_errors(doing):
        is_missing = database_of(ledger).missing_file(ledger) is not None
        found = None if is_missing else patience.read(ledger, find, doing)
    if found is None:
        raise TargetError(
            f"there is no ledger {described.name!r} in connection {described.conn_id!r}; run the recognizing"
            f" task once, or name its ledger: ledger=Ledger(...)"
        )
    if not found:
        raise TargetError(
            f"the ledger {described.name!r} fills no result table {target.table!r} of connection"
            f" {target.conn_id!r}; name the target and the ledger as the recognizing task does"
        )
    key_types = {row.key_type for row in found}
    return FilledLists(
        frozenset(row.list_id for row in found), key_types.pop() if len(key_types) == 1 else None
    )


class SqlCallTables:
    """The small tables beside a result table.

    :param engine: of the result table.
    :param ledger: engine of the ledger.
    :param tables: the ledger's tables.
    :param list_ids: the lists whose calls count.
    :param zone: a day begins at midnight in this time zone.
    """

    def __init__(
        self,
        engine: sa.Engine,
        described: ResultTable,
        *,
        ledger: sa.Engine,
        tables: LedgerTables,
        list_ids: Collection[int],
        zone: ZoneInfo,
        patience: Patience = Patience(0),
    ) -> None:
        self._engine, self._ledger = engine, ledger
        self._of_ledger, self._list_ids, self._zone = tables, list_ids, zone
        self._patience = patience.at_least_briefly()
        self._tables = {each: small_table(each, described.table) for each in OF_LEDGERS}

    def check(self) -> None:
        """Check that their names are free. Changes nothing.

        :raises TargetError: naming what to change.
        :raises DatabaseError: when the database cannot be reached.
        """
        with database_errors("looking at the tables of calls"), self._engine.connect() as connection:
            for table in self._tables.values():
                self._is_there(connection, table)

    def fill(self) -> dict[str, int]:
        """Fill them from the ledger's current contents.

        :return: how many rows each has, by name.
        :raises TargetError: when a right is missing.
        :raises DatabaseError: when a database cannot be reached.
        """
        with database_errors("summing up the ledger's calls"):
            doing = "summing up the ledger's calls"
            costs, hours, pruned_before = self._patience.read(self._ledger, self._sums, doing)
        is_cut = partial(_is_cut, pruned_before=pruned_before, zone=self._zone)
        with database_errors("filling the tables of calls"):
            self._create()
            cost, pace = self._tables[COST], self._tables[PACE]
            return {
                cost.fullname: self._refill(cost, CostLine, costs, is_cut),
                pace.fullname: self._refill(pace, HourLine, hours, is_cut),
            }

    def _sums(self, connection: sa.Connection) -> tuple[list[CostLine], list[HourLine], datetime | None]:
        calls, state = self._of_ledger.calls, self._of_ledger.state.c
        # Read first: what is pruned meanwhile is noted before it goes.
        pruned_before = connection.execute(sa.select(state.pruned_before)).scalar()
        costs = call_sums.costs(connection, calls, self._list_ids, self._zone)
        return costs, call_sums.hours(connection, calls, self._list_ids), pruned_before

    def _create(self) -> None:
        def wanted(connection: sa.Connection) -> list[Change]:
            missing = (each for each in self._tables.values() if not self._is_there(connection, each))
            return [partial(table.create, checkfirst=False) for table in missing]

        try:
            carry_out(self._engine, wanted, "creating the tables of calls", self._patience)
        except SQLAlchemyError as error:
            raise_refusal(
                error,
                "the tables of calls could not be created",
                "grant the connection's user the right to create tables",
            )
        with self._engine.connect() as connection:
            for table in self._tables.values():
                named = f"the table of calls {table.fullname!r}"
                require_rights(connection, table, named=named, with_delete=True)

    def _is_there(self, connection: sa.Connection, table: sa.Table) -> bool:
        """Return whether there is such a table.

        :raises TargetError: when something else has its name.
        """
        database = database_of(connection)
        kind = database.relation_kind(connection, table.name, table.schema)
        if kind is None:
            return False
        found = {each.name for each in database.columns(connection, table.name, table.schema) or ()}
        if kind is RelationKind.VIEW or not found.issuperset(table.c.keys()):
            what = "a view" if kind is RelationKind.VIEW else "a table with other columns"
            raise TargetError(
                f"{table.fullname!r} is {what}; rename it, or drop it, to make room for this one"
            )
        return True

    def _refill(
        self,
        table: sa.Table,
        line: Callable[..., Line],
        new: Sequence[Line],
        is_cut: Callable[[date], bool],
    ) -> int:
        """Replace all rows in one transaction, so that readers never see a partial table."""

        def write(connection: sa.Connection) -> int:
            lines = _merged(read_lines(connection, table, line), new, is_cut)
            connection.execute(sa.delete(table))
            names = table.c.keys()
            rows = [dict(zip(names, (at, *each), strict=True)) for at, each in enumerate(lines, 1)]
            if rows:
                connection.execute(sa.insert(table), rows)
            return len(rows)

        doing = f"filling the table {table.fullname!r}"
        # Another task has just filled it; its rows are then there to be replaced.
        return self._patience.write(
            self._engine, write, doing, or_when=lambda error: isinstance(error, IntegrityError)
        )


def small_table(analysis: Analysis, beside: str) -> sa.Table:
    """Describe a small table.

    :param beside: name of the result table.
    """
    schema, name = split_schema(analysis.name_beside(beside))
    columns = (
        sa.Column(
            column.name,
            TYPES[column.kind],
            primary_key=column.name == _LINE,
            autoincrement=False,
            comment=column.comment,
        )
        for column in analysis.columns
    )
    return sa.Table(name, sa.MetaData(), *columns, schema=schema, comment=analysis.question, **TABLE_OPTIONS)


def read_lines(connection: sa.Connection, table: sa.Table, line: Callable[..., Line]) -> list[Line]:
    """Read a small table, in its order."""
    rows = connection.execute(sa.select(table).order_by(table.c.line))
    # Not every database keeps an hour's time zone, so hours are UTC.
    return [line(*(as_utc(each) if isinstance(each, datetime) else each for each in row[1:])) for row in rows]


def _merged(old: Sequence[Line], new: Sequence[Line], is_cut: Callable[[date], bool]) -> list[Line]:
    """Keep lines of times that the ledger has pruned: those before its first, and of others the fuller.

    Pruning leaves calls whose answer is in force, so any old time may have lost some of its calls.
    """
    if not new:
        return list(old)
    first = min(each.begin for each in new)

    def by_begin(lines: Sequence[Line]) -> dict[date, list[Line]]:
        found: dict[date, list[Line]] = {}
        for each in lines:
            found.setdefault(each.begin, []).append(each)
        return found

    now, before = by_begin(new), by_begin(old)
    kept = {begin: lines for begin, lines in before.items() if begin <= first or is_cut(begin)}
    return [
        each
        for begin in sorted(now.keys() | kept.keys())
        for each in max(now.get(begin, []), kept.get(begin, []), key=_fullness)
    ]


def _fullness(lines: Sequence[CostLine | HourLine]) -> tuple[int, int]:
    return sum(each.settled for each in lines), sum(each.calls for each in lines)


def _is_cut(begin: date, *, pruned_before: datetime | None, zone: ZoneInfo) -> bool:
    """Return whether calls of the day or hour that begins then may have been pruned."""
    if pruned_before is None:
        return False
    moment = as_utc(pruned_before)
    return begin < moment if isinstance(begin, datetime) else begin <= moment.astimezone(zone).date()
