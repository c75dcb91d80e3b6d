"""Reads long results in parts, and asks for many values in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa


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
