"""Times in the headers of answers, and how far they show this machine's clock to be off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

#: Of a header that makes sense.
_LONGEST: Final = 64
_EXPIRED: Final = "AuthFailure.SignatureExpire"
#: A signature may be this old, or that much ahead (tencentcloud.com/document/api/1005/34678).
_MINUTES_ALLOWED: Final = 5


def server_time(headers: Mapping[str, str]) -> float | None:
    """Return the Unix time of a ``Date`` header; None if there is none, or it can't be read."""
    return http_time(headers.get("Date", ""))


def http_time(text: str) -> float | None:
    """Read a time as HTTP writes it; None where it is none."""
    try:
        moment = parsedate_to_datetime(text[:_LONGEST])
        # Without a zone it is GMT, which HTTP has no other than.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def clock_fault(code: str, server: float | None, own: float) -> str:
    """Say how far the clock is off, where a call was refused for it.

    :param code: the refusal's.
    :param server: the server's clock, in Unix time; None: unknown.
    :param own: this machine's.
    :return: advice; '' for other codes, or where the clock can't be told to be at fault.
    """
    if code != _EXPIRED or server is None:
        return ""
    minutes = round((own - server) / 60)
    if abs(minutes) < _MINUTES_ALLOWED:
        return ""
    way = "ahead" if minutes > 0 else "behind"
    return (
        f"Set this machine's clock right: it is {abs(minutes):,} minutes {way}; signatures may be off by"
        f" {_MINUTES_ALLOWED}"
    )
