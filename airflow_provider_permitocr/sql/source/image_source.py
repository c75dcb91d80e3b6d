"""Reads the image list: checks it, counts it, streams it in keyset pages, and fetches its images.

Pages instead of one long cursor: a run may last hours, and an open cursor would hold a transaction all
that time, keep the database from cleaning up, and be lost with the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC
from functools import cached_property, partial
from typing import Any, Final, TypeAlias, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DataError, SQLAlchemyError

from airflow_provider_permitocr.engine.cycle_collector import no_cycles
from airflow_provider_permitocr.engine.key_text import key_text
from airflow_provider_permitocr.engine.models import ImageRow, ListedImage, RowKey
from airflow_provider_permitocr.engine.ports import ImageSource
from airflow_provider_permitocr.engine.run.window import Window
from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.log_privacy import keep_data_out_of_logs
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.options.lists.shard import Shard
from airflow_provider_permitocr.permit.columns import Column
from airflow_provider_permitocr.permit.privacy import Protection
from airflow_provider_permitocr.sql.database.failures import (
    database_errors,
    describe,
    is_denied,
    is_transient,
    lacks_right,
)
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.dialects.dataset import located
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.standing.settled import before_reading, is_settled
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables
from airflow_provider_permitocr.sql.source.image_fetch import fetch_images
from airflow_provider_permitocr.sql.source.keyset import Keyset
from airflow_provider_permitocr.sql.source.list_bounds import Scope
from airflow_provider_permitocr.sql.source.list_check import check_list
from airflow_provider_permitocr.sql.source.listed_row import key_from_text, key_type, listed_image
from airflow_provider_permitocr.sql.source.listing import Listing
from airflow_provider_permitocr.sql.source.open_listing import open_listing

#: Without an index on its keys, each page costs a pass over the whole list, so there should be few. At 20
#: images a second one lasts eight minutes.
_ROWS: Final = 10_000

_FOUND_AT_ONCE: Final = 500
_ALL: Final = Window()

#: None if there is no such ledger.
SettledIn: TypeAlias = Callable[[], tuple[LedgerTables, int] | None]

T = TypeVar("T")


class SqlImageSource:
    """The image list of an ``ImageTable`` or ``ImageQuery``, on any database that SQLAlchemy speaks to.

    :param shard: the part of the list to count and read; the whole list is checked.
    :param settled_in: returns the ledger in the list's own database, and the list's number there: rows that
        are certainly settled are then not even read. Called once, when first needed.
    :param window: its window as ``described`` states it, so that other runs can read it again.
    :param patience: how long to wait for the database; an interrupted read restarts from the beginning.
    :param protection: how copied columns are protected.
    :param declared: copied columns that answers are compared with.
    """

    def __init__(
        self,
        engine: sa.Engine,
        described: ImageTable | ImageQuery,
        *,
        shard: Shard | None = None,
        settled_in: SettledIn | None = None,
        window: Window = _ALL,
        patience: Patience = Patience(),
        protection: Protection = Protection(),
        declared: Collection[str] = (),
        _scope: Scope | None = None,
    ) -> None:
        keep_data_out_of_logs()
        self._patience = patience.at_first()
        self._patience_later = patience
        self._engine = engine
        self._described = described
        self._shard = shard
        self._settled_in = settled_in
        self._window, self._scope = window, _scope
        self._protection, self._declared = protection, declared
        self._listed: int | None = None
        self._left: int | None = None

    def located(self, table: str) -> str:
        """Name a table of the list's database with its schema; known once the database was connected to."""
        return located(self._engine, table)

    def check(self) -> int:
        """Count the list, or this shard of it, after making sure that it can be read as described.

        :raises SourceError: for a missing table or column, keys that are NULL or twice there, and sides
            other than FRONT and BACK.
        :raises DatabaseError: when the database cannot be reached.
        """
        listing = self._listing

        def check(connection: sa.Connection) -> int:
            with self._what_is_denied():
                listed = check_list(connection, listing, self._described)
            return listed if self._shard is None else self._count(connection)

        self._listed = self._read(check)
        return self._listed

    def carried(self) -> Sequence[Column]:
        """Name the columns of the list that are copied into the result."""
        return tuple(each.column for each in self._listing.carried)

    def key_type(self) -> str | None:
        """Name the type of the keys, judged by one of them; None if the list is empty."""
        key = self._listing.key
        one = self._listing.select(key).where(key.is_not(None)).limit(1)
        return self._read(lambda connection: key_type(connection.execute(one).scalar()))

    def settled(self) -> int:
        """Count the rows that ``pages`` leaves out because the ledger knows that they need no call.

        Called once the ledger is prepared.
        """
        if self._is_settled is None:
            return 0
        listed = self.check() if self._listed is None else self._listed
        # Not the settled ones: mostly they are many, and few are left.
        is_unsettled = sa.not_(self._is_settled)
        self._left = self._read(lambda connection: self._count(connection, is_unsettled))
        return max(0, listed - self._left)

    def pages(self) -> Iterator[Sequence[ListedImage]]:
        """Stream the list in its described order, except settled images."""
        if self._left == 0:
            return
        rows = self._listing.select_rows()
        if self._is_settled is not None:
            rows = rows.where(sa.not_(self._is_settled))
        for keyset in self._listing.keysets:
            yield from self._pages(keyset, keyset.first_page(rows, self._limit))

    @property
    def _limit(self) -> int | None:
        """How many rows to ask for at once; None if fewer are known to be left.

        In that case, a limit would mislead PostgreSQL into looking up each row in the hope of an early end.
        """
        is_little = self._left is not None and self._left < _ROWS and self._shard is None
        return None if is_little else _ROWS

    def _pages(self, keyset: Keyset, first: sa.Select[Any]) -> Iterator[Sequence[ListedImage]]:
        page, zone = first, self._listing.zone
        while True:
            read = self._read(partial(self._rows, page))
            with no_cycles():
                listed = [listed_image(row[0], row[1], row[2], zone) for row in read if self._holds(row[0])]
            if listed:
                yield listed
            if len(read) < _ROWS:
                return
            page = first.where(keyset.is_after(read[-1]))

    def images(self, listed: Sequence[ListedImage]) -> Iterator[ImageRow]:
        """Fetch the images of a page's rows, in order, at most about 16 MB at a time.

        Rows that are no longer in the list are left out.
        """
        rows = fetch_images(self._read, self._listing, listed)
        if not self._protection.carried:
            return rows
        protect, declared = self._protection.protect_carried, self._declared
        return (
            replace(
                row,
                carried=protect(row.carried, is_new=True),
                declared={name: value for name, value in row.carried.items() if name in declared},
            )
            for row in rows
        )

    @property
    def window(self) -> Window:
        """Which part of the list is read here."""
        return self._window

    @property
    def is_ordered(self) -> bool:
        """Whether the list's author chose an order."""
        return self._described.order_by is not None

    @property
    def finds_all(self) -> bool:
        """Whether ``find`` not returning an image means that it is no longer in the list."""
        return isinstance(self._described, ImageTable)  # another task may read the list by another query

    def holds(self, image_key: str) -> bool:
        """Return whether an image is of the shard that is read here."""
        return self._shard is None or self._shard.holds(image_key)

    def within(
        self,
        windows: Sequence[Window],
        *,
        besides: ImageSource | None = None,
        found: Sequence[ListedImage] = (),
        settled_too: bool = False,
    ) -> SqlImageSource:
        """Return the same list, read within other windows that all belong to one shard.

        :param windows: empty: this shard's whole part of the list.
        :param besides: rows that it reads are left out here.
        :param found: additional rows to read, as returned by ``find``.
        :param settled_too: also read rows that certainly need no call.
        """
        shard = windows[0].shard if windows else self._window.shard
        other = besides.window if besides else None
        if other is not None and other.shard not in (None, shard):
            other = None  # it reads no rows of this shard, and SQL cannot assign rows to shards
        return SqlImageSource(
            self._engine,
            self._described,
            shard=Shard.parse(shard) if shard else None,
            settled_in=None if settled_too else self._settled_in,
            window=windows[0] if len(windows) == 1 else replace(Window(), shard=shard),
            patience=self._patience_later,
            protection=self._protection,
            declared=self._declared,
            _scope=Scope(tuple(windows), other, tuple(each.source_key for each in found)),
        )

    def find(self, row_keys: Sequence[RowKey]) -> Sequence[ListedImage]:
        """Look up images regardless of this window; images that are not found are left out."""
        everywhere = self.within([], settled_too=True)
        wanted = set(row_keys)
        named = everywhere.key_type()
        keys = {text: key_from_text(text, named) for text, _ in row_keys}
        pages = everywhere.pages() if None in keys.values() else everywhere._rows_with(list(keys.values()))
        return [listed for page in pages for listed in page if listed.row_key in wanted]

    def _rows_with(self, keys: Sequence[Any]) -> Iterator[Sequence[ListedImage]]:
        zone = self._listing.zone
        for start in range(0, len(keys), _FOUND_AT_ONCE):
            read = self._read(partial(self._rows_of, keys[start : start + _FOUND_AT_ONCE]))
            yield [listed_image(row[0], row[1], row[2], zone) for row in read]

    def _rows_of(self, keys: Sequence[Any], connection: sa.Connection) -> Sequence[Any]:
        listing, middle = self._listing, len(keys) // 2
        if middle and listing.database.why_too_long(connection, keys):
            return [*self._rows_of(keys[:middle], connection), *self._rows_of(keys[middle:], connection)]
        return self._rows(listing.select_rows().where(listing.is_key_of(keys)), connection)

    @cached_property
    def _listing(self) -> Listing:
        def open_it(connection: sa.Connection) -> Listing:
            with self._what_is_denied():
                return open_listing(connection, self._described, self._scope)

        return self._read(open_it)

    @contextmanager
    def _what_is_denied(self) -> Iterator[None]:
        """Refuse a list that another try would not be able to read either."""
        try:
            yield
        except SQLAlchemyError as error:
            if is_transient(error) or not is_denied(error):
                raise
            remedy = "correct the list, or choose another column"
            if lacks_right(error):
                remedy = "grant its user SELECT on the list, and a view's owner SELECT on what it reads"
            raise SourceError(
                f"the image list on connection {self._described.conn_id!r} cannot be read: {describe(error)};"
                f" {remedy}"
            ) from None

    @cached_property
    def _is_settled(self) -> sa.ColumnElement[bool] | None:
        known = self._settled_in and self._settled_in()
        if not known:
            return None
        listing = self._listing
        if listing.zone is not UTC:
            # Databases convert local times by their own rules; in an hour that occurs twice, results differ.
            return None
        return self._read(lambda connection: is_settled(connection, listing, *known))

    def _rows(self, statement: sa.Select[Any], connection: sa.Connection) -> Sequence[Any]:
        if self._is_settled is not None:
            before_reading(connection)
        try:
            read = connection.execute(statement)
            with no_cycles():
                return read.all()
        except (DataError, ValueError, ArithmeticError) as error:
            # Of what no database file knows to be unreadable; drivers raise errors of Python's own, too.
            raise SourceError(
                "the driver cannot read a value of the key, updated_at or order_by column"
                f" ({describe(error)}); cast the column to text, in an ImageQuery"
            ) from None

    def _count(self, connection: sa.Connection, *where: sa.ColumnElement[bool]) -> int:
        if where:
            before_reading(connection)
        if self._shard is None:
            return int(connection.execute(self._listing.select(sa.func.count()).where(*where)).scalar_one())
        # Only Python can assign keys to shards, so read the keys, through a server-side cursor if there is
        # one.
        keys = self._listing.select(self._listing.key).where(*where).execution_options(yield_per=_ROWS)
        return sum(self._holds(key) for key in connection.execute(keys).scalars())

    def _holds(self, key: Any) -> bool:
        return self._shard is None or self._shard.holds(key_text(key))

    def _read(self, read: Callable[[sa.Connection], T]) -> T:
        def prepared(connection: sa.Connection) -> T:
            database_of(connection).before_reading(connection)
            return read(connection)

        doing = "reading the image list"
        with database_errors(doing):
            done = self._patience.read(self._engine, prepared, doing)
        self._patience = self._patience_later
        return done
