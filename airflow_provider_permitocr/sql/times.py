"""What a time without a time zone means."""

from __future__ import annotations

from datetime import UTC, datetime


def as_utc(moment: datetime) -> datetime:
    """Give a time a time zone, if it has none: it is then taken as UTC, everywhere in this package."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
