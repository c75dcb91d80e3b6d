"""The image list as something to select from, its columns checked and typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import sqlalchemy as sa

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.models import ImageKind
from airflow_provider_permitocr.sql.inspection import unique_keys
from airflow_provider_permitocr.sql.source.carried import CarriedColumn, carried_columns
from airflow_provider_permitocr.sql.source.compared import Form, compared_form
from airflow_provider_permitocr.sql.source.driver_types import MYSQL
from airflow_provider_permitocr.sql.source.keyset import Keyset, SortColumn, as_postgresql_reads
from airflow_provider_permitocr.sql.source.list_bounds import Scope, bounds, scope_bounds
from airflow_provider_permitocr.sql.source.list_source import find_source
from airflow_provider_permitocr.sql.tables import ImageQuery, ImageTable, split_schema
from airflow_provider_permitocr.sql.unique_keys import KEPT_BY

UniqueColumns = set[frozenset[str]]


@dataclass(frozen=True)
class ListedRows:
    """What to select of rows with one image each, under fixed names.

    :param key: read as the driver gives it, so that what was read finds its row again: SQLAlchemy's own
        reading of SQLite's dates, for one, gives a text that the database does not hold.
    :param compared_key: the same as it sorts, and as it is told apart.
    :param card_side: FRONT, BACK, or text that is refused.
    :param side_column: the column that tells the side, as it is; None where all rows have one side.
    :param updated_at: read as the driver gives it; None where the list does not say.
    :param where: bounds of the list, if any.
    """

    dialect: str
    source: sa.FromClause
    key: sa.ColumnElement[Any]
    compared_key: sa.ColumnElement[Any]
    card_side: sa.ColumnElement[str]
    side_column: sa.ColumnElement[Any] | None
    updated_at: sa.ColumnElement[Any] | None
    where: tuple[sa.ColumnElement[bool], ...]

    def select(self, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Select from the list within its bounds."""
        return sa.select(*columns).select_from(self.source).where(*self.where)

    def select_rows(self, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Select key, side, change time, and further columns, in this order."""
        updated_at = sa.null() if self.updated_at is None else self.updated_at
        return self.select(self.key, self.card_side, updated_at, *columns)

    def is_key_of(self, keys: Sequence[Any]) -> sa.ColumnElement[bool]:
        """Tell whether a row has one of these keys."""
        # Named, as SQLAlchemy's own names, after the column, may hold what it cannot find again itself.
        if self.dialect == "postgresql":
            texts = [as_postgresql_reads(key) for key in keys]
            bound = sa.bindparam("keys", texts, sa.types.NULLTYPE, unique=True, expanding=True)
        else:
            bound = sa.bindparam("keys", list(keys), unique=True, expanding=True)
        if self.dialect in MYSQL and self.compared_key is not self.key:
            # The first is for an index, which gives a few rows too many.
            return sa.and_(self.key.in_(bound), self.compared_key.in_(bound))
        return self.compared_key.in_(bound)


@dataclass(frozen=True)
class ListedImages(ListedRows):
    """Rows with their images: all of the list, or one side of the documents that it has in one row each.

    :param side: that these rows are for; None: any.
    :param kind: what the images are.
    :param carried: further columns for the result.
    """

    side: CardSide | None
    image: sa.ColumnElement[Any]
    kind: ImageKind
    carried: tuple[CarriedColumn, ...]


@dataclass(frozen=True)
class Listing(ListedRows):
    """The whole list, and where its images are.

    :param order_by: column to go through it by, before the key.
    :param unique: the sets of columns that its database keeps unique.
    """

    images: tuple[ListedImages, ...]
    order_by: SortColumn | None
    unique: UniqueColumns

    @property
    def carried(self) -> tuple[CarriedColumn, ...]:
        """What goes along into the result."""
        return self.images[0].carried

    @property
    def row_key(self) -> tuple[sa.ColumnElement[Any], ...]:
        """What tells rows apart and sorts them.

        A side that is the same for all stays out, as PostgreSQL refuses to sort or group by a constant.
        """
        if self.side_column is None:
            return (self.compared_key,)
        return (self.compared_key, self.card_side)

    @property
    def keysets(self) -> tuple[Keyset, ...]:
        """The orders in which to go through the list, one after the other.

        Rows without a value to sort by are in an order of their own, at the end: where databases put them
        differs, and no comparison finds them.
        """
        if self.order_by is None:
            return (Keyset(self.dialect, self.row_key),)
        column = self.order_by.column
        return (
            Keyset(self.dialect, self.row_key, self.order_by, (column.is_not(None),)),
            Keyset(self.dialect, self.row_key, where=(column.is_(None),)),
        )


class _Sort(NamedTuple):
    column: sa.ColumnElement[Any]
    form: Form
    descending: bool


def open_listing(
    connection: sa.Connection, described: ImageTable | ImageQuery, scope: Scope | None = None
) -> Listing:
    """Find the described list in the database.

    :param scope: which of its rows are read; None: as it is described.
    :raises SourceError: naming the table, column or part of the statement to change.
    """
    source = find_source(connection, described)
    unique = _unique_columns(connection, described)
    in_order = compared_form(connection, source, described.key, is_unique={described.key} in unique)
    sort = _sort(connection, source, described.order_by)
    rows: ListedRows
    rows = each_row = _each_row(connection, source, described, in_order, scope)
    images: tuple[ListedImages, ...] = (each_row,)
    if described.back_image is not None:
        images = (
            _one_side(each_row, CardSide.FRONT, source.c[described.image]),
            _one_side(each_row, CardSide.BACK, source.c[described.back_image]),
        )
        rows = _both_sides(each_row, images, in_order, sort)
        sort = sort and sort._replace(column=rows.source.c.sort_by)
    return Listing(
        rows.dialect,
        rows.source,
        rows.key,
        rows.compared_key,
        rows.card_side,
        rows.side_column,
        rows.updated_at,
        rows.where,
        images=images,
        order_by=sort and SortColumn(sort.form(sort.column), sort.descending),
        unique=unique,
    )


def _each_row(
    connection: sa.Connection,
    source: sa.FromClause,
    described: ImageTable | ImageQuery,
    in_order: Form,
    scope: Scope | None,
) -> ListedImages:
    dialect, side = connection.dialect.name, described.card_side
    key = _as_read(source, described.key)
    rows = ListedImages(
        dialect,
        source,
        key,
        compared_key=in_order(key),
        card_side=_card_side(source, side, str(described.default_side)),
        side_column=source.c[side] if side else None,
        updated_at=_as_read(source, described.updated_at) if described.updated_at else None,
        where=(),
        side=None,
        image=source.c[described.image],
        kind=ImageKind(described.image_kind),
        carried=carried_columns(connection, source, described.carried),
    )
    return replace(rows, where=_where(rows, described, scope))


def _where(
    rows: ListedRows, described: ImageTable | ImageQuery, scope: Scope | None
) -> tuple[sa.ColumnElement[bool], ...]:
    if isinstance(described, ImageQuery):
        return ()
    if scope is None:
        return bounds(rows.dialect, rows.source, described)
    where = scope_bounds(rows.dialect, rows.source, described, scope)
    if scope.keys and where:
        return (sa.or_(sa.and_(*where), rows.is_key_of(scope.keys)),)
    return where


def _one_side(rows: ListedImages, side: CardSide, image: sa.ColumnElement[Any]) -> ListedImages:
    constant = sa.literal_column(f"'{side.value}'", sa.String(8))
    where = (*rows.where, image.is_not(None))
    return replace(rows, card_side=constant, where=where, side=side, image=image)


def _both_sides(
    each_row: ListedImages, sides: Sequence[ListedImages], in_order: Form, sort: _Sort | None
) -> ListedRows:
    """Make one list of the sides of documents.

    Without their images, which some databases would copy; and by a join, as the key's index then gives its
    order: PostgreSQL sorts the whole of a UNION for each page.
    """
    names = [sa.select(each.card_side.label("side")) for each in sides]
    side = sa.union_all(*names).subquery("sides").c.side
    columns: list[sa.ColumnElement[Any]] = [each_row.key.label("image_key"), side]
    if each_row.updated_at is not None:
        columns.append(each_row.updated_at.label("updated_at"))
    if sort is not None:
        columns.append(sort.column.label("sort_by"))
    is_there = (sa.and_(side == each.card_side, each.image.is_not(None)) for each in sides)
    joined = sa.join(each_row.source, side.table, sa.or_(*is_there))
    source = sa.select(*columns).select_from(joined).where(*each_row.where).subquery("listed_sides")
    found = source.c
    return ListedRows(
        each_row.dialect,
        source,
        found.image_key,
        compared_key=in_order(found.image_key),
        card_side=found.side,
        side_column=found.side,
        updated_at=found.get("updated_at"),
        where=(),
    )


def _unique_columns(connection: sa.Connection, described: ImageTable | ImageQuery) -> UniqueColumns:
    if isinstance(described, ImageQuery) or connection.dialect.name not in KEPT_BY:
        return set()
    schema, name = split_schema(described.table)
    return unique_keys(connection, name, schema)


def _as_read(source: sa.FromClause, column: str) -> sa.ColumnElement[Any]:
    """Return a column as the driver reads it: SQLAlchemy's own reading stops at some of SQLite's texts."""
    return sa.type_coerce(source.c[column], sa.types.NULLTYPE)


def _sort(connection: sa.Connection, source: sa.FromClause, order_by: str | None) -> _Sort | None:
    if order_by is None:
        return None
    name = order_by.removeprefix("-")
    in_order = compared_form(connection, source, name)
    return _Sort(_as_read(source, name), in_order, order_by.startswith("-"))


def _card_side(source: sa.FromClause, column: str | None, default: str) -> sa.ColumnElement[str]:
    if column is None:
        return sa.literal(default, sa.String(8))
    text = sa.func.upper(sa.func.trim(sa.cast(source.c[column], sa.String(64))))
    return sa.func.coalesce(text, default)
