"""Which keys of images a ledger can hold, by its database."""

from __future__ import annotations

from typing import Final

from airflow_provider_permitocr.sql.ledger.schema import LONGEST_KEY
from airflow_provider_permitocr.sql.source.driver_types import MYSQL

#: PostgreSQL's index entries have a third of a page at most, 2,704 bytes; list and side take some.
_LONGEST_KEY_IN_BYTES: Final = {"postgresql": 2_600}


def key_fault(dialect: str, image_key: str) -> str | None:
    """Say why a ledger cannot hold a key, without quoting it; None where it can.

    :param dialect: of the ledger's database.
    """
    if dialect in MYSQL and len(image_key) > LONGEST_KEY:
        return f"it has {len(image_key):,} characters, and an index of {dialect} holds {LONGEST_KEY}"
    try:
        size = len(image_key.encode())
    except UnicodeEncodeError:
        return "it holds characters that are no text"
    if "\x00" in image_key:
        return "it holds a NUL character"
    longest = _LONGEST_KEY_IN_BYTES.get(dialect)
    if longest is not None and size > longest:
        return f"it has {size:,} bytes, and an index of {dialect} holds {longest:,}"
    return None
