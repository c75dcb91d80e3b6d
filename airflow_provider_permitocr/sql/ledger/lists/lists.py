"""Image lists of a ledger: what identifies them, and which are refused before the first call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.tables.clock import now
from airflow_provider_permitocr.sql.ledger.tables.schema import LONGEST_NAME, LedgerTables

_ADOPT: Final = "airflow permitocr adopt DAG TASK"


@dataclass(frozen=True)
class ListIdentity:
    """A list as a run describes it.

    :param name: ``list=`` of the operator, or by default its target.
    :param is_default_name: the operator does not set ``list=``.
    :param source_table: None: a query.
    :param key_type: of its keys; None if the list is empty.
    :param targets: the result tables that it is delivered to, as ``resolved_name`` names them.
    """

    name: str
    is_default_name: bool
    source_conn_id: str
    source_table: str | None
    key_column: str
    key_type: str | None = None
    targets: tuple[str, ...] = ()

    @property
    def is_query(self) -> bool:
        """Whether it is read by a query, whose rows the ledger doesn't know."""
        return self.source_table is None

    @property
    def source(self) -> str:
        """The source in words."""
        return describe_source(self.source_conn_id, self.source_table, self.key_column)


@dataclass(frozen=True)
class KnownList:
    """A list as the ledger knows it."""

    list_id: int
    name: str
    source_conn_id: str
    source_table: str | None
    key_column: str
    key_type: str | None

    @property
    def source(self) -> str:
        """The source in words."""
        return describe_source(self.source_conn_id, self.source_table, self.key_column)

    def is_read_from(self, identity: ListIdentity) -> bool:
        """Whether this is the source of a list that a run describes."""
        return (self.source_conn_id, self.source_table, self.key_column) == (
            *(identity.source_conn_id, identity.source_table),
            identity.key_column,
        )


def target_name(target: ResultTable) -> str:
    """Name a result table as written, whichever table its database resolves that to."""
    return f"{target.conn_id}:{target.table}"


def describe_source(conn_id: str, table: str | None, key_column: str) -> str:
    """Describe the source of a list."""
    what = f"table {table!r}" if table is not None else "a query"
    return f"{what} of connection {conn_id!r}, key {key_column!r}"


def register_list(connection: sa.Connection, tables: LedgerTables, identity: ListIdentity) -> int:
    """Find or register the list, with its targets.

    :param connection: its transaction holds the ledger's lock.
    :return: the list's number.
    :raises TargetError: when the name belongs to another list, or the list has another name.
    """
    known = find_list(connection, tables, identity)
    if known is None:
        list_id = _insert(connection, tables, identity)
    else:
        list_id = known.list_id
        if known.key_type is None and identity.key_type is not None:
            lists = tables.lists
            connection.execute(
                sa.update(lists).where(lists.c.list_id == list_id).values(key_type=identity.key_type)
            )
    add_targets(OpenList(connection, tables, list_id), identity.targets)
    return list_id


def find_list(connection: sa.Connection, tables: LedgerTables, identity: ListIdentity) -> KnownList | None:
    """Find the list, and make sure that a run may use it. Changes nothing.

    :return: None if it is new.
    :raises TargetError: when the name belongs to another list, or the list has another name.
    """
    require_short_names(identity)
    require_different_targets(identity)
    known = list_named(connection, tables, identity.name)
    if known is not None:
        _require_same(known, identity)
    elif identity.is_default_name:
        _require_unknown_source(connection, tables, identity)
    _require_free_targets(connection, tables, known, identity)
    return known


def list_named(connection: sa.Connection, tables: LedgerTables, name: str) -> KnownList | None:
    """Return the list of a name."""
    found = select_lists(connection, tables, tables.lists.c.name == name)
    return found[0] if found else None


def lists_read_from(
    connection: sa.Connection, tables: LedgerTables, identity: ListIdentity
) -> list[KnownList]:
    """Return the lists that have the same table as their source; the text of a query is not known."""
    if identity.is_query:
        return []
    lists = tables.lists.c
    return select_lists(
        connection,
        tables,
        sa.and_(
            lists.source_conn_id == identity.source_conn_id,
            lists.source_table == identity.source_table,
            lists.key_column == identity.key_column,
        ),
    )


def lists_delivered_to(
    connection: sa.Connection, tables: LedgerTables, targets: Sequence[str]
) -> list[tuple[KnownList, str]]:
    """Return the lists that are delivered to one of these targets, each with that target."""
    deliveries = tables.deliveries.c
    statement = sa.select(deliveries.list_id, deliveries.target).where(deliveries.target.in_(targets))
    found = [(list_id, target) for list_id, target in connection.execute(statement)] if targets else []
    numbers = [list_id for list_id, _ in found]
    lists = {
        each.list_id: each for each in select_lists(connection, tables, tables.lists.c.list_id.in_(numbers))
    }
    return [(lists[list_id], target) for list_id, target in found if list_id in lists]


def select_lists(
    connection: sa.Connection, tables: LedgerTables, condition: sa.ColumnElement[bool]
) -> list[KnownList]:
    """Return lists, the oldest first."""
    lists = tables.lists.c
    statement = sa.select(
        *(lists.list_id, lists.name, lists.source_conn_id, lists.source_table),
        *(lists.key_column, lists.key_type),
    ).where(condition)
    return [KnownList(*row) for row in connection.execute(statement.order_by(lists.list_id))]


def add_targets(opened: OpenList, targets: Sequence[str]) -> None:
    """Register new targets of a list: nothing has been delivered to them yet."""
    deliveries = opened.tables.deliveries
    statement = sa.select(deliveries.c.target).where(deliveries.c.list_id == opened.list_id)
    known = set(opened.connection.execute(statement).scalars())
    if not (new := [target for target in targets if target not in known]):
        return
    last = opened.connection.execute(sa.select(sa.func.max(deliveries.c.delivery_id))).scalar() or 0
    rows = [
        {"list_id": opened.list_id, "target": target, "delivery_id": last + number, "version": 0}
        for number, target in enumerate(new, 1)
    ]
    opened.connection.execute(sa.insert(deliveries), rows)


def require_short_names(identity: ListIdentity) -> None:
    """Refuse values that the ledger's columns cannot store.

    :raises TargetError: naming what is too long.
    """
    named = {
        "the name of the list, list=": identity.name,
        "the name of the image list's table": identity.source_table or "",
        "the name of the key column": identity.key_column,
        "the name of its result table": max(identity.targets, key=len, default=""),
    }
    for what, value in named.items():
        if len(value) > LONGEST_NAME:
            raise TargetError(f"{what} is longer than {LONGEST_NAME} characters; give a shorter one")


def require_different_targets(identity: ListIdentity) -> None:
    """Refuse a table that is listed twice, in any spelling.

    :raises TargetError: naming the table.
    """
    for target in identity.targets:
        if identity.targets.count(target) > 1:
            raise TargetError(f"the result table {target!r} is named twice as a target; name it once")


def _require_same(known: KnownList, identity: ListIdentity) -> None:
    if not known.is_read_from(identity):
        other = "a list= of its own" if identity.is_default_name else "another list="
        raise TargetError(
            f"the ledger knows the list {known.name!r} with another source: {known.source}. This task reads"
            f" {identity.source}. If it is another list, give it {other}; if the source was renamed, run"
            f" {_ADOPT}; otherwise correct the DAG"
        )
    if None not in (known.key_type, identity.key_type) and known.key_type != identity.key_type:
        raise TargetError(
            f"the keys of the list {known.name!r} were of type {known.key_type} so far, and are of type"
            f" {identity.key_type} now, so images would not be found again. Correct the list; if both"
            f" read the same as text, run {_ADOPT}; to start again, give another list="
        )


def _require_unknown_source(connection: sa.Connection, tables: LedgerTables, identity: ListIdentity) -> None:
    for known in lists_read_from(connection, tables, identity):
        raise TargetError(
            f"the ledger knows the image list of {identity.source} as {known.name!r} already. Under its"
            f" default name {identity.name!r} each image would be paid for again. Give"
            f" list={known.name!r} to continue the known list; run {_ADOPT} to rename it; or give another"
            " list= to start a second list that pays again"
        )


def _require_free_targets(
    connection: sa.Connection, tables: LedgerTables, known: KnownList | None, identity: ListIdentity
) -> None:
    for other, target in lists_delivered_to(connection, tables, identity.targets):
        if known is None or other.list_id != known.list_id:
            raise TargetError(
                f"the result table {target!r} gets the list {other.name!r} already ({other.source}), and two"
                f" lists in one table would overwrite each other's rows. Give list={other.name!r} to continue"
                f" that list; run {_ADOPT} to rename it; or correct the DAG: give this list its own table"
            )


def _insert(connection: sa.Connection, tables: LedgerTables, identity: ListIdentity) -> int:
    lists = tables.lists
    highest = connection.execute(sa.select(sa.func.max(lists.c.list_id))).scalar()
    list_id = max(highest or 0, 0) + 1
    row = {
        "list_id": list_id,
        "name": identity.name,
        "source_conn_id": identity.source_conn_id,
        "source_table": identity.source_table,
        "key_column": identity.key_column,
        "key_type": identity.key_type,
        "created_at": now(connection),
    }
    connection.execute(sa.insert(lists), [row])
    return list_id
