"""One row of the image list, as a driver gives it, in this package's own terms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from airflow_provider_permitocr.engine.key_text import key_text, shown_key
from airflow_provider_permitocr.engine.models import ListedImage
from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.source.times import read_time

_SIDES: Final = {side.value: side for side in CardSide}
#: Type families of keys; INT and BIGINT are one family, so any key shows a column's family. First match wins.
_KEY_TYPES: Final[tuple[tuple[str, tuple[type[Any], ...]], ...]] = (
    ("boolean", (bool,)),
    ("integer", (int,)),
    ("float", (float,)),
    ("number", (Decimal,)),
    ("text", (str,)),
    ("uuid", (UUID,)),
    ("bytes", (bytes, bytearray, memoryview)),
    ("timestamp", (datetime,)),
    ("date", (date,)),
    ("time", (time, timedelta)),
)


_FROM_TEXT: Final[dict[str, Callable[[str], Any]]] = {
    "boolean": {"True": True, "False": False}.__getitem__,
    "integer": int,
    "text": str,
    "uuid": UUID,
    "bytes": bytes.fromhex,
    "timestamp": datetime.fromisoformat,
    "date": date.fromisoformat,
}


def key_from_text(text: str, named: str | None) -> Any:
    """Parse a key from its text into the value that the list's database has.

    :param named: its type family.
    :return: None if the text does not determine the value, such as a decimal's or a garbled text.
    """
    if "\ufffd" in text:
        return None
    try:
        return None if named is None or named not in _FROM_TEXT else _FROM_TEXT[named](text)
    except (ValueError, LookupError):
        return None


def key_type(key: Any) -> str | None:
    """Name a key's type family, such as ``integer``; None for None."""
    if key is None:
        return None
    return next((name for name, types in _KEY_TYPES if isinstance(key, types)), type(key).__name__.lower())


def listed_image(key: Any, side: Any, updated_at: Any, zone: tzinfo = UTC) -> ListedImage:
    """Create a line of the list.

    :param zone: of a change time without a zone.
    :raises SourceError: for an invalid side or change time.
    """
    card_side = _SIDES.get(side)
    if card_side is None:
        raise SourceError(f"key {shown_key(key)}: the card side must be FRONT, BACK or NULL; correct it")
    try:
        changed_at = updated_at if updated_at is None else read_time(updated_at, zone)
    except ValueError:
        raise SourceError(
            f"key {shown_key(key)}: the updated_at column must hold dates or times; correct it, or name"
            " another"
        ) from None
    return ListedImage(key_text(key), card_side, changed_at, source_key=key)
