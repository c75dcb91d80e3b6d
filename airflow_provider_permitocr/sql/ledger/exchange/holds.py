"""Which images other processes are calling for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.paging import chunks
from airflow_provider_permitocr.sql.ledger.tables.clock import clock, read_clock, read_moment

_KEYS_AT_ONCE: Final = 500


def held(opened: OpenList, session_id: str, row_keys: Sequence[RowKey]) -> set[RowKey]:
    """Return the images that are currently held by calls of other processes.

    Reads without the lock: the exchange decides. This only avoids loading images in vain.
    """
    images = opened.tables.images.c
    found: set[RowKey] = set()
    for keys in chunks({image_key for image_key, _ in row_keys}, _KEYS_AT_ONCE):
        statement = sa.select(
            images.image_key,
            images.card_side,
            images.held_until,
            clock(opened.connection).label("clock"),
        ).where(
            images.list_id == opened.list_id, images.image_key.in_(keys), images.held_session != session_id
        )
        for row in opened.connection.execute(statement):
            held_until = read_moment(row.held_until)
            if held_until and held_until > read_clock(row.clock):
                found.add((row.image_key, CardSide(row.card_side)))
    return found & set(row_keys)
