"""Counts things in words: ``1 image``, ``1,234 images``."""

from __future__ import annotations


def many(count: int, one: str, several: str | None = None) -> str:
    """Return a count with its word.

    :param one: the words after a 1.
    :param several: those after other counts; None: the same with an s.
    """
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"
