"""Reads the image list: checks it, counts it, and streams it in keyset pages.

Pages instead of one long cursor: a run may last hours, and an open cursor would hold a transaction all
that time, keep the database from cleaning up, and be lost with the connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.errors import SourceError
from airflow_provider_permitocr.core.flatten import clean_text
from airflow_provider_permitocr.core.models import ImageRow, ImageValue
from airflow_provider_permitocr.sql.errors import database_errors, keep_rows_out_of_the_log
from airflow_provider_permitocr.sql.listing import Listing, open_listing
from airflow_provider_permitocr.sql.tables import ImageQuery, ImageTable
from airflow_provider_permitocr.sql.times import as_utc

#: Pages are small until a row shows that its images are no bytes, of several megabytes each.
_ROWS_WITH_BYTES: Final = 20
_ROWS_WITH_REFERENCES: Final = 500
_EXAMPLES: Final = 3
_SIDES: Final = tuple(side.value for side in CardSide)


class SqlImageSource:
    """The image list of an ``ImageTable`` or ``ImageQuery``, on any database that SQLAlchemy speaks to."""

    def __init__(self, engine: sa.Engine, described: ImageTable | ImageQuery) -> None:
        keep_rows_out_of_the_log()
        self._engine = engine
        self._described = described

    def check(self) -> int:
        """Count the list, after making sure that it can be read as described.

        :raises SourceError: for a missing table or column, keys that are NULL or twice there, and sides
            other than FRONT and BACK.
        :raises DatabaseError: when the database cannot be reached.
        """
        with self._connection() as connection:
            listing = open_listing(connection, self._described)
            self._refuse_unknown_sides(connection, listing)
            self._refuse_duplicates(connection, listing)
            counts = _select(
                listing, sa.func.count().label("listed"), sa.func.count(listing.key).label("keys")
            )
            listed, keys = connection.execute(counts).one()
        if keys < listed:
            raise SourceError(
                f"{listed - keys:,} of {listed:,} rows have NULL in the key column {self._described.key!r};"
                " leave these rows out of the list or choose another key"
            )
        return int(listed)

    def pages(self) -> Iterator[Sequence[ImageRow]]:
        """Stream the list in the order of its keys."""
        last: Any | None = None
        size = _ROWS_WITH_BYTES
        with self._connection() as connection:
            listing = open_listing(connection, self._described)
        while True:
            with self._connection() as connection:
                rows = connection.execute(_page(listing, last, size)).all()
            page = [self._image_row(row) for row in rows]
            if page:
                yield page
            if len(rows) < size:
                return
            last = rows[-1]
            kinds = {type(row.image) for row in page}
            size = _ROWS_WITH_REFERENCES if str in kinds and bytes not in kinds else _ROWS_WITH_BYTES

    @contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        with database_errors("reading the image list"), self._engine.connect() as connection:
            yield connection

    def _refuse_unknown_sides(self, connection: sa.Connection, listing: Listing) -> None:
        unknown = _select(listing, sa.func.count()).where(listing.card_side.not_in(_SIDES))
        if rows := connection.execute(unknown).scalar_one():
            # Not which: a column named by mistake may hold people's data.
            raise SourceError(
                f"{rows:,} rows hold something else than FRONT, BACK or NULL in the card side column"
                f" {self._described.card_side!r}; correct them, or name another column"
            )

    def _refuse_duplicates(self, connection: sa.Connection, listing: Listing) -> None:
        twice = _select(listing, *listing.row_key).where(listing.key.is_not(None))
        twice = twice.group_by(*listing.row_key).having(sa.func.count() > 1)
        number = connection.execute(
            sa.select(sa.func.count()).select_from(twice.subquery("twice"))
        ).scalar_one()
        if number:
            examples = ", ".join(repr(str(row[0])) for row in connection.execute(twice.limit(_EXAMPLES)))
            raise SourceError(
                f"{number:,} keys stand twice or more in the list for the same side, such as {examples};"
                f" make {self._described.key!r} unique, or choose another key"
            )

    def _image_row(self, row: Any) -> ImageRow:
        key, image, side, updated_at = row
        try:
            card_side = CardSide(side)
        except ValueError:
            raise SourceError(f"key {key!r}: the card side must be FRONT, BACK or NULL") from None
        return ImageRow(clean_text(str(key)), _image(image), card_side, _utc(key, updated_at))


def _select(listing: Listing, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    return sa.select(*columns).select_from(listing.source).where(*listing.where)


def _page(listing: Listing, last: Any | None, size: int) -> sa.Select[Any]:
    columns = (listing.key, listing.image, listing.card_side.label("side"), listing.updated_at)
    page = _select(listing, *columns).order_by(*listing.row_key).limit(size)
    if last is None:
        return page
    same_key_later_side = sa.and_(listing.key == last[0], listing.card_side > last[2])
    return page.where(sa.or_(listing.key > last[0], same_key_later_side))


def _image(value: Any) -> ImageValue:
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return value if value is None or isinstance(value, str | bytes) else str(value)


def _utc(key: Any, value: Any) -> datetime | None:
    """Read a change time as the driver gives it: a time, a day, or text in ISO form."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = object()
    if value is None:
        return None
    if isinstance(value, datetime):
        return as_utc(value)
    if isinstance(value, date):
        return as_utc(datetime(value.year, value.month, value.day))
    raise SourceError(f"key {key!r}: the updated_at column must hold dates or times")
