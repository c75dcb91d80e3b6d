"""A database that is reached through its own connector, with the operations that a target needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.permit.columns import Column
from airflow_provider_permitocr.sql.dialects.database import Connector, Database

if TYPE_CHECKING:
    import pandas as pd
    import sqlalchemy as sa

#: A connection of the connector's own, as Airflow's hook opens it.
Connection: TypeAlias = Any


@dataclass(frozen=True)
class Place:
    """The location of a table or view, by its names in the database.

    :param database, schema, name: as its catalog has them.
    """

    database: str
    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.database}.{self.schema}.{self.name}"


@dataclass(frozen=True)
class StoredColumn:
    """A column as it exists in the database.

    :param name: as stored in the database.
    :param type: the database's name for it, e.g. ``VARCHAR(20)``.
    :param is_filled: whether a row may omit it.
    """

    name: str
    type: str
    is_filled: bool


@dataclass(frozen=True)
class Relation:
    """The relation that a name refers to.

    :param columns: by the name in the result, or by their own name in lower case.
    :param declared_key: column names of the declared primary key, in the same form; empty: none is declared.
    :param definition: a view's SELECT as the database keeps it; None: it may not be read.
    """

    is_view: bool
    columns: Mapping[str, StoredColumn]
    declared_key: frozenset[str] = frozenset()
    definition: str | None = None


@dataclass(frozen=True)
class Merging:
    """How rows replace those with the same key.

    :param key: names of the columns that identify a row.
    :param replaced: names of the columns that an existing row gets; empty: it stays unchanged.
    :param guard: a row never replaces one with a greater value in this column; NULL is the smallest.
    """

    key: Sequence[str]
    replaced: Sequence[str]
    guard: str


class ConnectorDatabase(Database, ABC):
    """Facts of a database that is loaded in bulk through its own connector, without SQLAlchemy.

    The ``get_conn()`` of an Airflow hook opens a connection of that connector. No list is read from such a
    database, and no ledger is kept in it.

    :cvar dialects: none.
    :ivar ledger_titles: the databases that ledgers can be kept in, once all are known.
    """

    dialects = ()
    ledger_titles = ""
    takes_small_batches = False

    def connector(self, hook: Any) -> Connector:
        """Refuse a list or a ledger.

        :raises ConfigurationError: always.
        """
        raise ConfigurationError(
            f"{self.title} can hold result tables, but no ledger and no image list. Keep the ledger in"
            f' one of these, ledger=Ledger("permit_ocr", conn_id="..."): {self.ledger_titles}; and copy a'
            " list there, for example by GenericTransfer in the task before"
        )

    @abstractmethod
    def begin_session(self, connection: Connection) -> None:
        """Set session parameters that would otherwise change names, values or transactions."""

    @abstractmethod
    def locate(self, connection: Connection, table: str) -> Place:
        """Find the location of an existing or new table.

        :param table: ``name``, ``schema.name`` or ``database.schema.name``.
        :raises TargetError: when neither the name nor the connection contains a part.
        """

    @abstractmethod
    def is_named(self, known: str, table: str) -> bool:
        """Return whether a place, as text, may be that of a table in another spelling, without a query."""

    @abstractmethod
    def find(self, connection: Connection, place: Place, columns: Collection[str]) -> Relation | None:
        """Describe what is at a place; None: nothing.

        :param columns: names in the result; a stored name matches in any case.
        """

    @abstractmethod
    def type_of(self, column: Column) -> str:
        """Name the type of a column that is made for a result."""

    @abstractmethod
    def misfit(self, column: Column, stored: StoredColumn) -> str | None:
        """Return why an existing column cannot store a result's values unchanged; None if it can."""

    @abstractmethod
    def create_table(
        self,
        connection: Connection,
        place: Place,
        columns: Sequence[Column],
        key: Sequence[str],
        comment: str,
    ) -> None:
        """Create a table, unless it exists."""

    @abstractmethod
    def add_columns(self, connection: Connection, place: Place, columns: Sequence[Column]) -> None:
        """Add columns to a table, but those that it has by now."""

    @abstractmethod
    def try_rights(self, connection: Connection, place: Place, columns: Sequence[StoredColumn]) -> None:
        """Read, insert and update no row, which fails if a right is missing."""

    @abstractmethod
    def create_view(self, connection: Connection, place: Place, select: str) -> None:
        """Create or replace a view without a moment in which it's missing."""

    @abstractmethod
    def count_and_highest(
        self, connection: Connection, place: Place, version: StoredColumn
    ) -> tuple[int, int | None]:
        """Count a table's rows, and return the highest value of a column."""

    @abstractmethod
    def is_empty(self, connection: Connection, place: Place) -> bool:
        """Return whether a table has no row."""

    @abstractmethod
    def load(
        self,
        connection: Connection,
        place: Place,
        frame: pd.DataFrame,
        columns: Mapping[Column, StoredColumn],
        merging: Merging,
    ) -> None:
        """Bulk-load rows into a table, all or none.

        :param frame: with a column for each of ``columns``; no key may occur twice.
        """

    @abstractmethod
    def delete_older_than_erasure(
        self, connection: Connection, place: Place, columns: Mapping[str, StoredColumn]
    ) -> None:
        """Delete rows of images whose later row has the status "erased".

        :param columns: by their names in the result.
        """

    @abstractmethod
    def dialect(self) -> sa.Dialect:
        """Return a dialect that writes a SELECT as this database reads it."""
