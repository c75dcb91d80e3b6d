"""The time by the ledger database's clock, which decides on holds, days and order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.sql.source.times import as_utc, read_time

#: The moment at which the statement is at work: after a lock that it, or one before, has waited for.
#: PostgreSQL's ``now()`` is the begin of the transaction, MySQL's ``NOW()`` in the session's time zone.
_CLOCKS: Final = {
    "postgresql": "clock_timestamp()",
    "mysql": "UTC_TIMESTAMP(6)",
    "mariadb": "UTC_TIMESTAMP(6)",
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')",
}
#: Databases that a ledger can be kept in.
DIALECTS: Final = tuple(_CLOCKS)


def clock(dialect: str) -> sa.ColumnElement[Any]:
    """Return the time as something to select."""
    return sa.literal_column(_CLOCKS[dialect])


def read_clock(value: Any) -> datetime:
    """Read what was selected, in UTC."""
    moment = read_time(value)
    assert moment is not None
    return moment.astimezone(UTC)


def read_moment(value: Any) -> datetime | None:
    """Read a time that the ledger holds, in UTC."""
    return None if value is None else as_utc(value).astimezone(UTC)
