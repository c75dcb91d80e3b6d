"""What is known of a database: what this class says of most, and what the class of one says otherwise.

Each database has one file with one subclass, of which there is one object in ``known.DATABASES``. Nobody else
asks which database it is: what matters of it is asked for by what it is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any, ClassVar

import sqlalchemy as sa

from airflow_provider_permitocr.sql.database.comparing import Typed
from airflow_provider_permitocr.sql.database.replacing import Replacing, Row


class Failure(Enum):
    """What an error means for what was tried."""

    TRANSIENT = auto()  #: the same may succeed a little later
    ROW = auto()  #: one of the rows holds what is not taken; others may be written
    NO_TABLE = auto()  #: there is no such table, or none any more
    READ_ONLY = auto()  #: this server, or this connection to it, takes no changes
    REFUSAL = auto()  #: the same will be refused again


class Database:
    """Facts of one database, and how it does what databases do each in its own way.

    :cvar title: what its users call it.
    :cvar dialects: SQLAlchemy's names for it.
    :cvar drivers: top-level modules of the drivers whose errors are its own.
    :cvar clock: SQL for the time at which a statement is at work, in UTC, even where it, or one before it in
        its transaction, has waited for a lock; None: no ledger can be kept in it.
    :cvar is_of_one_machine: whether it is a file, which workers elsewhere do not have.
    :cvar takes_small_batches: whether it is made for many small transactions; others are filled once, at the
        end of a run.
    :cvar table_options: of SQLAlchemy's, for the tables of a ledger.
    :cvar keys_at_once: how many keys one statement can ask for; drivers take a few thousand parameters.
    """

    title: ClassVar[str]
    dialects: ClassVar[tuple[str, ...]]
    drivers: ClassVar[tuple[str, ...]]
    clock: ClassVar[str | None] = None
    is_of_one_machine: ClassVar[bool] = False
    takes_small_batches: ClassVar[bool] = True
    table_options: ClassVar[Mapping[str, str]] = {}
    keys_at_once: ClassVar[int] = 1_000

    def failure(self, error: BaseException) -> Failure | None:
        """Tell what an error of its driver means; None: what the driver's class of error says.

        :param error: as the driver raised it.
        """
        raise NotImplementedError

    def describe(self, error: BaseException) -> str:
        """Describe an error of its driver without any value of a row.

        :param error: as the driver raised it.
        """
        raise NotImplementedError

    def describe_statement(self, error: BaseException) -> str:
        """Describe an error about a statement of the DAG's author, whose own words are no row's.

        :param error: as the driver raised it.
        """
        return self.describe(error)

    def upsert(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: Replacing
    ) -> None:
        """Write rows, replacing those with the same primary key, within the connection's transaction.

        :param rows: at least one, and no key twice.
        """
        raise NotImplementedError

    def before_lock(self, connection: sa.Connection) -> None:
        """Bound how long this transaction may wait for a ledger's lock, and how long it may keep it."""

    def before_reading_unsettled(self, connection: sa.Connection) -> None:
        """Keep a plan from being chosen that compares each row of a list with each of a ledger."""

    def exact_text(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return text in a form that tells all texts apart."""
        return column

    def key_fault(self, image_key: str) -> str | None:
        """Say why no index of a ledger can hold a key, without quoting it; None where one can."""
        return None

    def is_any_of(self, column: sa.ColumnElement[Any], values: Sequence[str]) -> sa.ColumnElement[bool]:
        """Tell whether a column of a ledger has one of these values."""
        return column.in_(values)

    def in_utc(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Give a time that is kept without a zone, in UTC, one, where other times have one."""
        return column

    def same_text(
        self, connection: sa.Connection, kept: Typed, listed: Typed
    ) -> list[sa.ColumnElement[bool]] | None:
        """Tell whether a text of a ledger is that of a list, exactly as Python would; None: it cannot tell.

        :param kept: a text of a ledger, by which an index finds it.
        :param listed: what a list has, of any type.
        :return: conditions that must all hold.
        """
        return None

    def is_seen(
        self, listed_at: Typed, updated_at: Typed, attempted_at: Typed
    ) -> sa.ColumnElement[bool] | None:
        """Tell whether a ledger has seen what a list says changed, exactly as Python would.

        :param listed_at: when a row of a list changed last.
        :param updated_at: when it had last changed, as the ledger knows; NULL: that is not known.
        :param attempted_at: when the ledger has seen it.
        :return: None where it cannot tell.
        """
        return None

    def schema_of(self, connection: sa.Connection, name: str) -> tuple[str | None, bool]:
        """Return the schema that a table's name without one is in, and whether case tells no tables apart."""
        return connection.dialect.default_schema_name, False

    def engine_without_transactions(self, connection: sa.Connection, table: sa.Table) -> str | None:
        """Name the storage engine of a table that keeps to no transactions; None where it has another."""
        return None


def first_line(words: object) -> str:
    """Return the first line of a driver's words: what follows may be values."""
    return str(words).strip().partition("\n")[0]
