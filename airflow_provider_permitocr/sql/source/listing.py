"""The image list as something to select from, its columns checked and typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from airflow_provider_permitocr.options.lists.image_list import ImageKind, ImageQuery, ImageTable
from airflow_provider_permitocr.options.targets.result_table import split_schema
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.dialects.database import Database, Form
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.source.carried import CarriedColumn, carried_column
from airflow_provider_permitocr.sql.source.keyset import Keyset, SortColumn
from airflow_provider_permitocr.sql.source.list_bounds import ChangeTime, Scope, bounds, scope_bounds
from airflow_provider_permitocr.sql.source.list_source import find_source
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


class _Sort(NamedTuple):
    column: sa.ColumnElement[Any]
    form: Form
    descending: bool
    driver_type: Any


def open_listing(
    connection: sa.Connection, described: ImageTable | ImageQuery, scope: Scope | None = None
) -> Listing:
    """Find the described list in the database.

    :param scope: which of its rows to read; None: as described.
    :raises SourceError: naming the table, column or part of the statement to change.
    """
    source = find_source(connection, described)
    found = _Found(connection, source, described)
    unique = _unique_columns(connection, described)
    in_order = found.compared_form(described.key, is_unique={described.key} in unique)
    sort = _sort(found, described.order_by)
    rows: ListedRows
    rows = each_row = _each_row(found, described, in_order, scope)
    images: tuple[ListedImages, ...] = (each_row,)
    if described.back_image is not None:
        images = (
            _one_side(each_row, CardSide.FRONT, found, described.image),
            _one_side(each_row, CardSide.BACK, found, described.back_image),
        )
        rows = _both_sides(each_row, images, in_order, sort)
        sort = sort and sort._replace(column=rows.source.c.sort_by)
    return Listing(
        rows.database,
        rows.source,
        rows.key,
        rows.compared_key,
        rows.card_side,
        rows.side_column,
        rows.updated_at,
        rows.zone,
        rows.where,
        rows.key_type,
        rows.updated_at_type,
        images=images,
        order_by=sort and SortColumn(sort.form(sort.column), sort.descending),
        order_by_type=sort and sort.driver_type,
        unique=unique,
    )


class _Found:
    """The list's columns as the database and its driver have them."""

    def __init__(
        self, connection: sa.Connection, source: sa.FromClause, described: ImageTable | ImageQuery
    ) -> None:
        self.connection, self.source = connection, source
        self.database = database_of(connection)
        self.zone = ZoneInfo(described.timezone) if described.timezone != "UTC" else UTC
        names = list(dict.fromkeys(name for name, _ in described.purposes))
        listed = sa.select(*(self.as_read(name) for name in names)).select_from(source)
        types = self.database.driver_types(connection, listed)
        self._types = dict(zip(names, types, strict=True))

    def driver_type(self, name: str | None) -> Any:
        """Return the type of a column in the driver's terms."""
        return None if name is None else self._types[name]

    def zone_of(self, name: str | None) -> tzinfo:
        """Return the zone of a column's times without a zone: UTC if it stores instants."""
        return UTC if name is None or self.database.is_instant(self._types[name]) else self.zone

    def as_read(self, name: str) -> sa.ColumnElement[Any]:
        """Return a column as the driver reads it: SQLAlchemy stops at some of SQLite's texts."""
        return sa.type_coerce(self.source.c[name], sa.types.NULLTYPE)

    def compared_form(self, name: str, *, is_unique: bool = False) -> Form:
        """Return the form of a column that sorts the way it compares."""
        listed = sa.select(self.source.c[name]).select_from(self.source)
        return self.database.compared_form(self.connection, listed, self._types[name], is_unique=is_unique)


def _each_row(
    found: _Found, described: ImageTable | ImageQuery, in_order: Form, scope: Scope | None
) -> ListedImages:
    side, source = described.card_side, found.source
    key = found.as_read(described.key)
    rows = ListedImages(
        found.database,
        source,
        key,
        compared_key=in_order(key),
        card_side=_card_side(source, side, str(described.default_side)),
        side_column=source.c[side] if side else None,
        updated_at=found.as_read(described.updated_at) if described.updated_at else None,
        zone=found.zone_of(described.updated_at),
        where=(),
        key_type=found.driver_type(described.key),
        updated_at_type=found.driver_type(described.updated_at),
        side=None,
        image=source.c[described.image],
        image_type=found.driver_type(described.image),
        kind=ImageKind(described.image_kind),
        carried=tuple(
            carried_column(
                found.database,
                source.c[each.column],
                each,
                driver_type=found.driver_type(each.column),
                zone=found.zone_of(each.column),
            )
            for each in described.carried
        ),
    )
    return replace(rows, where=_where(rows, described, scope))


def _where(
    rows: ListedRows, described: ImageTable | ImageQuery, scope: Scope | None
) -> tuple[sa.ColumnElement[bool], ...]:
    if isinstance(described, ImageQuery):
        return ()
    column = described.updated_at
    changed = ChangeTime(rows.database, rows.source.c[column], rows.zone) if column else None
    if scope is None:
        return bounds(changed, described)
    where = scope_bounds(changed, scope)
    if scope.keys and where:
        return (sa.or_(sa.and_(*where), rows.is_key_of(scope.keys)),)
    return where


def _one_side(rows: ListedImages, side: CardSide, found: _Found, column: str) -> ListedImages:
    image = found.source.c[column]
    constant = sa.literal_column(f"'{side.value}'", sa.String(8))
    where = (*rows.where, image.is_not(None))
    image_type = found.driver_type(column)
    return replace(rows, card_side=constant, where=where, side=side, image=image, image_type=image_type)


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
        each_row.database,
        source,
        found.image_key,
        compared_key=in_order(found.image_key),
        card_side=found.side,
        side_column=found.side,
        updated_at=found.get("updated_at"),
        zone=each_row.zone,
        where=(),
        key_type=each_row.key_type,
        updated_at_type=each_row.updated_at_type,
    )


def _unique_columns(connection: sa.Connection, described: ImageTable | ImageQuery) -> UniqueColumns:
    if isinstance(described, ImageQuery):
        return set()
    schema, name = split_schema(described.table)
    return database_of(connection).unique_keys(connection, name, schema)


def _sort(found: _Found, order_by: str | None) -> _Sort | None:
    if order_by is None:
        return None
    name = order_by.removeprefix("-")
    in_order = found.compared_form(name)
    return _Sort(found.as_read(name), in_order, order_by.startswith("-"), found.driver_type(name))


def _card_side(source: sa.FromClause, column: str | None, default: str) -> sa.ColumnElement[str]:
    if column is None:
        return sa.literal(default, sa.String(8))
    text = sa.func.upper(sa.func.trim(sa.cast(source.c[column], sa.String(64))))
    return sa.func.coalesce(text, default)
