"""The time by the ledger database's clock, which decides on holds, days and order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.source.times import as_utc, read_time


def clock(connection: sa.Connection) -> sa.ColumnElement[Any]:
    """Return the time as something to select."""
    clock = database_of(connection).clock
    assert clock is not None, "a ledger is prepared only in such a database"
    return sa.literal_column(clock)


def read_clock(value: Any) -> datetime:
    """Read the selected times, in UTC."""
    moment = read_time(value)
    assert moment is not None
    return moment.astimezone(UTC)


def read_moment(value: Any) -> datetime | None:
    """Read a time that the ledger holds, in UTC."""
    return None if value is None else as_utc(value).astimezone(UTC)


def now(connection: sa.Connection) -> datetime:
    """Return the time by the database's clock, in UTC."""
    return read_clock(connection.execute(sa.select(clock(connection))).scalar())
