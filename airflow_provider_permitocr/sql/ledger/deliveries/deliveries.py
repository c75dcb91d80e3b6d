"""How far the targets of a list have been filled, and which process fills them: one at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.deliveries import DeliveryState
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.tables.clock import now

#: How long a process counts as delivering after its last heartbeat.
CLAIM_SECONDS: Final = 60.0


class Deliverer(NamedTuple):
    """The process that delivers to a target of a list."""

    target: str
    session_id: str


def claim(opened: OpenList, deliverer: Deliverer) -> DeliveryState | None:
    """Become the process that delivers to a target, or stay so.

    :return: None: another process delivers.
    """
    deliveries = opened.tables.deliveries
    moment = now(opened.connection)
    is_free = sa.or_(
        deliveries.c.session_id.is_(None),
        deliveries.c.session_id == deliverer.session_id,
        deliveries.c.session_until.is_(None),
        deliveries.c.session_until < moment,
    )
    claimed = opened.connection.execute(
        sa.update(deliveries)
        .where(_is_delivery(opened, deliverer), is_free)
        .values(session_id=deliverer.session_id, session_until=moment + timedelta(seconds=CLAIM_SECONDS))
    )
    if not claimed.rowcount:
        return None
    row = opened.connection.execute(
        sa.select(deliveries.c.version, deliveries.c.row_count, deliveries.c.highest).where(
            _is_delivery(opened, deliverer)
        )
    ).one()
    return DeliveryState(row.version, row.row_count or 0, row.highest or 0)


def note(opened: OpenList, deliverer: Deliverer, state: DeliveryState) -> bool:
    """Record how far a target has been filled, and keep the claim.

    :return: whether it was recorded: not if another process delivers meanwhile.
    """
    return _update(
        opened,
        deliverer,
        version=state.version,
        row_count=state.rows,
        highest=state.highest,
        session_until=now(opened.connection) + timedelta(seconds=CLAIM_SECONDS),
    )


def release(opened: OpenList, deliverer: Deliverer) -> None:
    """Let another process deliver."""
    _update(opened, deliverer, session_id=None, session_until=None)


def delivery_id(opened: OpenList, deliverer: Deliverer) -> int | None:
    """Return the number of a target; None for one that the list does not have."""
    statement = sa.select(opened.tables.deliveries.c.delivery_id).where(_is_delivery(opened, deliverer))
    return opened.connection.execute(statement).scalar()


def count_undelivered(opened: OpenList, deliverer: Deliverer) -> int:
    """Count the images that have changed after the version which a target has reached; by an index."""
    images, reached = opened.tables.images.c, opened.tables.deliveries.c.version
    version = sa.select(reached).where(_is_delivery(opened, deliverer)).scalar_subquery()
    statement = sa.select(sa.func.count()).where(
        images.list_id == opened.list_id, images.version > version, images.status.is_not(None)
    )
    return int(opened.connection.execute(statement).scalar_one())


def _update(opened: OpenList, deliverer: Deliverer, **values: Any) -> bool:
    deliveries = opened.tables.deliveries
    done = opened.connection.execute(
        sa.update(deliveries)
        .where(_is_delivery(opened, deliverer), deliveries.c.session_id == deliverer.session_id)
        .values(values)
    )
    return bool(done.rowcount)


def _is_delivery(opened: OpenList, deliverer: Deliverer) -> sa.ColumnElement[bool]:
    deliveries = opened.tables.deliveries.c
    return sa.and_(deliveries.list_id == opened.list_id, deliveries.target == deliverer.target)
