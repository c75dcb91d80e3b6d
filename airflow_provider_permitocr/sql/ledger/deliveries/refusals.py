"""Rows that targets have refused, kept until they are accepted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.deliveries import Refusal
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.database.upsert import upsert
from airflow_provider_permitocr.sql.ledger.tables.clock import now
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

#: Drivers take a few thousand parameters in one statement.
_KEYS_AT_ONCE: Final = 500


def add_refusals(
    connection: sa.Connection, tables: LedgerTables, delivery_id: int, refusals: Sequence[Refusal]
) -> None:
    """Write down rows that a target does not take, or has refused again."""
    moment = now(connection)
    rows = [
        {
            "delivery_id": delivery_id,
            "image_key": each.row_key[0],
            "card_side": each.row_key[1].value,
            "reason": each.reason,
            "has_row": int(each.has_row),
            "refused_at": moment,
        }
        for each in {each.row_key: each for each in refusals}.values()
    ]
    if rows:
        upsert(connection, tables.refused, rows)


def drop_refusals(
    connection: sa.Connection, tables: LedgerTables, delivery_id: int, row_keys: Sequence[RowKey]
) -> None:
    """Forget rows that a target has taken."""
    refused = tables.refused
    for side in CardSide:
        keys = [key for key, each in row_keys if each is side]
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            is_taken = refused.c.image_key.in_(keys[start : start + _KEYS_AT_ONCE])
            connection.execute(
                sa.delete(refused).where(
                    refused.c.delivery_id == delivery_id, is_taken, refused.c.card_side == side.value
                )
            )


def oldest_refusals(
    connection: sa.Connection, tables: LedgerTables, delivery_id: int, before: datetime, most: int
) -> list[Refusal]:
    """Return rows that were tried before a moment, those first that were tried longest ago."""
    refused = tables.refused.c
    statement = (
        sa.select(refused.image_key, refused.card_side, refused.reason, refused.has_row)
        .where(refused.delivery_id == delivery_id, refused.refused_at < before)
        .order_by(refused.refused_at, refused.image_key, refused.card_side)
        .limit(most)
    )
    return [
        Refusal((key, CardSide(side)), reason or "", bool(has_row))
        for key, side, reason, has_row in connection.execute(statement)
    ]


def count_refusals(connection: sa.Connection, tables: LedgerTables, delivery_id: int) -> int:
    """Count the rows that a target does not take."""
    refused = tables.refused.c
    statement = sa.select(sa.func.count()).where(refused.delivery_id == delivery_id)
    return int(connection.execute(statement).scalar_one())


def count_rowless(
    connection: sa.Connection, tables: LedgerTables, delivery_id: int, list_id: int, version: int
) -> int:
    """Count refused images without a row in the target, up to a version.

    :param version: of the images' latest change; later ones are excluded.
    """
    refused, images = tables.refused.c, tables.images.c
    statement = (
        sa.select(sa.func.count())
        .select_from(tables.refused)
        .join(
            tables.images,
            sa.and_(
                images.list_id == list_id,
                images.image_key == refused.image_key,
                images.card_side == refused.card_side,
            ),
        )
        .where(refused.delivery_id == delivery_id, refused.has_row == 0, images.first_version <= version)
    )
    return int(connection.execute(statement).scalar_one())


def refusals_by_target(
    connection: sa.Connection, tables: LedgerTables, list_id: int
) -> list[tuple[str, int]]:
    """Count the rows that each target of a list does not take, but for those that take all."""
    refused, deliveries = tables.refused.c, tables.deliveries.c
    statement = (
        sa.select(deliveries.target, sa.func.count())
        .join_from(tables.refused, tables.deliveries, refused.delivery_id == deliveries.delivery_id)
        .where(deliveries.list_id == list_id)
        .group_by(deliveries.target)
        .order_by(deliveries.target)
    )
    return [(target, count) for target, count in connection.execute(statement)]
