"""Databases that can hold a ledger, as a task reaches them and as the verdict does."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from labs.ground.servers.postgres import EmbeddedPostgres

#: What Debian's package sets up: root without a password.
_LOCAL_MARIADB: Final = "mysql+pymysql://root@127.0.0.1:3306/?charset=utf8mb4"


@dataclass(frozen=True)
class Database:
    """One database.

    :param url: for SQLAlchemy.
    :param connection: the parts of its Airflow connection.
    :param extra: further settings of that connection.
    """

    url: sa.URL
    connection: Mapping[str, Any] = field(repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def airflow_connection(self, **changes: Any) -> dict[str, Any]:
        """Return its Airflow connection.

        :param changes: further settings, before its own.
        """
        import json

        return {**self.connection, "extra": json.dumps({**self.extra, **changes})}

    def read(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Return the rows of a query; none where a table is missing.

        :param values: of its ``:names``.
        """
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        try:
            with engine.connect() as connection:
                return [dict(row) for row in connection.execute(sa.text(query), values).mappings()]
        except sa.exc.ProgrammingError as error:
            if "exist" not in str(error):
                raise
            return []
        finally:
            engine.dispose()

    def execute(self, statement: str) -> None:
        """Execute a statement and commit."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.execute(sa.text(statement))
        engine.dispose()


def postgres_database(server: EmbeddedPostgres, name: str, **extra: Any) -> Database:
    """Describe a database of a server.

    :param extra: settings of its Airflow connection, such as ``sqlalchemy_scheme``.
    """
    return Database(sa.make_url(server.dsn(name, "psycopg")), server.airflow_connection(name), extra)


@contextmanager
def mariadb_database(name: str) -> Iterator[Database | None]:
    """Make an empty database on the MariaDB or MySQL server that answers, and drop it afterwards.

    Its server is the one of the tests: ``PERMITOCR_TEST_MARIADB``, or the one on this machine.

    :return: None if no server answers.
    :raises RuntimeError: no server answers, and ``PERMITOCR_REQUIRE_MARIADB`` is set.
    """
    server = sa.make_url(os.environ.get("PERMITOCR_TEST_MARIADB", _LOCAL_MARIADB))
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    database = f"permitocr_chaos_{os.getpid()}_{name}"
    try:
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {database} CHARACTER SET utf8mb4"))
    except sa.exc.OperationalError as error:
        if os.environ.get("PERMITOCR_REQUIRE_MARIADB"):
            raise RuntimeError(f"No MariaDB or MySQL answers at {server!r}") from error
        yield None
        return
    connection_parts = {
        "conn_type": "mysql",
        "host": server.host,
        "port": server.port or 3306,
        "login": server.username,
        "password": server.password or "",
        "schema": database,
    }
    try:
        yield Database(server.set(database=database), connection_parts, {"client": "pymysql"})
    finally:
        with engine.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {database}"))
        engine.dispose()
