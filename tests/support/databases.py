"""The databases that tests run on, by the names that their parameters have."""

from __future__ import annotations

from typing import Final

import pytest
import sqlalchemy as sa

#: For tests of what drivers decide: how values, names and statements reach a database and come back, and
#: which errors they raise.
EVERY_DRIVER: Final = ("psycopg", "psycopg2", "sqlite", "mariadb", "duckdb")
_POSTGRES_DRIVERS: Final = ("psycopg", "psycopg2")


def named_database(request: pytest.FixtureRequest) -> sa.Engine:
    """Return an engine on the empty database that a fixture's parameter names."""
    name = str(request.param)
    if name not in _POSTGRES_DRIVERS:
        engine: sa.Engine = request.getfixturevalue(f"{name}_engine")
        return engine
    server = request.getfixturevalue("postgres")
    url = server.dsn(request.getfixturevalue("postgres_database"), name)
    made: sa.Engine = request.getfixturevalue("new_engine")(url)
    return made
