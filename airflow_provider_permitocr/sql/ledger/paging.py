"""Reads long results in parts, and asks for many values in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables


def chunks(values: Iterable[str], most: int) -> Iterator[list[str]]:
    """Part values, sorted."""
    ordered = sorted(values)
    for start in range(0, len(ordered), most):
        yield ordered[start : start + most]


def is_after(
    sorted_by: Sequence[tuple[sa.ColumnElement[Any], Any]], *, descending: bool = False
) -> sa.ColumnElement[bool]:
    """Select rows that sort after these values.

    :param descending: whether the first column sorts from high to low; all others sort from low to high.
    """
    (column, value), *rest = sorted_by
    later: sa.ColumnElement[bool] = column < value if descending else column > value
    if not rest:
        return later
    # Not "later, or the same and later by the rest": no index would find the start of that.
    not_before = column <= value if descending else column >= value
    return sa.and_(not_before, sa.or_(later, is_after(rest)))


def is_after_image(tables: LedgerTables, last: RowKey | None) -> sa.ColumnElement[bool]:
    """Select the images of a list that come after another by key.

    :param last: image of the page before; None: all are selected.
    """
    if last is None:
        return sa.true()
    images = tables.images.c
    return is_after([(images.image_key, last[0]), (images.card_side, last[1].value)])
