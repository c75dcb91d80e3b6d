"""Messages that are put together from parts, some of which others have written."""

from __future__ import annotations

from typing import Final

_ENDS: Final = (".", "!", "?", "…", "。")


def sentences(*parts: str) -> str:
    """Join parts as sentences: each but the last ends with one full stop, and empty ones are left out."""
    given = [part.strip() for part in parts if part.strip()]
    ended = [part if part.endswith(_ENDS) else f"{part}." for part in given[:-1]]
    return " ".join([*ended, *given[-1:]])
