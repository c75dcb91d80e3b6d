"""What is known of a database: what this class says of most, and what the class of one says otherwise.

Each database has one file with one subclass, of which there is one object in ``known.DATABASES``. Nobody else
asks which database it is: what matters of it is asked for by what it is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import contextmanager
from enum import Enum, auto
from typing import ClassVar, Final

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex

#: How long one try to change a table or view waits for a lock: all who read it later wait behind it.
LOCK_SECONDS: Final = 2


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
    :cvar changes_in_transactions: whether changes of tables can be rolled back.
    :cvar replaces_views: whether it knows ``CREATE OR REPLACE VIEW``.
    """

    title: ClassVar[str]
    dialects: ClassVar[tuple[str, ...]]
    drivers: ClassVar[tuple[str, ...]]
    changes_in_transactions: ClassVar[bool] = True
    replaces_views: ClassVar[bool] = True

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

    # Changes of tables, indexes and views.

    @contextmanager
    def changing(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Begin a transaction that changes tables or views, and commit it.

        None of its statements waits longer than ``LOCK_SECONDS`` for a lock, where the database can be told.
        Settings of the session are afterwards as they were.

        :raises SQLAlchemyError: when the database refuses, or a lock is not to be had.
        """
        with engine.begin() as connection:
            yield connection

    def create_index(self, engine: sa.Engine, index: sa.Index) -> None:
        """Create an index of a table that may be in use, without waiting for long.

        :raises SQLAlchemyError: when it cannot be made, or not now.
        """
        with self.changing(engine) as connection:
            connection.execute(CreateIndex(index))

    def unusable_indexes(self, connection: sa.Connection, schema: str | None) -> Set[str]:  # noqa: ARG002
        """Return the names of indexes that are there and of no use, and that nobody is making.

        :param schema: whose they are; None: the one that is current.
        """
        return frozenset()

    def is_locked(self, error: BaseException) -> bool:  # noqa: ARG002
        """Tell whether another session holds a lock that was not to be had in time.

        :param error: as the driver raised it.
        """
        return False

    def is_made_already(self, error: BaseException) -> bool:  # noqa: ARG002
        """Tell whether a change was refused because another session has just made the same or a similar one.

        :param error: as the driver raised it.
        """
        return False

    def finding_holders(self, table: str) -> str:  # noqa: ARG002
        """Say how to find who holds a lock on a table or view.

        :param table: its name as a statement has it.
        """
        return "look for other programs that use the file"


def first_line(words: object) -> str:
    """Return the first line of a driver's words: what follows may be values."""
    return str(words).strip().partition("\n")[0]
