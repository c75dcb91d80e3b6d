"""What is known of a database: what this class says of most, and what the class of one says otherwise.

Each database has one file, with one subclass, of which there is one object in ``known.DATABASES``. Nobody
else asks which database it is: what matters of it is asked for by what it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa

from airflow_provider_permitocr.core.errors import ConfigurationError


@dataclass(frozen=True)
class Connector:
    """How the hook of an Airflow connection leads to its database.

    :param scheme: SQLAlchemy's name of the dialect and the driver, e.g. ``postgresql+psycopg``.
    :param connect: opens a connection of that driver, as the hook's own ``get_conn`` does.
    :param file: path of the file that the database is; None: it is none.
    :param options: of ``sqlalchemy.create_engine``.
    """

    scheme: str
    connect: Callable[[], Any]
    file: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


class Database:
    """Facts of one database, and how it does what databases do each in its own way.

    :cvar title: what its users call it.
    :cvar dialects: SQLAlchemy's names for it.
    :cvar conn_types: Airflow's names for it.
    :cvar drivers: top-level modules of the drivers whose errors are its own.
    :cvar driver_packages: what to install, by the top-level module that is missing.
    :cvar read_only_remedy: what to change where the server, endpoint or file takes no changes.
    :cvar is_file: whether it is a file, which opening it would create.
    """

    title: ClassVar[str]
    dialects: ClassVar[tuple[str, ...]]
    conn_types: ClassVar[tuple[str, ...]]
    drivers: ClassVar[tuple[str, ...]]
    driver_packages: ClassVar[Mapping[str, str]] = {}
    read_only_remedy: ClassVar[str] = (
        "name the primary server, or the endpoint for writers, in the connection"
    )
    is_file: ClassVar[bool] = False

    # The connection

    def connector(self, hook: Any) -> Connector:
        """Return how a hook leads to its database; nothing is opened yet.

        What the connection's extra says holds as with the hook's own ``get_conn``, but for what would change
        the rows that are read: cursor classes and encodings.

        :param hook: of an Airflow connection to such a database.
        :raises ConfigurationError: naming what of the connection to change.
        """
        raise NotImplementedError

    def set_up(self, engine: sa.Engine) -> None:
        """Have all sessions of a new engine set up, and what its dialect lacks added. Nothing by default."""

    def set_up_for_ledger(self, engine: sa.Engine) -> None:
        """Limit the sessions of a ledger's engine. Nothing by default.

        A worker that dies in an exchange is to lock nobody out for long.
        """

    def connection_remedy(self, error: BaseException) -> str | None:  # noqa: ARG002
        """Say what to change of a connection that could not be opened.

        :param error: the driver's.
        :return: None where it may be opened a little later.
        """
        return None

    def is_read_only(self, error: BaseException) -> bool:  # noqa: ARG002
        """Whether a driver's error says that the server, endpoint or file takes no changes at all."""
        return False

    # The file

    def file_of(self, engine: sa.Engine) -> str | None:
        """Return the path of the file that a database is; None where it is none."""
        return engine.url.database if self.is_file else None

    def missing_file(self, engine: sa.Engine) -> str | None:
        """Name the file of a database that is not there; None where it is, or where there is no file."""
        file = self.file_of(engine)
        return None if file is None or Path(file).exists() else file

    def require_file(self, engine: sa.Engine, conn_id: str) -> None:
        """Make sure that a database that is a file is there.

        :raises ConfigurationError: when it is not.
        """
        if (file := self.missing_file(engine)) is not None:
            raise ConfigurationError(f"connection {conn_id!r} leads to {file}, which does not exist here")
