"""Which keys of images a ledger can hold."""

from __future__ import annotations

from airflow_provider_permitocr.sql.dialects.database import Database


def key_fault(database: Database, image_key: str) -> str | None:
    """Return why a ledger cannot store a key, without quoting it; None if it can.

    :param database: of the ledger.
    """
    try:
        image_key.encode()
    except UnicodeEncodeError:
        return "it contains characters that are not text"
    if "\x00" in image_key:
        return "it contains a NUL character"
    return database.key_fault(image_key)
