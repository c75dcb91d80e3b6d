"""A PostgreSQL server for the proof: an existing one, or else a new one."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from labs.ground.servers.airflow_services import DatabaseServer
from labs.ground.servers.postgres import EmbeddedPostgres

#: Names a server whose user may create databases, e.g. ``postgresql://postgres@127.0.0.1:5432/postgres``.
VARIABLE: Final = "PERMITOCR_TEST_POSTGRES"
_LOCAL: Final = "postgresql://postgres@127.0.0.1:5432/postgres"
_CONNECT_SECONDS: Final = 3


class SharedPostgres:
    """A shared server: its databases have unique names and are dropped at the end.

    :param url: libpq URI of a database to connect to first.
    :raises psycopg.Error: it does not answer.
    """

    def __init__(self, url: str) -> None:
        self._prefix = f"permitocr_{secrets.token_hex(4)}"
        self._created: set[str] = set()
        self._admin = psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_SECONDS)
        self._parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in self._created:
            self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        self._admin.close()

    def dsn(self, database: str, driver: str = "") -> str:
        """Return a URI for a database.

        :param database: its name, without the prefix.
        :param driver: SQLAlchemy's name of a driver; without it the URI is libpq's.
        """
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        login = quote(self._part("user", "postgres"))
        password = self._part("password", "")
        secret = f":{quote(password, safe='')}" if password else ""
        return f"{scheme}://{login}{secret}@{self._host}:{self._port}/{self._name(database)}"

    def airflow_connection(self, database: str) -> dict[str, str | int]:
        """Return an Airflow connection to a database.

        :param database: its name, without the prefix.
        """
        return {
            "conn_type": "postgres",
            "host": self._host,
            "port": self._port,
            "login": self._part("user", "postgres"),
            "password": self._part("password", ""),
            "schema": self._name(database),
        }

    def create_database(self, name: str, *, replace: bool = False) -> None:
        """Create a database.

        :param name: its name, without the prefix.
        :param replace: drop one that this object created before.
        """
        if replace:
            self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        self._run("CREATE DATABASE {}", name)
        self._created.add(name)

    @property
    def _host(self) -> str:
        return self._part("host", "127.0.0.1")

    @property
    def _port(self) -> int:
        return int(self._part("port", "5432"))

    def _part(self, name: str, default: str) -> str:
        return self._parts.get(name, default)

    def _name(self, database: str) -> str:
        return f"{self._prefix}_{database}"

    def _run(self, statement: str, database: str) -> None:
        self._admin.execute(sql.SQL(statement).format(sql.Identifier(self._name(database))))


@contextlib.contextmanager
def postgres_server(state: Path) -> Iterator[DatabaseServer]:
    """Return the server that the environment names, this machine's, or an embedded one.

    :param state: directory for an embedded one.
    :raises psycopg.Error: the server that the environment names does not respond.
    """
    named = os.environ.get(VARIABLE)
    if named or _answers(_LOCAL):
        with SharedPostgres(named or _LOCAL) as shared:
            yield shared
    else:
        with EmbeddedPostgres(state / "postgres") as embedded:
            yield embedded


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=_CONNECT_SECONDS) as connection:
            found = connection.execute("SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user")
            return (found.fetchone() or (False,))[0] is True
    except psycopg.Error:
        return False
