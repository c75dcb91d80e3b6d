"""DAG runs of tasks, as a ledger remembers them: begun with their window, ended with their figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.core.errors import FencedError
from airflow_provider_permitocr.core.models import RunSummary
from airflow_provider_permitocr.sql.ledger.caller import Caller
from airflow_provider_permitocr.sql.ledger.clock import read_moment
from airflow_provider_permitocr.sql.ledger.now import now
from airflow_provider_permitocr.sql.ledger.schema import LedgerTables


@dataclass(frozen=True)
class Window:
    """Which part of its list a run reads.

    :param since: only images changed at this time or later; None: all.
    :param until: only images changed before this time; None: all.
    :param shard: such as ``2/4``; None: the whole list.
    """

    since: datetime | None = None
    until: datetime | None = None
    shard: str | None = None


def begin_run(connection: sa.Connection, tables: LedgerTables, caller: Caller, window: Window) -> None:
    """Write down that a run begins, and fence other tries of it.

    :param connection: its transaction holds the ledger's lock.
    :raises FencedError: when a newer try of it is under way.
    """
    runs, is_run = tables.runs, _is_run(tables, caller)
    known = connection.execute(
        sa.select(runs.c.task_try, runs.c.list_id, runs.c.session_id, runs.c.ended_at).where(is_run)
    ).first()
    mine = caller.run.try_number
    # Of a DAG run that was deleted and made again, the tries begin anew.
    if known is not None and known.task_try > mine and _is_under_way(connection, tables, known):
        raise FencedError(
            f"try {known.task_try} of this task has begun, so that try {mine} makes no more calls"
        )
    begun = {
        "list_id": caller.list_id,
        "since": read_moment(window.since),
        "until": read_moment(window.until),
        "shard": window.shard,
        "task_try": mine,
        "session_id": caller.session_id,
        **dict.fromkeys(("ended_at", "is_whole", "listed", "calls", "billed", "cost")),
        **dict.fromkeys(("calls_per_second", "outcome")),
    }
    if known is None:
        row = caller.run_columns | begun | {"started_at": now(connection)}
        connection.execute(sa.insert(runs), [row])
    else:
        connection.execute(sa.update(runs).where(is_run).values(begun))


def end_run(
    connection: sa.Connection, tables: LedgerTables, caller: Caller, summary: RunSummary, whole: bool
) -> None:
    """Write down how a run has ended, unless a newer try of it has begun.

    :param whole: every image of its window was dealt with.
    """
    runs = tables.runs
    ended = {
        "ended_at": now(connection),
        "is_whole": int(whole),
        "listed": summary.listed,
        "calls": summary.calls,
        "billed": summary.billed,
        "cost": summary.cost,
        "calls_per_second": summary.calls_per_second,
        "outcome": str(summary),
    }
    mine = runs.c.session_id == caller.session_id
    connection.execute(sa.update(runs).where(_is_run(tables, caller), mine).values(ended))


def _is_under_way(connection: sa.Connection, tables: LedgerTables, run: Any) -> bool:
    """Whether a run that has not ended is calling for images."""
    if run.ended_at is not None:
        return False
    images = tables.images.c
    held = sa.select(images.image_key).where(
        images.list_id == run.list_id,
        images.held_session == run.session_id,
        images.held_until > now(connection),
    )
    return connection.execute(held.limit(1)).first() is not None


def _is_run(tables: LedgerTables, caller: Caller) -> sa.ColumnElement[bool]:
    return sa.and_(*(tables.runs.c[name] == value for name, value in caller.run_columns.items()))
