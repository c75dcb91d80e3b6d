"""From what a DAG author wrote to a list to select from: its columns found, checked and typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from airflow_provider_permitocr.options.lists.image_list import ImageKind, ImageQuery, ImageTable
from airflow_provider_permitocr.options.targets.result_table import split_schema
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.dialects.database import Form
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.source.carried import carried_column
from airflow_provider_permitocr.sql.source.keyset import SortColumn
from airflow_provider_permitocr.sql.source.list_bounds import ChangeTime, Scope, bounds, scope_bounds
from airflow_provider_permitocr.sql.source.list_source import find_source
from airflow_provider_permitocr.sql.source.listing import ListedImages, ListedRows, Listing, UniqueColumns


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
        **{each.name: getattr(rows, each.name) for each in fields(ListedRows)},
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
        return UTC if name is None or self._types[name] in self.database.instants else self.zone

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
