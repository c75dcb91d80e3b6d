"""DAG runs of tasks, as a ledger remembers them: begun with their window, ended with their figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.engine.run.window import DueFile, Window
from airflow_provider_permitocr.errors import FencedError
from airflow_provider_permitocr.sql.ledger.exchange.caller import Caller, is_run
from airflow_provider_permitocr.sql.ledger.tables.clock import now, read_moment
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

#: How long a process counts as alive after its last heartbeat, which it sends every 20 seconds.
_ALIVE: Final = timedelta(seconds=120)


def begin_run(
    connection: sa.Connection,
    tables: LedgerTables,
    caller: Caller,
    window: Window,
    *,
    listed: int = 0,
    files: Sequence[DueFile] = (),
) -> datetime:
    """Register the start of a run, and fence off its other tries.

    :param connection: its transaction holds the ledger's lock.
    :param listed: how many images its window has.
    :param files: what its window is written to.
    :return: when it began.
    :raises FencedError: when a newer try is running.
    """
    runs, is_own = tables.runs, is_run(tables.runs, caller.run_columns)
    known = connection.execute(
        sa.select(runs.c.task_try, runs.c.list_id, runs.c.session_id, runs.c.ended_at).where(is_own)
    ).first()
    mine = caller.run.try_number
    # Of a DAG run that was deleted and made again, the tries start from 1 again.
    if known is not None and known.task_try > mine and _is_under_way(connection, tables, known):
        raise FencedError(f"try {known.task_try} of this task has started, so try {mine} makes no more calls")
    moment = now(connection)
    begun = {
        "list_id": caller.list_id,
        "since": read_moment(window.since),
        "until": read_moment(window.until),
        "shard": window.shard,
        "is_repeatable": int(window.is_repeatable),
        "files": json.dumps([asdict(each) for each in files]) if files else None,
        "task_try": mine,
        "session_id": caller.session_id,
        "alive_until": moment + _ALIVE,
        "listed": listed,
        **dict.fromkeys(("ended_at", "is_whole", "left_images", "calls", "billed", "cost")),
        **dict.fromkeys(("calls_per_second", "outcome")),
    }
    if known is None:
        connection.execute(sa.insert(runs), [caller.run_columns | begun | {"started_at": moment}])
    else:
        connection.execute(sa.update(runs).where(is_own).values(begun))
    return moment


def say_alive(connection: sa.Connection, tables: LedgerTables, caller: Caller) -> None:
    """Have a run taken to be alive for two more minutes."""
    mine = sa.and_(is_run(tables.runs, caller.run_columns), tables.runs.c.session_id == caller.session_id)
    alive = {"alive_until": now(connection) + _ALIVE}
    connection.execute(sa.update(tables.runs).where(mine).values(alive))


def end_run(
    connection: sa.Connection,
    tables: LedgerTables,
    caller: Caller,
    summary: RunSummary,
    whole: bool,
    *,
    left: int = 0,
) -> None:
    """Write down how a run has ended, unless a newer try of it has begun.

    :param whole: every image of its window was dealt with.
    :param left: how many images of it were not.
    """
    runs = tables.runs
    ended = {
        "ended_at": now(connection),
        "is_whole": int(whole),
        "left_images": left,
        "listed": summary.listed,
        "calls": summary.calls,
        "billed": summary.billed,
        "cost": summary.cost_words,
        "calls_per_second": summary.calls_per_second,
        "outcome": str(summary),
    }
    mine = runs.c.session_id == caller.session_id
    connection.execute(sa.update(runs).where(is_run(tables.runs, caller.run_columns), mine).values(ended))


def first_start(connection: sa.Connection, tables: LedgerTables, caller: Caller) -> datetime | None:
    """Return when the first try of a DAG run of a task began, of any of its shards."""
    runs, run = tables.runs.c, caller.run
    statement = sa.select(sa.func.min(runs.started_at)).where(
        runs.dag_id == run.dag_id, runs.task_id == run.task_id, runs.run_id == run.run_id
    )
    return read_moment(connection.execute(statement).scalar())


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
