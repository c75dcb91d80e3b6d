"""Fetches the images of listed rows, as many at a time as memory allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.models import ImageRow, ImageValue, ListedImage, RowKey
from airflow_provider_permitocr.sql.database.patience import Read
from airflow_provider_permitocr.sql.source.carried import carried_values
from airflow_provider_permitocr.sql.source.listed_row import listed_image
from airflow_provider_permitocr.sql.source.listing import ListedImages, Listing

_BYTES_AT_ONCE: Final = 16 * 1024 * 1024
_REFERENCES_AT_ONCE: Final = 500
#: Images themselves may be small for long before one of several megabytes comes.
_IMAGES_AT_ONCE: Final = 8
_AT_FIRST: Final = 2


def fetch_images(read: Read, listing: Listing, listed: Sequence[ListedImage]) -> Iterator[ImageRow]:
    """Fetch the images of these rows, in their order; rows that are no longer in the list are left out.

    :param read: reads one chunk over a connection, so that none stays open while the images are used.
    :raises SourceError: when a row's change time has become none, or a value that goes along is not of its
        column's kind.
    """
    chunk_size = _ChunkSize()
    start = 0
    while start < len(listed):
        chunk = listed[start : start + chunk_size.rows]
        start += len(chunk)
        found = read(partial(_fetch, listing=listing, chunk=chunk))
        chunk_size.learn(row.image for row in found.values())
        for each in chunk:
            if row := found.pop(each.row_key, None):
                yield row


class _ChunkSize:
    """How many rows to fetch next, from what has been seen."""

    def __init__(self) -> None:
        self.rows = _AT_FIRST
        self._largest = 1
        self._kinds: set[bool] = set()

    def learn(self, images: Iterable[ImageValue]) -> None:
        for image in images:
            if image is not None:
                self._largest = max(self._largest, len(image))
                self._kinds.add(isinstance(image, str) and image[:5].lower() != "data:")
        at_once = _REFERENCES_AT_ONCE if self._kinds == {True} else _IMAGES_AT_ONCE
        self.rows = max(1, min(at_once, _BYTES_AT_ONCE // self._largest))


def _fetch(
    connection: sa.Connection, listing: Listing, chunk: Sequence[ListedImage]
) -> dict[RowKey, ImageRow]:
    found: dict[RowKey, ImageRow] = {}
    for images in listing.images:
        if wanted := [each for each in chunk if images.side in (None, each.card_side)]:
            carried = (each.read for each in images.carried)
            statement = images.select_rows(images.image, *carried).where(_is_one_of(images, wanted))
            rows = (_image_row(images, row) for row in connection.execute(statement))
            found.update((row.row_key, row) for row in rows)
    return found


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


def _image_row(images: ListedImages, row: Any) -> ImageRow:
    key, side, updated_at, image, *carried = row
    listed = listed_image(key, side, updated_at)
    return ImageRow(
        listed.image_key,
        _image(image),
        listed.card_side,
        listed.updated_at,
        kind=images.kind,
        carried=carried_values(key, images.carried, carried),
    )


def _image(value: Any) -> ImageValue:
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return value if value is None or isinstance(value, str | bytes) else str(value)
