"""Fetches the images of listed rows, as many at a time as memory allows."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.engine.models import ImageFault, ImageRow, ImageValue, ListedImage, RowKey
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.database.failures import blames_a_row, describe
from airflow_provider_permitocr.sql.database.patience import Read
from airflow_provider_permitocr.sql.source.carried import carried_values
from airflow_provider_permitocr.sql.source.listed_row import listed_image
from airflow_provider_permitocr.sql.source.listing import ListedImages, Listing
from airflow_provider_permitocr.sql.source.read_column import ReadColumn

_BYTES_AT_ONCE: Final = 16 * 1024 * 1024
_REFERENCES_AT_ONCE: Final = 500
#: Images themselves may be small for long before one of several megabytes comes.
_IMAGES_AT_ONCE: Final = 8
_AT_FIRST: Final = 2
#: Error code of a row in which no driver can read the image column, or the whole row.
UNREADABLE: Final = "ImageValueUnreadable"
#: Placeholder for the image among the names of the columns to copy.
_IMAGE: Final = ""
_log = logging.getLogger(__name__)


def fetch_images(read: Read, listing: Listing, listed: Sequence[ListedImage]) -> Iterator[ImageRow]:
    """Fetch the images of these rows, in order; rows that are no longer in the list are left out.

    An unreadable value only affects its row: its image is rejected, or its copied column is NULL.

    :param read: reads one chunk over a connection, so that none stays open while the images are used.
    :raises SourceError: when a row's change time is no longer a time, or a copied value is not of its
        column's kind.
    """
    chunk_size = _ChunkSize()
    unread: Counter[str] = Counter()
    start = 0
    while start < len(listed):
        chunk = listed[start : start + chunk_size.rows]
        start += len(chunk)
        found = _find(read, listing, chunk)
        chunk_size.learn(each.row.image for each in found.values())
        for each in chunk:
            if one := found.pop(each.row_key, None):
                unread.update(one.unread)
                yield one.row
    for column, rows in unread.items():
        _log.warning(
            "the driver of the image list's database cannot read %d values of the copied column %r; they are"
            " NULL in the result",
            *(rows, column),
        )


class _ChunkSize:
    """How many rows to fetch next, judged by earlier rows."""

    def __init__(self) -> None:
        self.rows = _AT_FIRST
        self._largest = 1
        self._kinds: set[bool] = set()

    def learn(self, images: Iterable[ImageValue]) -> None:
        for image in images:
            if isinstance(image, str | bytes):
                self._largest = max(self._largest, len(image))
                self._kinds.add(isinstance(image, str) and image[:5].lower() != "data:")
        at_once = _REFERENCES_AT_ONCE if self._kinds == {True} else _IMAGES_AT_ONCE
        self.rows = max(1, min(at_once, _BYTES_AT_ONCE // self._largest))


class _Found(NamedTuple):
    """A row, and the columns to copy that were not read of it."""

    row: ImageRow
    unread: Sequence[str] = ()


class _UnreadableError(Exception):
    """Rows cannot be read together, because of their values or their size."""


def _find(read: Read, listing: Listing, chunk: Sequence[ListedImage]) -> dict[RowKey, _Found]:
    """Read rows together; if that fails, isolate unreadable rows by a binary search."""
    try:
        return read(partial(_fetch, listing=listing, chunk=chunk))
    except _UnreadableError:
        if len(chunk) == 1:
            return _find_in_part(read, listing, chunk)
    middle = len(chunk) // 2
    return _find(read, listing, chunk[:middle]) | _find(read, listing, chunk[middle:])


def _find_in_part(read: Read, listing: Listing, one: Sequence[ListedImage]) -> dict[RowKey, _Found]:
    """Read one row without the columns that keep it from being read."""
    columns = [_IMAGE, *(each.name for each in listing.carried)]
    without: dict[str, str] = {}
    for column in columns:
        others = dict.fromkeys((each for each in columns if each != column), "")
        try:
            read(partial(_fetch, listing=listing, chunk=one, without=others))
        except _UnreadableError as error:
            without[column] = str(error)
    try:
        return read(partial(_fetch, listing=listing, chunk=one, without=without))
    except _UnreadableError as error:
        (listed,) = one
        fault = ImageFault(UNREADABLE, f"the row cannot be read from the image list: {error}")
        carried = {each.column.name: None for each in listing.carried}
        row = ImageRow(
            listed.image_key, None, listed.card_side, listed.updated_at, carried=dict(carried), fault=fault
        )
        return {listed.row_key: _Found(row)}


def _fetch(
    connection: sa.Connection,
    listing: Listing,
    chunk: Sequence[ListedImage],
    without: Mapping[str, str] | None = None,
) -> dict[RowKey, _Found]:
    """Read rows with their images.

    :param without: why columns are not read.
    :raises _UnreadableError: if the database or its driver fails on a row's value.
    """
    without = without or {}
    if reason := listing.database.why_too_long(connection, [each.source_key for each in chunk]):
        raise _UnreadableError(reason)
    found: dict[RowKey, _Found] = {}
    for images in listing.images:
        if wanted := [each for each in chunk if images.side in (None, each.card_side)]:
            columns = [images.read_image, *(each.read for each in images.carried)]
            names = [_IMAGE, *(each.name for each in images.carried)]
            read = [None if name in without else each for name, each in zip(names, columns, strict=True)]
            statement = images.select_rows(*_values(read), *_faults(read)).where(_is_one_of(images, wanted))
            for row in _rows(connection, statement):
                each = _found(images, row, without)
                found[each.row.row_key] = each
    return found


def _values(columns: Sequence[ReadColumn | None]) -> Iterator[sa.ColumnElement[Any]]:
    return (sa.null() if each is None else each.value for each in columns)


def _faults(columns: Sequence[ReadColumn | None]) -> Iterator[sa.ColumnElement[Any]]:
    return (sa.literal_column("1") if each is None else each.is_unreadable for each in columns)


def _rows(connection: sa.Connection, statement: sa.Select[Any]) -> Sequence[Any]:
    try:
        return connection.execute(statement).all()
    except (SQLAlchemyError, ValueError, ArithmeticError) as error:
        # Drivers raise errors of Python's own for what Python cannot hold.
        if isinstance(error, SQLAlchemyError) and not blames_a_row(error):
            raise
        # The server has already closed it if the statement was too long.
        connection.invalidate()
        raise _UnreadableError(describe(error)) from None


def _is_one_of(images: ListedImages, wanted: Sequence[ListedImage]) -> sa.ColumnElement[bool]:
    if images.side_column is None:
        return images.is_key_of([each.source_key for each in wanted])
    keys: dict[CardSide, list[Any]] = {}
    for each in wanted:
        keys.setdefault(each.card_side, []).append(each.source_key)
    return sa.or_(
        *(
            sa.and_(images.is_key_of(of_side), images.card_side == side.value)
            for side, of_side in keys.items()
        )
    )


def _found(images: ListedImages, row: Any, without: Mapping[str, str]) -> _Found:
    key, side, updated_at, image, *rest = row
    carried, (is_image_unread, *is_unread) = rest[: len(images.carried)], rest[len(images.carried) :]
    listed = listed_image(key, side, updated_at, images.zone)
    image_row = ImageRow(
        listed.image_key,
        _image(image),
        listed.card_side,
        listed.updated_at,
        kind=images.kind,
        carried=carried_values(key, images.carried, carried),
        fault=_fault(images, without.get(_IMAGE)) if is_image_unread else None,
    )
    columns = zip(images.carried, is_unread, strict=True)
    return _Found(image_row, [column.name for column, is_unread_here in columns if is_unread_here])


def _fault(images: ListedImages, reason: str | None) -> ImageFault:
    name = str(images.image.name)
    said = f" ({reason})" if reason else ", such as text that is not in UTF-8"
    return ImageFault(
        UNREADABLE,
        f"the database's driver cannot read this row's value in the image column {name!r}{said}",
    )


def _image(value: Any) -> str | bytes | None:
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return value if value is None or isinstance(value, str | bytes) else str(value)
