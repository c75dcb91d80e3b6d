"""MySQL's text in forms that the ledger compares by."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def in_bytes(text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return MySQL's text in a form that tells all texts apart: its collations take a for A or Ä.

    Binary collations are not enough, as most ignore blanks at the end.
    """
    # Compared with text as the driver gives it.
    return sa.type_coerce(sa.cast(in_utf8(text), sa.BINARY), sa.types.NULLTYPE)


def in_utf8(text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return MySQL's text in the character set that holds all, whatever its column's is."""
    return sa.func.convert(text.op("USING")(sa.literal_column("utf8mb4")))
