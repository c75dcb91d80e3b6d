"""Finds the rows of an image list that a ledger in the same database knows to be settled, to skip them.

Only rows that are certainly settled: others are listed, and ``engine/run/selection.py`` decides about each.
If the database might compare a key or a time differently than Python does, no row is certain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.permit.status import UNSETTLED, Status
from airflow_provider_permitocr.sql.dialects.database import Typed
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables
from airflow_provider_permitocr.sql.source.listing import Listing

_SETTLED: Final = tuple(status.value for status in Status if status not in UNSETTLED)


def is_settled(
    connection: sa.Connection, listing: Listing, tables: LedgerTables, list_id: int
) -> sa.ColumnElement[bool] | None:
    """Return the condition that a row certainly needs no call; None if the database cannot decide that.

    :param tables: of a ledger in the same database.
    :param list_id: of the list in that ledger.
    """
    images = tables.images.alias()
    conditions = _conditions(connection, listing, images)
    if conditions is None:
        return None
    is_of_list = images.c.list_id == sa.literal_column(str(int(list_id)))
    settled = images.c.attempt_status.in_(_SETTLED)
    found: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(images).correlate(listing.source)
    return sa.exists(found.where(is_of_list, settled, *conditions))


def before_reading(connection: sa.Connection) -> None:
    """Prepare this transaction for reading images that are not settled."""
    database_of(connection).before_reading_unsettled(connection)


def _conditions(
    connection: sa.Connection, listing: Listing, images: sa.FromClause
) -> list[sa.ColumnElement[bool]] | None:
    """Return whether an image belongs to a row and was seen since the row changed."""
    database, kept = database_of(connection), images.c
    changed_at = () if listing.updated_at is None else (listing.updated_at,)
    key, side, *listed_at = _typed(connection, listing.select, listing.key, listing.card_side, *changed_at)
    image_key, card_side, updated_at, attempted_at = _typed(
        connection, sa.select, kept.image_key, kept.card_side, kept.attempt_updated_at, kept.attempted_at
    )
    same_key = database.same_text(connection, image_key, key)
    same_side = database.same_text(connection, card_side, side)
    if same_key is None or same_side is None:
        return None
    conditions = [*same_key, *same_side]
    for changed in listed_at:
        is_seen = database.is_seen(changed, updated_at, attempted_at)
        if is_seen is None:
            return None
        conditions.append(is_seen)
    return conditions


def _typed(
    connection: sa.Connection,
    select: Callable[..., sa.Select[Any]],
    *columns: sa.ColumnElement[Any],
) -> list[Typed]:
    return [
        Typed(*each)
        for each in zip(
            columns, database_of(connection).driver_types(connection, select(*columns)), strict=True
        )
    ]
