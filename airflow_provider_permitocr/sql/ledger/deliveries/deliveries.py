"""How far the targets of a list have been filled, and which process fills them: one at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.deliveries import DeliveryState
from airflow_provider_permitocr.sql.ledger.tables.clock import now
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

#: How long a process counts as delivering after its last heartbeat.
CLAIM_SECONDS: Final = 60.0


class Deliverer(NamedTuple):
    """The process that delivers to a target of a list."""

    list_id: int
    target: str
    session_id: str


def claim(connection: sa.Connection, tables: LedgerTables, deliverer: Deliverer) -> DeliveryState | None:
    """Become the process that delivers to a target, or stay so.

    :return: None: another process delivers.
    """
    deliveries = tables.deliveries
    moment = now(connection)
    is_free = sa.or_(
        deliveries.c.session_id.is_(None),
        deliveries.c.session_id == deliverer.session_id,
        deliveries.c.session_until.is_(None),
        deliveries.c.session_until < moment,
    )
    claimed = connection.execute(
        sa.update(deliveries)
        .where(_is_delivery(tables, deliverer), is_free)
        .values(session_id=deliverer.session_id, session_until=moment + timedelta(seconds=CLAIM_SECONDS))
    )
    if not claimed.rowcount:
        return None
    row = connection.execute(
        sa.select(deliveries.c.version, deliveries.c.row_count, deliveries.c.highest).where(
            _is_delivery(tables, deliverer)
        )
    ).one()
    return DeliveryState(row.version, row.row_count or 0, row.highest or 0)


def note(connection: sa.Connection, tables: LedgerTables, deliverer: Deliverer, state: DeliveryState) -> bool:
    """Record how far a target has been filled, and keep the claim.

    :return: whether it was recorded: not if another process delivers meanwhile.
    """
    return _update(
        connection,
        tables,
        deliverer,
        version=state.version,
        row_count=state.rows,
        highest=state.highest,
        session_until=now(connection) + timedelta(seconds=CLAIM_SECONDS),
    )


def release(connection: sa.Connection, tables: LedgerTables, deliverer: Deliverer) -> None:
    """Let another process deliver."""
    _update(connection, tables, deliverer, session_id=None, session_until=None)


def delivery_id(connection: sa.Connection, tables: LedgerTables, deliverer: Deliverer) -> int | None:
    """Return the number of a target; None for one that the list does not have."""
    statement = sa.select(tables.deliveries.c.delivery_id).where(_is_delivery(tables, deliverer))
    return connection.execute(statement).scalar()


def count_undelivered(connection: sa.Connection, tables: LedgerTables, deliverer: Deliverer) -> int:
    """Count the images that have changed after the version which a target has reached; by an index."""
    images, reached = tables.images.c, tables.deliveries.c.version
    version = sa.select(reached).where(_is_delivery(tables, deliverer)).scalar_subquery()
    statement = sa.select(sa.func.count()).where(
        images.list_id == deliverer.list_id, images.version > version, images.status.is_not(None)
    )
    return int(connection.execute(statement).scalar_one())


def _update(connection: sa.Connection, tables: LedgerTables, deliverer: Deliverer, **values: Any) -> bool:
    deliveries = tables.deliveries
    done = connection.execute(
        sa.update(deliveries)
        .where(_is_delivery(tables, deliverer), deliveries.c.session_id == deliverer.session_id)
        .values(values)
    )
    return bool(done.rowcount)


def _is_delivery(tables: LedgerTables, deliverer: Deliverer) -> sa.ColumnElement[bool]:
    deliveries = tables.deliveries.c
    return sa.and_(deliveries.list_id == deliverer.list_id, deliveries.target == deliverer.target)
