"""What is known of a database: what this class says of most, and what the class of one says otherwise.

Each database has one file with one subclass, of which there is one object in ``known.DATABASES``. Nobody else
asks which database it is: what matters of it is asked for by what it is for.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import ClassVar


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
    """

    title: ClassVar[str]
    dialects: ClassVar[tuple[str, ...]]
    drivers: ClassVar[tuple[str, ...]]

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


def first_line(words: object) -> str:
    """Return the first line of a driver's words: what follows may be values."""
    return str(words).strip().partition("\n")[0]
