"""The row in force of each image and side: in a history, the last of several."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.options.targets.result_table import WriteMode


def latest_rows(
    table: sa.TableClause, mode: WriteMode | str, *conditions: sa.ColumnElement[bool]
) -> sa.Select[Any]:
    """Select the row in force of each image and side.

    :param table: a result table, with the columns to select.
    :param mode: of the table; with mode ``upsert``, all rows are in force.
    :param conditions: about images and sides only, because an older row might not meet others.
    """
    if mode == WriteMode.UPSERT:
        return sa.select(*table.c).where(*conditions)
    # Rows without a version are older than the ledger.
    version = sa.func.coalesce(table.c.version, sa.literal_column("-1"))
    recency = sa.func.row_number().over(
        partition_by=(table.c.image_key, table.c.card_side),
        order_by=(version.desc(), table.c.processed_at.desc()),
    )
    ranked = (
        sa.select(table, recency.label("permitocr_recency")).where(*conditions).subquery("permitocr_rows")
    )
    last = ranked.c.permitocr_recency == sa.literal_column("1")
    return sa.select(*(ranked.c[each.name] for each in table.c)).where(last)
