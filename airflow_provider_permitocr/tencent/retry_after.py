"""How long an answer asks to wait before another call (``Retry-After``, RFC 9110 section 10.2.3)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

#: Whoever asks for more is called again all the same: a wrong clock or a typing error should not hold a run
#: for a day, and what is not recognized by then is left to the next one.
MAX_RETRY_AFTER_SECONDS: Final = 300.0
#: Of a header that makes sense.
_LONGEST: Final = 64
_SECONDS: Final = re.compile(r"[0-9]+")


def retry_after(headers: Mapping[str, str], *, now: Callable[[], float] = time.time) -> float | None:
    """Return for how many seconds to wait, 300 at most; None where the answer does not say, or not clearly.

    :param headers: of the answer; where it has a ``Date``, a time to wait for is compared with that, so that
        this machine's clock need not be right.
    :param now: Unix time in seconds.
    """
    said = headers.get("Retry-After", "").strip()[:_LONGEST]
    if _SECONDS.fullmatch(said):
        return min(float(said), MAX_RETRY_AFTER_SECONDS)
    until = _unix_time(said)
    if until is None:
        return None
    sent_at = _unix_time(headers.get("Date", "")[:_LONGEST])
    seconds = until - (now() if sent_at is None else sent_at)
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _unix_time(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        # Without a zone it is GMT, which HTTP has no other than.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
