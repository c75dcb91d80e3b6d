"""Recognizes a list under a new name or from a new source, once the user confirms that it is the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.sql.ledger.lists.lists import (
    KnownList,
    ListIdentity,
    add_targets,
    list_named,
    lists_delivered_to,
    lists_read_from,
    register_list,
    require_short_names,
)
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

_NAMES_SHOWN: Final = 5


@dataclass(frozen=True)
class TakenList:
    """A list after it was taken over.

    :param known_as: its name before; None: it was not renamed.
    :param read_from: its source before, in words; None: it has the same.
    """

    list_id: int
    known_as: str | None = None
    read_from: str | None = None


def take_list(connection: sa.Connection, tables: LedgerTables, identity: ListIdentity) -> TakenList:
    """Give a known list the name, source and target that it is described with now; or write down a new one.

    :param connection: its transaction holds the ledger's lock.
    :raises TargetError: when it is not clear which list that is, or two lists would become one.
    """
    require_short_names(identity)
    known = list_named(connection, tables, identity.name)
    if known is None:
        known = _other_name(connection, tables, identity)
    if known is None:
        # The same check found nothing to refuse about a default name just now.
        return TakenList(register_list(connection, tables, replace(identity, is_default_name=False)))
    for other, target in lists_delivered_to(connection, tables, identity.targets):
        if other.list_id != known.list_id:
            raise TargetError(
                f"the ledger knows both the list {known.name!r} and the list {other.name!r}, which goes into"
                f" {target!r}, and cannot merge them; give this task list={other.name!r}, or another result"
                " table"
            )
    _update(connection, tables, known, identity)
    _move_target(OpenList(connection, tables, known.list_id), identity)
    return TakenList(
        known.list_id,
        None if known.name == identity.name else known.name,
        None if known.is_read_from(identity) else known.source,
    )


def _other_name(connection: sa.Connection, tables: LedgerTables, identity: ListIdentity) -> KnownList | None:
    """Find the list by its target, or, unless somebody has given it a name, by its source."""
    found = [each for each, _ in lists_delivered_to(connection, tables, identity.targets)]
    if not found and identity.is_default_name:
        found = lists_read_from(connection, tables, identity)
    names = sorted({each.name for each in found})
    if len(names) > 1:
        raise TargetError(
            f"the ledger knows more than one list of {identity.source}:"
            f" {', '.join(map(repr, names[:_NAMES_SHOWN]))}; name the right one with list="
        )
    return found[0] if found else None


def _update(
    connection: sa.Connection, tables: LedgerTables, known: KnownList, identity: ListIdentity
) -> None:
    lists = tables.lists
    connection.execute(
        sa.update(lists)
        .where(lists.c.list_id == known.list_id)
        .values(
            name=identity.name,
            source_conn_id=identity.source_conn_id,
            source_table=identity.source_table,
            key_column=identity.key_column,
            # If the database does not know it, the next run reports that.
            key_type=identity.key_type,
        )
    )


def _move_target(opened: OpenList, identity: ListIdentity) -> None:
    """Match the only missing target with the only new one: its table or connection was renamed."""
    table = opened.tables.deliveries
    of_list = table.c.list_id == opened.list_id
    known = set(opened.connection.execute(sa.select(table.c.target).where(of_list)).scalars())
    gone, new = known.difference(identity.targets), set(identity.targets).difference(known)
    if len(gone) == len(new) == 1:
        opened.connection.execute(
            sa.update(table)
            .where(of_list, table.c.target == gone.pop())
            .values(target=new.pop(), session_id=None, session_until=None)
        )
    add_targets(opened, identity.targets)
