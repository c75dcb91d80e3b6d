"""Families of SQL types: which of them store a kind of column unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.permit.columns import ColumnKind


class Family(StrEnum):
    """What types that differ only in how much they hold have in common."""

    TEXT = "text"
    DATE = "date"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"  #: of 8 bytes, as Python's
    NUMBER = "number"
    TIMESTAMP = "timestamp"
    UNKNOWN = "unknown"  #: SQLAlchemy does not know the type, or the column has none
    OTHER = "other"


#: What holds each kind.
HOLDING: Final[Mapping[ColumnKind, frozenset[Family]]] = {
    ColumnKind.KEY: frozenset({Family.TEXT}),
    ColumnKind.TEXT: frozenset({Family.TEXT}),
    ColumnKind.LONG_TEXT: frozenset({Family.TEXT}),
    ColumnKind.DATE: frozenset({Family.DATE}),
    ColumnKind.BOOLEAN: frozenset({Family.BOOLEAN}),
    ColumnKind.INTEGER: frozenset({Family.INTEGER}),
    ColumnKind.FLOAT: frozenset({Family.FLOAT, Family.NUMBER}),
    ColumnKind.TIMESTAMP: frozenset({Family.TIMESTAMP}),
}
#: In order, as booleans are integers to some dialects, and enumerations texts to all.
_CLASSES: Final[tuple[tuple[type[sa.types.TypeEngine[Any]], Family], ...]] = (
    (sa.Boolean, Family.BOOLEAN),
    (sa.DateTime, Family.TIMESTAMP),
    (sa.Date, Family.DATE),
    (sa.Integer, Family.INTEGER),
    (sa.Float, Family.FLOAT),
    (sa.Numeric, Family.NUMBER),
    (sa.Enum, Family.OTHER),
    (sa.types.NullType, Family.UNKNOWN),
    (sa.String, Family.TEXT),
)


def family_of(kind: sa.types.TypeEngine[Any]) -> Family:
    """Return the family of a type, by SQLAlchemy's class for it.

    Four-byte floats and fixed-point numbers are excluded: they do not store every float unchanged.
    """
    if isinstance(kind, sa.REAL) or (isinstance(kind, sa.Numeric) and _is_rounded(kind)):
        return Family.OTHER
    return next((family for known, family in _CLASSES if isinstance(kind, known)), Family.OTHER)


def _is_rounded(kind: sa.Numeric[Any]) -> bool:
    return not isinstance(kind, sa.Float) and kind.scale is not None
