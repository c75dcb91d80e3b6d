"""Marks images to be recognized again, though they are settled: the next run of their list takes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import NOT_SENT
from airflow_provider_permitocr.options.lists.redo import Redo
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.database.paging import chunks
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.tables.schema import is_same_image

_KEYS_AT_ONCE: Final = 500
_UNSETTLED: Final = (Status.RETRY.value, Status.REDO.value)


def count_redone(opened: OpenList, redo: Redo, before: datetime) -> int:
    """Count the images that match a ``Redo``.

    :param before: only images whose last call, and the call whose answer they reused, came before this.
    """
    images = opened.tables.images
    count = sa.select(sa.func.count()).select_from(images)
    return sum(
        opened.connection.execute(count.where(condition)).scalar_one()
        for condition in _conditions(opened, redo, before)
    )


def mark_redone(opened: OpenList, redo: Redo, before: datetime) -> int:
    """Mark them, and reset their count of runs that have tried. Their answers stay in force.

    :param opened: its transaction holds the ledger's lock.
    :return: how many.
    """
    values = {"attempt_status": Status.REDO.value, "tries": 0, "attempt_run": None}
    marked = 0
    for condition in _conditions(opened, redo, before):
        done: Any = opened.connection.execute(sa.update(opened.tables.images).where(condition).values(values))
        marked += int(done.rowcount)
    return marked


def _conditions(opened: OpenList, redo: Redo, before: datetime) -> Sequence[sa.ColumnElement[bool]]:
    """Return one disjoint condition for each part of the keys; together, they match the images."""
    if redo.is_met_by_none:
        return []
    tables = opened.tables
    images, calls = tables.images.c, tables.calls.c
    since: sa.Select[Any] = (
        sa.select(sa.literal_column("1"))
        .select_from(tables.calls)
        .where(calls.intended_at >= before, sa.or_(calls.code.is_(None), calls.code != NOT_SENT))
    )
    called_since = sa.exists(since.where(is_same_image(tables.calls, tables.images)))
    # By an identical image, perhaps.
    answered_since = sa.exists(since.where(calls.call_id == images.answer_id))
    met: list[sa.ColumnElement[bool]] = [
        images.list_id == opened.list_id,
        images.status.is_not(None),
        images.attempt_status.not_in(_UNSETTLED),
        sa.not_(called_since),
        # Images that were never called for cost nothing, but each shard and try must not retry them.
        sa.or_(images.answer_id.is_not(None), images.request_id.is_not(None), images.attempted_at < before),
        sa.not_(answered_since),
    ]
    if redo.wanted_keys is None:
        met.append(images.status != Status.ERASED.value)
    if redo.wanted_statuses is not None:
        met.append(images.status.in_(redo.wanted_statuses))
    if redo.wanted_codes is not None:
        met.append(images.error_code.in_(redo.wanted_codes))
    if redo.wanted_keys is None:
        return [sa.and_(*met)]
    keys = chunks(set(redo.wanted_keys), _KEYS_AT_ONCE)
    return [sa.and_(*met, images.image_key.in_(some)) for some in keys]
