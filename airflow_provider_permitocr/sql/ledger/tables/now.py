"""Asking the ledger's database for the time."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from airflow_provider_permitocr.sql.ledger.tables.clock import clock, read_clock


def now(connection: sa.Connection) -> datetime:
    """Return the time by the database's clock, in UTC."""
    return read_clock(connection.execute(sa.select(clock(connection))).scalar())
