"""Deletes answers that every target of their list has, if the ledger must not keep them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.sql.ledger.exchange.statements import lock
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.tables.clock import now
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

#: The ledger stays locked while this many rows are deleted.
_CHUNK_ROWS: Final = 500


@dataclass(frozen=True)
class Keeping:
    """How long answers are kept.

    :param days: since the answer; 0: until it is delivered.
    :param session_id: this process, whose own run is ending.
    """

    days: int = 0
    session_id: str = ""


@dataclass(frozen=True)
class Deleted:
    """The outcome of a deletion.

    :param waiting: why answers of the list are still needed, in words; None: the remaining ones are not
        delivered, or too young.
    """

    answers: int = 0
    waiting: str | None = None


def delete_delivered(
    engine: sa.Engine,
    tables: LedgerTables,
    list_id: int,
    keeping: Keeping,
    *,
    is_over: Callable[[], bool] = lambda: False,
) -> Deleted:
    """Delete answers in small batches, unless another run of the list lives, or files are due.

    A live run has answers in memory that other images may reuse; a file needs those of its whole window.

    :param is_over: asked before each batch.
    :raises SQLAlchemyError: when the database cannot be reached.
    """
    deleted, after = 0, ""
    while not is_over():
        with engine.begin() as connection:
            # Behind the lock no image comes to depend on an answer meanwhile.
            lock(connection, tables)
            moment = now(connection)
            if waiting := _waiting(OpenList(connection, tables, list_id), keeping.session_id, moment):
                return Deleted(deleted, waiting)
            before = moment - timedelta(days=keeping.days) if keeping.days else None
            found = list(
                connection.execute(_unneeded(OpenList(connection, tables, list_id), after, before)).scalars()
            )
            if found:
                answers = tables.answers
                done: Any = connection.execute(sa.delete(answers).where(answers.c.call_id.in_(found)))
                deleted += int(done.rowcount)
        if len(found) < _CHUNK_ROWS:
            break
        after = found[-1]
    return Deleted(deleted)


def _waiting(opened: OpenList, session_id: str, moment: datetime) -> str | None:
    runs = opened.tables.runs.c
    lives = sa.and_(runs.session_id != session_id, runs.ended_at.is_(None), runs.alive_until > moment)
    is_unfinished = sa.or_(runs.is_whole.is_(None), runs.is_whole == 0)
    for condition, words in (
        (lives, "another run of the list is under way"),
        (sa.and_(runs.files.is_not(None), is_unfinished), "files of earlier runs are due"),
    ):
        found = sa.select(runs.run_id).where(runs.list_id == opened.list_id, condition).limit(1)
        if opened.connection.execute(found).first() is not None:
            return words
    return None


def _unneeded(opened: OpenList, after: str, before: datetime | None) -> sa.Select[Any]:
    """Select answers that every target has, and that no image still missing from a target depends on."""
    calls, answers, images = opened.tables.calls.c, opened.tables.answers.c, opened.tables.images.c
    deliveries, refused = opened.tables.deliveries.c, opened.tables.refused.c
    lowest = sa.select(sa.func.min(deliveries.version)).where(deliveries.list_id == opened.list_id)
    delivered = opened.connection.execute(lowest).scalar()
    undelivered = sa.select(images.answer_id).where(
        images.list_id == opened.list_id, images.answer_id.is_not(None), images.version > delivered
    )
    is_refused = sa.exists().where(
        refused.delivery_id == deliveries.delivery_id,
        deliveries.list_id == opened.list_id,
        refused.image_key == calls.image_key,
        refused.card_side == calls.card_side,
    )
    taken_by_refused = (
        sa.select(images.answer_id)
        .join(
            opened.tables.refused,
            sa.and_(refused.image_key == images.image_key, refused.card_side == images.card_side),
        )
        .join(opened.tables.deliveries, deliveries.delivery_id == refused.delivery_id)
        .where(
            deliveries.list_id == opened.list_id,
            images.list_id == opened.list_id,
            images.answer_id.is_not(None),
        )
    )
    statement = (
        sa.select(answers.call_id)
        .join(opened.tables.calls, calls.call_id == answers.call_id)
        .where(
            calls.list_id == opened.list_id,
            answers.call_id > after,
            ~is_refused,
            answers.call_id.not_in(taken_by_refused),
        )
        .order_by(answers.call_id)
        .limit(_CHUNK_ROWS)
    )
    if delivered is not None:  # otherwise the list is only written to files
        is_delivered = sa.or_(calls.version <= delivered, calls.version.is_(None))
        statement = statement.where(is_delivered, answers.call_id.not_in(undelivered))
    return statement if before is None else statement.where(calls.answered_at < before)
