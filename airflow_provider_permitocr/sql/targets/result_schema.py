"""The result table: its columns in SQL types that hold them in every database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.options.targets.result_table import WriteMode, split_schema
from airflow_provider_permitocr.permit.columns import COLUMN_NAMES, COLUMNS, KEY_COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.sql.database.types import TYPES, ExactText, LongText, UtcTime
from airflow_provider_permitocr.sql.dialects.known import DATABASES

#: The primary key in each mode; writing a batch twice duplicates no rows.
KEYS: Final[dict[WriteMode, tuple[str, ...]]] = {
    WriteMode.UPSERT: KEY_COLUMNS,
    WriteMode.APPEND: (*KEY_COLUMNS, "processed_at"),
}
_TABLE_COMMENT: Final[dict[WriteMode, str]] = {
    WriteMode.UPSERT: "Mainland travel permits read by MainlandPermitOCR, one row per image and side",
    WriteMode.APPEND: "Mainland travel permits read by MainlandPermitOCR, one row per recognition",
}
TABLE_OPTIONS: Final[dict[str, Any]] = {
    option: value for database in DATABASES for option, value in database.table_options.items()
}


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
    comment = _TABLE_COMMENT[mode]
    return sa.Table(table, sa.MetaData(), *described, schema=schema, comment=comment, **TABLE_OPTIONS)


def sql_type(column: Column) -> sa.types.TypeEngine[Any]:
    """Return the type that holds a column."""
    if column.name == "card_side":
        return ExactText(8)
    if column.name == "image_digest":
        return ExactText(64)  # MySQL indexes no text without a length
    if column.kind is ColumnKind.TEXT and column.name not in COLUMN_NAMES:
        # Copied columns may be of any length.
        return LongText()
    return TYPES[column.kind]
