"""Interprets the times of an image list."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any


def as_utc(moment: datetime) -> datetime:
    """Add UTC to a time without a time zone, as everywhere in this package."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_time(value: Any, zone: tzinfo = UTC) -> datetime | None:
    """Read a time as a driver returns it: a time, a day, which starts at midnight, or text in ISO format.

    :param zone: of times without a zone. If a time occurs twice because clocks were set back, it is the
        first; a time that clocks skipped is shifted by the length of the gap (PEP 495, ``fold=0``).
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
        return value if value.tzinfo else _in_utc(value, zone)
    if isinstance(value, date):
        return _in_utc(datetime(value.year, value.month, value.day), zone)
    raise ValueError("neither a date nor a time")


def local_bound(moment: datetime, zone: tzinfo) -> datetime:
    """Return the first local time, without its zone, that ``read_time`` reads as this instant or later.

    While clocks repeat an hour, that is the end of the hour: all its times are read as of the first pass.
    Skipped times are read as later than some that follow, and stay on their side of the bound.
    """
    local = moment.astimezone(zone)
    if not local.fold:
        return local.replace(tzinfo=None)
    repeated, back = local.replace(fold=0).utcoffset(), local.utcoffset()
    assert repeated is not None
    assert back is not None
    after = int(moment.timestamp())
    before = after - int((repeated - back).total_seconds())
    while after - before > 1:
        middle = (before + after) // 2
        is_set_back = datetime.fromtimestamp(middle, zone).utcoffset() == back
        before, after = (before, middle) if is_set_back else (middle, after)
    return (datetime.fromtimestamp(after, UTC) + repeated).replace(tzinfo=None)


def _in_utc(local: datetime, zone: tzinfo) -> datetime:
    if zone is UTC:
        return local.replace(tzinfo=UTC)
    offset = local.replace(tzinfo=zone, fold=0).utcoffset()
    try:
        return (local - (offset or timedelta())).replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("not a time that Python supports") from None
