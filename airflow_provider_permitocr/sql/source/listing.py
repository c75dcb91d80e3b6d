"""The image list as something to select from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.options.lists.image_list import ImageKind
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.dialects.database import Database
from airflow_provider_permitocr.sql.source.carried import CarriedColumn
from airflow_provider_permitocr.sql.source.keyset import Keyset, SortColumn
from airflow_provider_permitocr.sql.source.read_column import ReadColumn

UniqueColumns = set[frozenset[str]]


@dataclass(frozen=True)
class ListedRows:
    """What to select from rows with one image each, under fixed names.

    :param key: as the driver returns it, so that a key that was read finds its row again: SQLAlchemy's own
        conversion of SQLite's dates, for example, returns a text that the database does not contain.
    :param compared_key: the same in a form that sorts and compares exactly.
    :param card_side: FRONT, BACK, or text that is refused.
    :param side_column: the column with the side, unchanged; None if all rows have the same side.
    :param updated_at: as the database stores it; None if the list has no change times.
    :param zone: of change times without a zone.
    :param where: bounds of the list, if any.
    :param key_type: the driver's type of the key.
    :param updated_at_type: the driver's type of the change time.
    """

    database: Database
    source: sa.FromClause
    key: sa.ColumnElement[Any]
    compared_key: sa.ColumnElement[Any]
    card_side: sa.ColumnElement[str]
    side_column: sa.ColumnElement[Any] | None
    updated_at: sa.ColumnElement[Any] | None
    zone: tzinfo
    where: tuple[sa.ColumnElement[bool], ...]
    key_type: Any
    updated_at_type: Any

    @property
    def read_key(self) -> ReadColumn:
        """The key as the driver reads it."""
        return ReadColumn(self.database, self.key, self.key_type)

    @property
    def read_updated_at(self) -> ReadColumn | None:
        """The change time as the driver reads it: NULL if it cannot."""
        column = self.updated_at
        return None if column is None else ReadColumn(self.database, column, self.updated_at_type)

    def select_all(self, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Select from the list within its bounds, rows without a readable key among them."""
        return sa.select(*columns).select_from(self.source).where(*self.where)

    def select(self, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Select from the list within its bounds, without rows that have no key, or one no driver reads."""
        return self.select_all(*columns).where(*self.read_key.is_there)

    def select_rows(self, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Select key, side, change time, and further columns, in this order."""
        changed = self.read_updated_at
        return self.select(self.key, self.card_side, changed.value if changed else sa.null(), *columns)

    def is_key_of(self, keys: Sequence[Any]) -> sa.ColumnElement[bool]:
        """Return whether a row has one of these keys."""
        return self.database.is_among(self.key, self.compared_key, keys)


@dataclass(frozen=True)
class ListedImages(ListedRows):
    """Rows with their images: the whole list, or one side of a list with both sides in each row.

    :param side: of these rows; None: any.
    :param image_type: the driver's type of ``image``.
    :param kind: what kind of values the images are.
    :param carried: additional columns for the result.
    """

    side: CardSide | None
    image: sa.ColumnElement[Any]
    image_type: Any
    kind: ImageKind
    carried: tuple[CarriedColumn, ...]

    @property
    def read_image(self) -> ReadColumn:
        """The image as the driver reads it."""
        return ReadColumn(self.database, self.image, self.image_type)


@dataclass(frozen=True)
class Listing(ListedRows):
    """The whole list, and the columns with its images.

    :param order_by: column to sort by, before the key.
    :param order_by_type: its type in the driver's terms.
    :param unique: the sets of columns that its database keeps unique.
    """

    images: tuple[ListedImages, ...]
    order_by: SortColumn | None
    order_by_type: Any
    unique: UniqueColumns

    @property
    def carried(self) -> tuple[CarriedColumn, ...]:
        """The columns that are copied into the result."""
        return self.images[0].carried

    @property
    def row_key(self) -> tuple[sa.ColumnElement[Any], ...]:
        """The columns that identify and sort rows.

        A side that all rows share is left out, because PostgreSQL refuses to sort or group by a constant.
        """
        if self.side_column is None:
            return (self.compared_key,)
        return (self.compared_key, self.card_side)

    @property
    def keysets(self) -> tuple[Keyset, ...]:
        """The orders in which to read the list, one after the other.

        Rows with a missing or unreadable sort value come last, in a separate order: databases disagree on
        where to put them, and comparisons never match them.
        """
        if self.order_by is None:
            return (Keyset(self.database, self.row_key),)
        sorted_by = ReadColumn(self.database, self.order_by.column, self.order_by_type)
        first, last = sorted_by.is_there, sorted_by.is_missing
        return (
            Keyset(self.database, self.row_key, self.order_by, first),
            Keyset(self.database, self.row_key, where=last),
        )
