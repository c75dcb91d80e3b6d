"""Databases that a ledger can be kept in."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.sql.ledger.processes import LedgerTime


@pytest.fixture(params=["psycopg", "psycopg2", "sqlite", "mariadb"])
def database(request: pytest.FixtureRequest) -> sa.Engine:
    """An empty database; the test runs on PostgreSQL through both drivers, SQLite and MariaDB."""
    if request.param in ("sqlite", "mariadb"):
        engine: sa.Engine = request.getfixturevalue(f"{request.param}_engine")
        return engine
    server = request.getfixturevalue("postgres")
    name = request.getfixturevalue("postgres_database")
    made: sa.Engine = request.getfixturevalue("new_engine")(server.dsn(name, request.param))
    return made


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> LedgerTime:
    """The database's clock, at noon, which passes only when told to."""
    return LedgerTime(monkeypatch)
