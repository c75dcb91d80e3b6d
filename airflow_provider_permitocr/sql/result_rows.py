"""Reads rows of the result table back, by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.columns import Column
from airflow_provider_permitocr.core.models import Record, RowKey
from airflow_provider_permitocr.sql.errors import database_errors, keep_rows_out_of_the_log
from airflow_provider_permitocr.sql.patience import Patience
from airflow_provider_permitocr.sql.result_schema import result_table
from airflow_provider_permitocr.sql.tables import ResultTable
from airflow_provider_permitocr.sql.times import as_utc

#: Drivers take a few thousand parameters in one statement; SQL Server 2,100.
_KEYS_AT_ONCE: Final = 1_000
_TABLES_KEPT: Final = 8


class SqlResultRows:
    """The rows of a ``ResultTable``, on any database that SQLAlchemy speaks to.

    :param patience: how long to wait for the database.
    """

    def __init__(self, engine: sa.Engine, described: ResultTable, *, patience: Patience = Patience()) -> None:
        keep_rows_out_of_the_log()
        self._patience = patience
        self._engine = engine
        self._described = described

    def read(self, row_keys: Sequence[RowKey], columns: Sequence[Column]) -> Mapping[RowKey, Record]:
        """Read rows by key, those that are there; of several of one key the latest.

        :return: plain values, times in UTC.
        :raises DatabaseError: when the database cannot be reached.
        """
        doing = f"reading the result table {self._described.table!r}"
        with database_errors(doing):
            return self._patience.read(
                self._engine, lambda connection: self._read(connection, row_keys, columns), doing
            )

    def _read(
        self, connection: sa.Connection, row_keys: Sequence[RowKey], columns: Sequence[Column]
    ) -> Mapping[RowKey, Record]:
        wanted = set(row_keys)
        image_keys = list(dict.fromkeys(image_key for image_key, _ in row_keys))
        rows: dict[RowKey, Record] = {}
        for start in range(0, len(image_keys), _KEYS_AT_ONCE):
            statement = self._select(image_keys[start : start + _KEYS_AT_ONCE], columns)
            for row in connection.execute(statement).mappings():
                row_key = (row["image_key"], row["card_side"])
                if row_key in wanted:
                    rows[row_key[0], CardSide(row_key[1])] = _plain(row)
        return rows

    def _select(self, image_keys: list[str], columns: Sequence[Column]) -> sa.Select[Any]:
        table = _table(self._described.table, tuple(columns))
        by_time = sa.select(*table.c).order_by(table.c.processed_at)
        return by_time.where(table.c.image_key.in_(image_keys))


@lru_cache(_TABLES_KEPT)
def _table(name: str, columns: tuple[Column, ...]) -> sa.Table:
    """Describe the result table, once: SQLAlchemy keeps what it compiled for each description of a table."""
    return result_table(name, columns)


def _plain(row: Mapping[Any, Any]) -> Record:
    return {
        str(name): as_utc(value).astimezone(UTC) if isinstance(value, datetime) else value
        for name, value in row.items()
    }
