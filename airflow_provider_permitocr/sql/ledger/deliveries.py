"""How far the targets of a list have been filled, and which process fills them: one at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.sql.ledger.now import now
from airflow_provider_permitocr.sql.ledger.schema import LedgerTables

#: How long a process that says nothing more is taken to be delivering.
CLAIM_SECONDS: Final = 60.0


def claim(
    connection: sa.Connection, tables: LedgerTables, list_id: int, target: str, session_id: str
) -> int | None:
    """Become the process that delivers to a target, or stay so.

    :return: the version up to which all is delivered; None: another process delivers.
    """
    deliveries = tables.deliveries
    moment = now(connection)
    is_free = sa.or_(
        deliveries.c.session_id.is_(None),
        deliveries.c.session_id == session_id,
        deliveries.c.session_until.is_(None),
        deliveries.c.session_until < moment,
    )
    claimed = connection.execute(
        sa.update(deliveries)
        .where(_is_delivery(tables, list_id, target), is_free)
        .values(session_id=session_id, session_until=moment + timedelta(seconds=CLAIM_SECONDS))
    )
    return delivered_version(connection, tables, list_id, target) if claimed.rowcount else None


def note(
    connection: sa.Connection,
    tables: LedgerTables,
    list_id: int,
    target: str,
    session_id: str,
    version: int,
) -> bool:
    """Write down that everything up to a version is delivered, and stay the process that delivers.

    :param version: 0: nothing is, as for a target that was emptied.
    :return: whether it is written; not where another process delivers meanwhile.
    """
    until = now(connection) + timedelta(seconds=CLAIM_SECONDS)
    return _update(connection, tables, list_id, target, session_id, version=version, session_until=until)


def release(
    connection: sa.Connection, tables: LedgerTables, list_id: int, target: str, session_id: str
) -> None:
    """Let another process deliver."""
    _update(connection, tables, list_id, target, session_id, session_id=None, session_until=None)


def delivered_version(
    connection: sa.Connection, tables: LedgerTables, list_id: int, target: str
) -> int | None:
    """Return the version up to which all is delivered; None for a target that the list does not have."""
    statement = sa.select(tables.deliveries.c.version).where(_is_delivery(tables, list_id, target))
    return connection.execute(statement).scalar()


def _update(
    connection: sa.Connection,
    tables: LedgerTables,
    list_id: int,
    target: str,
    session: str,
    **values: Any,
) -> bool:
    deliveries = tables.deliveries
    done = connection.execute(
        sa.update(deliveries)
        .where(_is_delivery(tables, list_id, target), deliveries.c.session_id == session)
        .values(values)
    )
    return bool(done.rowcount)


def _is_delivery(tables: LedgerTables, list_id: int, target: str) -> sa.ColumnElement[bool]:
    deliveries = tables.deliveries.c
    return sa.and_(deliveries.list_id == list_id, deliveries.target == target)
