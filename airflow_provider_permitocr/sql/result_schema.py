"""The result's columns in SQL types that hold them under every dialect."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql

from airflow_provider_permitocr.core.columns import COLUMNS, KEY_COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.sql.source.driver_types import MYSQL
from airflow_provider_permitocr.sql.source.times import as_utc
from airflow_provider_permitocr.sql.tables import WriteMode, split_schema

#: What makes the rows of each mode one row each; a batch that is written twice doubles none of them.
KEYS: Final[dict[WriteMode, tuple[str, ...]]] = {
    WriteMode.UPSERT: KEY_COLUMNS,
    WriteMode.APPEND: (*KEY_COLUMNS, "processed_at"),
}
_TABLE_COMMENT: Final[dict[WriteMode, str]] = {
    WriteMode.UPSERT: "Mainland travel permits read by MainlandPermitOCR, one row per image and side",
    WriteMode.APPEND: "Mainland travel permits read by MainlandPermitOCR, one row per recognition",
}


class ExactText(sa.types.TypeDecorator[str]):
    """Text of a key: texts that differ in anything, case and trailing blanks included, are different.

    MySQL and MariaDB index no text without a length, and 3,072 bytes of a row at most, SQL Server 900; the
    former's servers each have a name of their own for a collation that compares all of a text.

    :param length: in characters, where that of a key would be too long beside it.
    """

    impl = sa.Text
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__()
        self.length = length

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Return the type for a dialect, and for the server that it is connected to."""
        if dialect.name in MYSQL:
            collation = _exact_collation(dialect)
            return dialect.type_descriptor(
                mysql.VARCHAR(self.length or 512, charset="utf8mb4", collation=collation)
            )
        if dialect.name == "redshift":
            return dialect.type_descriptor(sa.VARCHAR(self.length or 2048))
        if dialect.name == "mssql":
            exact = mssql.NVARCHAR(self.length or 400, collation="Latin1_General_100_BIN2")
            return dialect.type_descriptor(exact)
        return dialect.type_descriptor(sa.Text())


class UtcTime(sa.types.TypeDecorator[datetime]):
    """A time in a column without a time zone: in UTC, whatever zone the session has."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Return the type for a dialect."""
        if dialect.name in MYSQL:
            # Without fractions, an image changed within the second would look changed for ever.
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sa.DateTime())

    def process_bind_param(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        """Take the zone off: a driver would, or the database would turn it into that of the session."""
        return value and as_utc(value).astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        """Give the zone back."""
        return value and as_utc(value)


def _exact_collation(dialect: Any) -> str:
    version = getattr(dialect, "server_version_info", None)
    if getattr(dialect, "is_mariadb", False):
        return "utf8mb4_nopad_bin"
    # Before MySQL 8 none tells trailing blanks apart.
    return "utf8mb4_0900_bin" if version and version >= (8, 0, 17) else "utf8mb4_bin"


_TEXT: Final = (
    sa.Text()
    # No VARCHAR: their lengths add up to what a row may hold, and what is too long would be refused.
    .with_variant(mysql.TEXT(charset="utf8mb4"), *MYSQL)
    # TEXT is VARCHAR(256) there, in bytes, of which a Chinese character takes three.
    .with_variant(sa.VARCHAR(2048), "redshift")
    .with_variant(mssql.NVARCHAR(), "mssql")
)
_LONG_TEXT: Final = (
    sa.Text()
    .with_variant(mysql.LONGTEXT(charset="utf8mb4"), *MYSQL)
    .with_variant(sa.VARCHAR(65535), "redshift")
    .with_variant(mssql.NVARCHAR(), "mssql")
)
_TIMESTAMP: Final = (
    sa.DateTime(timezone=True)
    .with_variant(UtcTime(), *MYSQL)
    # A DateTime is one without a zone there.
    .with_variant(sa.TIMESTAMP(timezone=True), "bigquery")
)
_TYPES: Final[dict[ColumnKind, sa.types.TypeEngine[Any]]] = {
    ColumnKind.KEY: ExactText(),
    ColumnKind.TEXT: _TEXT,
    ColumnKind.LONG_TEXT: _LONG_TEXT,
    ColumnKind.DATE: sa.Date(),
    ColumnKind.BOOLEAN: sa.Boolean(),
    ColumnKind.INTEGER: sa.BigInteger(),
    ColumnKind.FLOAT: sa.Double(),
    ColumnKind.TIMESTAMP: _TIMESTAMP,
}
_OWN: Final = frozenset(column.name for column in COLUMNS)


def result_table(
    name: str,
    columns: Sequence[Column] = COLUMNS,
    *,
    mode: WriteMode | str = WriteMode.UPSERT,
    without_zone: Collection[str] = (),
) -> sa.Table:
    """Describe the result table.

    :param name: with or without ``schema.`` in front.
    :param columns: of the result.
    :param mode: decides the primary key.
    :param without_zone: columns of times that the database keeps without a time zone, as the user made them.
    """
    schema, table = split_schema(name)
    mode = WriteMode(mode)
    key = KEYS[mode]
    described = (
        sa.Column(
            column.name,
            UtcTime() if column.name in without_zone else sql_type(column),
            primary_key=column.name in key,
            nullable=column.name not in (*key, "status"),
            comment=column.comment,
        )
        for column in columns
    )
    return sa.Table(table, sa.MetaData(), *described, schema=schema, comment=_TABLE_COMMENT[mode])


def sql_type(column: Column) -> sa.types.TypeEngine[Any]:
    """Return the type that holds a column."""
    if column.name == "card_side":
        return ExactText(8)
    if column.name == "image_digest":
        return ExactText(64)  # MySQL and SQL Server index no text without a length
    if column.kind is ColumnKind.TEXT and column.name not in _OWN:
        # What is carried along may be of any length.
        return _LONG_TEXT
    return _TYPES[column.kind]
