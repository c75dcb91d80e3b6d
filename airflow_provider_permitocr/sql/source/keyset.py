"""The order in which an image list is read page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.sql.database.paging import is_after
from airflow_provider_permitocr.sql.dialects.database import Database


@dataclass(frozen=True)
class SortColumn:
    """A column to sort by, without NULLs, in a form that sorts the way it compares."""

    column: sa.ColumnElement[Any]
    descending: bool = False


@dataclass(frozen=True)
class Keyset:
    """An order of rows, in which a page's last row determines where the next page begins.

    :param row_key: columns that identify a row.
    :param order_by: the column to sort by first, if any.
    :param where: conditions for rows in this order, if not all are.
    """

    database: Database
    row_key: tuple[sa.ColumnElement[Any], ...]
    order_by: SortColumn | None = None
    where: tuple[sa.ColumnElement[bool], ...] = ()

    def first_page(self, rows: sa.Select[Any], size: int | None) -> sa.Select[Any]:
        """Select the first rows, with the sort columns after their other columns.

        :param rows: a selection of key, side and change time.
        :param size: how many; None: all.
        """
        if self.order_by is not None:
            rows = rows.add_columns(self.order_by.column)
        order = (each.column.desc() if each.descending else each.column for each in self._columns)
        return rows.where(*self.where).order_by(*order).limit(size)

    def is_after(self, row: Sequence[Any]) -> sa.ColumnElement[bool]:
        """Return whether a row sorts after this one of an earlier page."""
        key, side, _, *sorted_by = row
        values = [self.database.bound(value) for value in (*sorted_by, key, side)]
        # If all rows have one side, the side is not among the columns, and zip drops its value.
        columns = (each.column for each in self._columns)
        descending = self.order_by is not None and self.order_by.descending
        return is_after(list(zip(columns, values, strict=False)), descending=descending)

    @property
    def _columns(self) -> tuple[SortColumn, ...]:
        by_key = tuple(SortColumn(column) for column in self.row_key)
        return by_key if self.order_by is None else (self.order_by, *by_key)
