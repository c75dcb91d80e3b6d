"""An image's key as text: as tables store it, whatever its type in the list or frame, and in messages."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from numbers import Integral, Real
from typing import Any, Final

from airflow_provider_permitocr.permit.answers import clean_text

#: No integer of a database is larger; such a float keeps its own form, 1e+300.
_MOST: Final = 2.0**63
#: In messages, keys are recognizable, but never in full if they are long or URLs with a signature.
_LONGEST_SHOWN: Final = 40


def key_text(key: Any) -> str:
    """Return a key as the result table stores it.

    Bytes become hexadecimal digits. A whole float becomes an integer, because joins with missing rows turn
    integers into floats. Distinct floats stay distinct, so no two keys become one. An instant is in UTC:
    drivers return it in the time zone of the session, and another one would make other images of all.
    """
    if isinstance(key, str):
        return key if key.isascii() and "\x00" not in key else clean_text(key)
    if isinstance(key, bytes | bytearray | memoryview):
        return bytes(key).hex()
    if isinstance(key, Real) and not isinstance(key, Integral) and _is_whole(float(key)):
        return f"{float(key):.0f}"
    if isinstance(key, datetime) and key.tzinfo is not None:
        with suppress(OverflowError):  # at the ends of Python's years, it stays as it is
            key = key.astimezone(UTC)
    return clean_text(str(key))


def shown_key(key: object) -> str:
    """Return a key for a message, in quotes; dots mark a truncated key."""
    text = str(key)
    short = text.partition("?")[0][:_LONGEST_SHOWN]
    return repr(short if short == text else f"{short}…")


def _is_whole(number: float) -> bool:
    return abs(number) < _MOST and number.is_integer()
