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

    :param rows: at least one, and no key twice, which databases would refuse or not, depending on the driver.
    :param guard: a column, such as a version, by which a row is replaced by none that has less there; NULL in
        the table is less than all. By default rows are always replaced.
    :param keep: columns that an existing row keeps; a new row gets what ``rows`` says. Where these are
        all columns, an existing row stays unchanged.
    """
    database_of(connection).upsert(connection, table, rows, Replacing(guard, frozenset(keep)))
