"""Rows that targets have refused, kept until they are accepted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.deliveries import Refusal
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.database.paging import chunks
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.tables.clock import now

#: Drivers take a few thousand parameters in one statement.
_KEYS_AT_ONCE: Final = 500


def add_refusals(opened: OpenList, delivery_id: int, refusals: Sequence[Refusal]) -> None:
    """Write down rows that a target does not take, or has refused again."""
    moment = now(opened.connection)
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
        database_of(opened.connection).upsert(opened.connection, opened.tables.refused, rows)


def drop_refusals(opened: OpenList, delivery_id: int, row_keys: Sequence[RowKey]) -> None:
    """Forget rows that a target has taken."""
    refused = opened.tables.refused
    for side in CardSide:
        for keys in chunks((key for key, each in row_keys if each is side), _KEYS_AT_ONCE):
            is_taken = refused.c.image_key.in_(keys)
            opened.connection.execute(
                sa.delete(refused).where(
                    refused.c.delivery_id == delivery_id, is_taken, refused.c.card_side == side.value
                )
            )


def oldest_refusals(opened: OpenList, delivery_id: int, before: datetime, most: int) -> list[Refusal]:
    """Return rows that were tried before a moment, those first that were tried longest ago."""
    refused = opened.tables.refused.c
    statement = (
        sa.select(refused.image_key, refused.card_side, refused.reason, refused.has_row)
        .where(refused.delivery_id == delivery_id, refused.refused_at < before)
        .order_by(refused.refused_at, refused.image_key, refused.card_side)
        .limit(most)
    )
    return [
        Refusal((key, CardSide(side)), reason or "", bool(has_row))
        for key, side, reason, has_row in opened.connection.execute(statement)
    ]


def count_refusals(opened: OpenList, delivery_id: int) -> int:
    """Count the rows that a target does not take."""
    refused = opened.tables.refused.c
    statement = sa.select(sa.func.count()).where(refused.delivery_id == delivery_id)
    return int(opened.connection.execute(statement).scalar_one())


def count_rowless(opened: OpenList, delivery_id: int, version: int) -> int:
    """Count refused images without a row in the target, up to a version.

    :param version: of the images' latest change; later ones are excluded.
    """
    refused, images = opened.tables.refused.c, opened.tables.images.c
    statement = (
        sa.select(sa.func.count())
        .select_from(opened.tables.refused)
        .join(
            opened.tables.images,
            sa.and_(
                images.list_id == opened.list_id,
                images.image_key == refused.image_key,
                images.card_side == refused.card_side,
            ),
        )
        .where(refused.delivery_id == delivery_id, refused.has_row == 0, images.first_version <= version)
    )
    return int(opened.connection.execute(statement).scalar_one())


def refusals_by_target(opened: OpenList) -> list[tuple[str, int]]:
    """Count the rows that each target of a list does not take, but for those that take all."""
    refused, deliveries = opened.tables.refused.c, opened.tables.deliveries.c
    statement = (
        sa.select(deliveries.target, sa.func.count())
        .join_from(
            opened.tables.refused, opened.tables.deliveries, refused.delivery_id == deliveries.delivery_id
        )
        .where(deliveries.list_id == opened.list_id)
        .group_by(deliveries.target)
        .order_by(deliveries.target)
    )
    return [(target, count) for target, count in opened.connection.execute(statement)]
