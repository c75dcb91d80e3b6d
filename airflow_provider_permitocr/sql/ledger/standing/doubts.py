"""Keeps ``is_doubtful`` of a ledger's images as this version's rules and the task's options have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.deliveries import Delivered
from airflow_provider_permitocr.permit.answers import Reading
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.standing.standings import Read, reading_pages
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

#: An answer may hold a portrait.
_AT_ONCE: Final = 500

Change = Callable[[Callable[[OpenList], None]], None]


def examine_again(read: Read, change: Change, tables: LedgerTables, reading: Reading) -> int:
    """Examine all answers in force again, and correct what images say of them.

    Targets are unaffected: they get flags from the answers themselves.

    :param change: does a change under the ledger's lock; it may be done twice.
    :return: how many images were corrected.
    """
    is_recognized = tables.images.c.status == Status.RECOGNIZED.value
    corrected = 0
    for found in reading_pages(read, is_recognized, _AT_ONCE, reading):
        if rows := _differing(found):
            change(partial(_correct, rows=rows))
            corrected += len(rows)
    return corrected


def _differing(found: Sequence[Delivered]) -> list[dict[str, Any]]:
    rows = []
    for each in found:
        is_doubtful = (each.fields or {}).get("is_doubtful")
        if isinstance(is_doubtful, bool) and is_doubtful is not each.standing.is_doubtful:
            key, side = each.row_key
            answer = {"of_key": key, "of_side": side.value, "of_answer": each.standing.answer_id}
            rows.append({**answer, "is_doubtful": int(is_doubtful)})
    return rows


def _correct(opened: OpenList, rows: Sequence[dict[str, Any]]) -> None:
    images = opened.tables.images
    statement = (
        sa.update(images)
        .where(
            images.c.list_id == opened.list_id,
            images.c.image_key == sa.bindparam("of_key"),
            images.c.card_side == sa.bindparam("of_side"),
            # A newer answer was examined when it came.
            images.c.answer_id == sa.bindparam("of_answer"),
        )
        .values(is_doubtful=sa.bindparam("is_doubtful"))
    )
    opened.connection.execute(statement, rows)
