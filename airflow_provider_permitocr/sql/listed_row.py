"""One row of the image list, as a driver gives it, in this package's own terms."""

from __future__ import annotations

from typing import Any

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.errors import SourceError
from airflow_provider_permitocr.core.flatten import clean_text
from airflow_provider_permitocr.core.models import ListedImage
from airflow_provider_permitocr.sql.times import read_time


def key_text(key: Any) -> str:
    """Return a key as the result table has it; bytes become hexadecimal digits."""
    if isinstance(key, str):
        return key if key.isascii() and "\x00" not in key else clean_text(key)
    return bytes(key).hex() if isinstance(key, bytes | bytearray | memoryview) else clean_text(str(key))


def listed_image(key: Any, side: Any, updated_at: Any) -> ListedImage:
    """Make a line of the list.

    :raises SourceError: for a side that is none, and a change time that is none.
    """
    try:
        card_side = CardSide(side)
    except ValueError:
        raise SourceError(f"key {key!r}: the card side must be FRONT, BACK or NULL") from None
    try:
        changed_at = read_time(updated_at)
    except ValueError:
        raise SourceError(f"key {key!r}: the updated_at column must hold dates or times") from None
    return ListedImage(key_text(key), card_side, changed_at, source_key=key)
