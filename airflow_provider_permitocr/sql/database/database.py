"""What is known of a database: what this class says of most, and what the class of one says otherwise.

Each database has one file, with one subclass, of which there is one object in ``known.DATABASES``. Nobody else
asks which database it is: what matters of it is asked for by what it is for.
"""

from __future__ import annotations

from typing import ClassVar


class Database:
    """Facts of one database, and how it does what databases do each in its own way.

    :cvar title: what its users call it.
    :cvar dialects: SQLAlchemy's names for it.
    :cvar drivers: top-level modules of the drivers whose errors are its own.
    """

    title: ClassVar[str]
    dialects: ClassVar[tuple[str, ...]]
    drivers: ClassVar[tuple[str, ...]]
