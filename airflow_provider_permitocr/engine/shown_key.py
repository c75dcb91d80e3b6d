"""Keys in messages: recognizable, but never in full if they are long or URLs with a signature."""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 40


def shown_key(key: object) -> str:
    """Return a key for a message, in quotes; dots mark a truncated key."""
    text = str(key)
    short = text.partition("?")[0][:_LONGEST]
    return repr(short if short == text else f"{short}…")
