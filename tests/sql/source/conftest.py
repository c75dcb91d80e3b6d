"""Lists are read through every driver: each returns values of its own."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.support.databases import EVERY_DRIVER, named_database


@pytest.fixture(params=EVERY_DRIVER)
def database(request: pytest.FixtureRequest) -> sa.Engine:
    """An empty database; the test runs on PostgreSQL through both drivers, SQLite, MariaDB and DuckDB."""
    return named_database(request)
