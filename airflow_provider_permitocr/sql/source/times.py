"""What the times of an image list mean."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any


def as_utc(moment: datetime) -> datetime:
    """Give a time a time zone, if it has none: it is then taken as UTC, everywhere in this package."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_time(value: Any) -> datetime | None:
    """Read a time as a driver gives it: a time, a day, which starts at midnight UTC, or text in ISO form.

    :raises ValueError: when it is none of these; the message does not quote it.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("not a time in ISO form") from None
    if value is None:
        return None
    if isinstance(value, datetime):
        return as_utc(value)
    if isinstance(value, date):
        return as_utc(datetime(value.year, value.month, value.day))
    raise ValueError("neither a date nor a time")
