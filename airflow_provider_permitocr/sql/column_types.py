"""Whether a column that a database has can hold a column of the result."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from airflow_provider_permitocr.core.columns import KEY_COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.sql.inspection import FoundColumn
from airflow_provider_permitocr.sql.result_schema import sql_type
from airflow_provider_permitocr.sql.source.driver_types import MYSQL

TEXT, DATE, BOOLEAN, INTEGER, FLOAT, NUMBER, TIMESTAMP, UNKNOWN = (
    "text", "date", "boolean", "integer", "float", "number", "timestamp", "unknown",
)  # fmt: skip
_WANTED: Final[dict[ColumnKind, frozenset[str]]] = {
    ColumnKind.KEY: frozenset({TEXT}),
    ColumnKind.TEXT: frozenset({TEXT}),
    ColumnKind.LONG_TEXT: frozenset({TEXT}),
    ColumnKind.DATE: frozenset({DATE}),
    ColumnKind.BOOLEAN: frozenset({BOOLEAN}),
    ColumnKind.INTEGER: frozenset({INTEGER}),
    ColumnKind.FLOAT: frozenset({FLOAT, NUMBER}),
    ColumnKind.TIMESTAMP: frozenset({TIMESTAMP}),
}
#: SQLite keeps days and times as text and booleans as numbers, whatever a column is declared as, and its
#: CREATE TABLE AS declares them so. A number's column would take the leading zeros from a text.
_WANTED_IN_SQLITE: Final[dict[ColumnKind, frozenset[str]]] = {
    ColumnKind.DATE: frozenset({DATE, TEXT, NUMBER}),
    ColumnKind.TIMESTAMP: frozenset({TIMESTAMP, TEXT, NUMBER}),
    ColumnKind.BOOLEAN: frozenset({BOOLEAN, INTEGER, NUMBER}),
    ColumnKind.INTEGER: frozenset({INTEGER, NUMBER}),
}
#: In order, as booleans are integers to some dialects, and enumerations texts to all.
_FAMILIES: Final[tuple[tuple[type[sa.types.TypeEngine[Any]], str], ...]] = (
    (sa.Boolean, BOOLEAN),
    (mysql.TINYINT, BOOLEAN),
    (sa.DateTime, TIMESTAMP),
    (sa.Date, DATE),
    (sa.Integer, INTEGER),
    (sa.Float, FLOAT),
    (sa.Numeric, NUMBER),
    (sa.Enum, "enumeration"),
    (sa.types.NullType, UNKNOWN),
    (sa.String, TEXT),
)
#: What MySQL's character sets are called of which each holds all Chinese characters.
_WIDE: Final = ("utf8mb4", "utf16", "utf16le", "utf32", "gb18030")


def misfit(column: Column, found: FoundColumn, dialect: sa.Dialect) -> str | None:
    """Say why a column cannot hold a column of the result; None where it can.

    :param found: what the database has under its name.
    """
    is_type = found.type.data_type if isinstance(found.type, postgresql.DOMAIN) else found.type
    family = _family(is_type)
    if family not in _wanted(column, dialect.name) and not (family == UNKNOWN and _is_lenient(dialect.name)):
        return f"{column.name} is {_shown(is_type, dialect)} instead of {_shown(sql_type(column), dialect)}"
    if dialect.name in MYSQL and family == TEXT and found.collation:
        if (characters := found.collation.partition("_")[0]) not in _WIDE:
            return f"{column.name} is in {characters} instead of utf8mb4, so that Chinese would not fit in"
        if column.name == "image_key" and not found.collation.endswith("_bin"):
            return (
                f"{column.name} is compared by {found.collation}, which takes different keys as one, and"
                f" should be {_shown(sql_type(column), dialect)}"
            )
    is_padded = isinstance(is_type, sa.CHAR) and dialect.name not in ("sqlite", "duckdb")
    if column.name in (*KEY_COLUMNS, "status") and (is_padded or isinstance(is_type, postgresql.CITEXT)):
        return f"{column.name} is {_shown(is_type, dialect)}, which does not keep text as it is"
    return None


def is_without_zone(column: Column, found: FoundColumn, dialect: sa.Dialect) -> bool:
    """Tell whether a column of the result holds its times without a time zone."""
    if column.kind is not ColumnKind.TIMESTAMP or dialect.name == "sqlite":
        return False
    # Only these kinds of SQLAlchemy's own say so; what other dialects have keeps the zone that it is given.
    return isinstance(found.type, sa.DateTime) and not found.type.timezone and dialect.name != "bigquery"


def _wanted(column: Column, dialect: str) -> frozenset[str]:
    wanted = _WANTED[column.kind]
    if dialect == "sqlite":
        return _WANTED_IN_SQLITE.get(column.kind, wanted)
    if dialect in ("snowflake", "redshift", "oracle") and column.kind is ColumnKind.INTEGER:
        return wanted | {NUMBER}
    return wanted


def _is_lenient(dialect: str) -> bool:
    """Tell whether SQLAlchemy does not know all types of a database, or that has columns without any."""
    return dialect not in ("postgresql", "duckdb", *MYSQL)


def _family(kind: sa.types.TypeEngine[Any]) -> str:
    for known, family in _FAMILIES:
        if isinstance(kind, known):
            return family
    name = type(kind).__name__
    return TIMESTAMP if name.upper().startswith("TIMESTAMP") else name


def _shown(kind: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> str:
    try:
        return kind.compile(dialect)
    except (sa.exc.CompileError, NotImplementedError, AttributeError):
        return type(kind).__name__
