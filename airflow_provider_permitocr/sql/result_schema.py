"""The result's columns in SQL types that hold them under every dialect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.core.columns import COLUMNS, KEY_COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.sql.tables import split_schema

_MYSQL = ("mysql", "mariadb")
#: MySQL cannot index text without a length, and adds up the lengths of a row's columns.
_SHORT_TEXT = sa.Text().with_variant(sa.String(255), *_MYSQL)
_TYPES: dict[ColumnKind, sa.types.TypeEngine[Any]] = {
    ColumnKind.KEY: _SHORT_TEXT,
    ColumnKind.TEXT: _SHORT_TEXT,
    ColumnKind.LONG_TEXT: sa.Text(),
    ColumnKind.DATE: sa.Date(),
    ColumnKind.BOOLEAN: sa.Boolean(),
    ColumnKind.INTEGER: sa.BigInteger(),
    ColumnKind.FLOAT: sa.Double(),
    # Without fractions, an image changed within the second would look changed for ever.
    ColumnKind.TIMESTAMP: sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), *_MYSQL),
}


def result_table(name: str, columns: Sequence[Column] = COLUMNS) -> sa.Table:
    """Describe the result table.

    :param name: with or without ``schema.`` in front.
    :param columns: of the result.
    """
    schema, table = split_schema(name)
    described = (
        sa.Column(
            column.name,
            _TYPES[column.kind],
            primary_key=column.name in KEY_COLUMNS,
            nullable=column.name not in (*KEY_COLUMNS, "status"),
            comment=column.comment,
        )
        for column in columns
    )
    return sa.Table(table, sa.MetaData(), *described, schema=schema)
