"""Databases that a ledger can be kept in."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.sql.ledger.ground import prepare_once
from tests.sql.ledger.processes import LedgerTime
from tests.support.databases import named_database
from tests.support.kept_ledger import KeptLedgers


@pytest.fixture
def kept_ledgers(session_ledgers: KeptLedgers, monkeypatch: pytest.MonkeyPatch) -> KeptLedgers | None:
    """Each test's database holds the tables of a ledger; tests of preparing override this."""
    prepare_once(session_ledgers, monkeypatch)
    return session_ledgers


@pytest.fixture(params=["psycopg", "sqlite", "mariadb"])
def database(request: pytest.FixtureRequest, kept_ledgers: KeptLedgers | None) -> sa.Engine:
    """A database; the test runs on PostgreSQL, SQLite and MariaDB."""
    return named_database(request)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> LedgerTime:
    """The database's clock, at noon, which passes only when told to."""
    return LedgerTime(monkeypatch)
