"""Reads the image list: checks it, counts it, streams it in keyset pages, and fetches its images.

Pages instead of one long cursor: a run may last hours, and an open cursor would hold a transaction all
that time, keep the database from cleaning up, and be lost with the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from airflow_provider_permitocr.core.columns import Column
from airflow_provider_permitocr.core.models import ImageRow, ListedImage
from airflow_provider_permitocr.core.shard import Shard
from airflow_provider_permitocr.sql.errors import database_errors, keep_rows_out_of_the_log
from airflow_provider_permitocr.sql.image_fetch import fetch_images
from airflow_provider_permitocr.sql.keyset import Keyset
from airflow_provider_permitocr.sql.list_check import check_list
from airflow_provider_permitocr.sql.listed_row import key_text, listed_image
from airflow_provider_permitocr.sql.listing import Listing, open_listing
from airflow_provider_permitocr.sql.patience import Patience
from airflow_provider_permitocr.sql.result_schema import result_table
from airflow_provider_permitocr.sql.settled import is_settled
from airflow_provider_permitocr.sql.tables import ImageQuery, ImageTable, ResultTable, WriteMode

#: A page may cost a pass over the whole list, where nothing indexes its keys, so there should be few. At 20
#: images a second one lasts eight minutes.
_ROWS: Final = 10_000
#: Before a database has answered once, nothing is lost by giving up; a wrong password should be told soon.
_AT_FIRST_SECONDS: Final = 10.0

T = TypeVar("T")


class SqlImageSource:
    """The image list of an ``ImageTable`` or ``ImageQuery``, on any database that SQLAlchemy speaks to.

    :param shard: the part of the list that is counted and read; all of it is checked.
    :param settled_in: the result table, where it is in the same database as the list: rows that are surely
        settled there are then not even read.
    :param patience: how long to wait for the database; a read that was cut off is repeated whole.
    """

    def __init__(
        self,
        engine: sa.Engine,
        described: ImageTable | ImageQuery,
        *,
        shard: Shard | None = None,
        settled_in: ResultTable | None = None,
        patience: Patience = Patience(),
    ) -> None:
        keep_rows_out_of_the_log()
        self._patience = replace(patience, seconds=min(patience.seconds, _AT_FIRST_SECONDS))
        self._patience_later = patience
        self._engine = engine
        self._described = described
        self._shard = shard
        self._settled_in = settled_in
        self._listed: int | None = None

    def check(self) -> int:
        """Count the list, or this shard of it, after making sure that it can be read as described.

        :raises SourceError: for a missing table or column, keys that are NULL or twice there, and sides
            other than FRONT and BACK.
        :raises DatabaseError: when the database cannot be reached.
        """
        listing = self._listing

        def check(connection: sa.Connection) -> int:
            listed = check_list(connection, listing, self._described)
            return listed if self._shard is None else self._count(connection)

        self._listed = self._read(check)
        return self._listed

    def carried(self) -> Sequence[Column]:
        """Name the columns of the list that go along into the result."""
        return tuple(each.column for each in self._listing.carried)

    def settled(self) -> int:
        """Count the rows that ``pages`` leaves out, as the result table says that they need no call."""
        if self._is_settled is None:
            return 0
        listed = self.check() if self._listed is None else self._listed
        # Not the settled ones: mostly they are many, and few are left.
        is_unsettled = sa.not_(self._is_settled)
        return max(0, listed - self._read(lambda connection: self._count(connection, is_unsettled)))

    def pages(self) -> Iterator[Sequence[ListedImage]]:
        """Stream the list in the order that it is described with, but for what is settled."""
        rows = self._listing.select_rows()
        if self._is_settled is not None:
            rows = rows.where(sa.not_(self._is_settled))
        for keyset in self._listing.keysets:
            yield from self._pages(rows, keyset)

    def _pages(self, rows: sa.Select[Any], keyset: Keyset) -> Iterator[Sequence[ListedImage]]:
        first = page = keyset.first_page(rows, _ROWS)
        while True:
            read = self._read(partial(_all, page))
            if listed := [listed_image(*row[:3]) for row in read if self._holds(row[0])]:
                yield listed
            if len(read) < _ROWS:
                return
            page = first.where(keyset.is_after(read[-1]))

    def images(self, listed: Sequence[ListedImage]) -> Iterator[ImageRow]:
        """Fetch the images of rows of a page, in their order, at most about 16 MB at a time.

        Rows that are no longer in the list are left out.
        """
        return fetch_images(self._read, self._listing, listed)

    @cached_property
    def _listing(self) -> Listing:
        return self._read(lambda connection: open_listing(connection, self._described))

    @cached_property
    def _is_settled(self) -> sa.ColumnElement[bool] | None:
        # Where every recognition is kept, only the last one of a row counts, which Python looks for.
        if self._settled_in is None or self._settled_in.mode is WriteMode.APPEND:
            return None
        listing, results = self._listing, result_table(self._settled_in.table)
        return self._read(lambda connection: is_settled(connection, listing, results))

    def _count(self, connection: sa.Connection, *where: sa.ColumnElement[bool]) -> int:
        if self._shard is None:
            return int(connection.execute(self._listing.select(sa.func.count()).where(*where)).scalar_one())
        # Only Python knows a shard, so its keys are read, by a cursor of the server where it has some.
        keys = self._listing.select(self._listing.key).where(*where).execution_options(yield_per=_ROWS)
        return sum(self._holds(key) for key in connection.execute(keys).scalars())

    def _holds(self, key: Any) -> bool:
        return self._shard is None or self._shard.holds(key_text(key))

    def _read(self, read: Callable[[sa.Connection], T]) -> T:
        doing = "reading the image list"
        with database_errors(doing):
            done = self._patience.read(self._engine, read, doing)
        self._patience = self._patience_later
        return done


def _all(statement: sa.Select[Any], connection: sa.Connection) -> Sequence[Any]:
    return connection.execute(statement).all()
