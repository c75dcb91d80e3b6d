"""Insert-or-replace by key."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.dialects.replacing import Replacing, Row


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Row],
    *,
    guard: str | None = None,
    keep: Collection[str] = (),
) -> None:
    """Write rows, replacing those with the same primary key, within the connection's transaction.

    :param rows: at least one. No key may occur twice: whether databases refuse that depends on the driver.
    :param guard: a column, such as a version. A row never replaces one with a greater value in it; NULL in
        the table is the smallest. By default rows are always replaced.
    :param keep: columns that keep their value in an existing row; a new row gets the value of ``rows``.
        If these are all columns, existing rows don't change.
    """
    database_of(connection).upsert(connection, table, rows, Replacing(guard, frozenset(keep)))
