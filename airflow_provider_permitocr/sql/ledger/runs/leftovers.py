"""What runs have left behind: unfinished windows, which the next run takes over, and images to retry."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.engine.run.window import DueFile, Leftovers, LeftRun, Window
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.exchange.caller import RUN_COLUMNS, Caller, is_run
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.tables.clock import now, read_moment
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables, is_after_image


def find_leftovers(
    opened: OpenList, run: dict[str, Any], shard: str | None, *, is_query: bool = False
) -> Leftovers:
    """Return what earlier runs of a list have left behind and no live run holds. Changes nothing.

    :param run: columns of the current run; its own window is not included.
    :param shard: its part of the list. Each shard takes over what the same shard left behind, and the first
        one also what other shards did.
    :param is_query: it reads a query, whose text isn't stored: other tasks may read other rows of the list.
    """
    runs = opened.tables.runs.c
    holder = opened.tables.runs.alias("holder")
    is_held = sa.exists(
        sa.select(sa.literal_column("1"))
        .select_from(holder)
        .where(
            holder.c.session_id == runs.session_id,
            holder.c.ended_at.is_(None),
            holder.c.alive_until > now(opened.connection),
            # The run may ask twice, for instance after an error whose commit was not confirmed.
            sa.not_(is_run(holder, run)),
        )
    )
    statement = (
        sa.select(
            *(runs[name] for name in RUN_COLUMNS),
            *(runs.since, runs.until, runs.shard, runs.is_repeatable, runs.files),
            *(runs.listed, runs.left_images),
        )
        .where(
            runs.list_id == opened.list_id,
            sa.or_(runs.is_whole.is_(None), runs.is_whole == 0),
            sa.not_(is_run(opened.tables.runs, run)),
            sa.not_(is_held),
        )
        # Where databases put NULL differs: a window without an end is the newest.
        .order_by(runs.until.is_(None), runs.until, runs.since.is_not(None), runs.since)
        .order_by(runs.started_at, runs.run_id, runs.map_index)
    )
    if is_query:
        statement = statement.where(_is_same_query(opened.tables, run))
    rows = [row for row in opened.connection.execute(statement).mappings() if _falls_to(shard, row["shard"])]
    left = [_left_run(row) for row in rows]
    unread = [row for row in rows if row["is_repeatable"] == 0]
    counts = (row["listed"] if row["left_images"] is None else row["left_images"] for row in unread)
    return Leftovers(
        runs=tuple(each for each in left if each.window.is_repeatable),
        unread=sum(count or 0 for count in counts),
        unread_runs=tuple(row["run_id"] for row in unread),
    )


def take_leftovers(
    connection: sa.Connection,
    tables: LedgerTables,
    caller: Caller,
    shard: str | None,
    *,
    is_query: bool = False,
) -> Leftovers:
    """Find and claim leftovers; other runs cannot take them while this one lives.

    :param connection: its transaction holds the ledger's lock.
    """
    found = find_leftovers(
        OpenList(connection, tables, caller.list_id), caller.run_columns, shard, is_query=is_query
    )
    for left in found.runs:
        connection.execute(
            sa.update(tables.runs)
            .where(is_run(tables.runs, _columns_of(left)))
            .values(session_id=caller.session_id)
        )
    return found


def close_left(connection: sa.Connection, tables: LedgerTables, caller: Caller, left: LeftRun) -> None:
    """Write down that a window that was taken over is whole, unless its own run has started again."""
    runs = tables.runs.c
    moment = sa.literal(now(connection), runs.ended_at.type)
    connection.execute(
        sa.update(tables.runs)
        .where(is_run(tables.runs, _columns_of(left)), runs.session_id == caller.session_id)
        .values(is_whole=1, left_images=0, ended_at=sa.func.coalesce(runs.ended_at, moment))
    )


def whole_runs(opened: OpenList, *, is_query: bool = False) -> list[LeftRun]:
    """Return runs whose window is complete and was written to files, oldest first.

    :param is_query: whether those runs read the same query is unknown, so their windows cannot be read again.
    """
    runs = opened.tables.runs.c
    statement = (
        sa.select(*(runs[name] for name in RUN_COLUMNS), runs.since, runs.until, runs.shard)
        .add_columns(runs.is_repeatable, runs.files)
        .where(runs.list_id == opened.list_id, runs.is_whole == 1, runs.files.is_not(None))
        .order_by(runs.started_at)
    )
    found = [_left_run(row) for row in opened.connection.execute(statement).mappings()]
    if is_query:
        return [replace(each, window=replace(each.window, is_repeatable=False)) for each in found]
    return found


def unsettled(
    opened: OpenList, *, before: datetime, after: RowKey | None, most: int, only_redone: bool
) -> list[RowKey]:
    """Return images to retry or to redo, by key.

    :param before: only images tried before this time, the start of the current run.
    :param after: the last image of the previous page.
    :param only_redone: only images to redo.
    """
    images = opened.tables.images.c
    statuses = (Status.REDO,) if only_redone else (Status.RETRY, Status.REDO)
    statement = sa.select(images.image_key, images.card_side).where(
        images.list_id == opened.list_id,
        images.attempt_status.in_([status.value for status in statuses]),
        images.attempted_at < before,
        is_after_image(opened.tables, after),
    )
    statement = statement.order_by(images.image_key, images.card_side).limit(most)
    return [(key, CardSide(side)) for key, side in opened.connection.execute(statement)]


def _falls_to(shard: str | None, other: str | None) -> bool:
    """Return whether a run takes over a shard's leftovers: each shard goes to one of the concurrent runs."""
    if shard is None or shard == other:
        return True
    is_first = shard.startswith("1/")
    is_same_split = other is not None and other.partition("/")[2] == shard.partition("/")[2]
    return is_first and not is_same_split


def _is_same_query(tables: LedgerTables, run: dict[str, Any]) -> sa.ColumnElement[bool]:
    """Return which runs belong to the same task, and to the same part if it is mapped over queries."""
    runs = tables.runs.c
    is_of_task = sa.and_(runs.dag_id == run["dag_id"], runs.task_id == run["task_id"])
    return sa.and_(is_of_task, sa.or_(runs.map_index == run["map_index"], runs.shard.is_not(None)))


def _left_run(row: Any) -> LeftRun:
    window = Window(
        read_moment(row["since"]),
        read_moment(row["until"]),
        row["shard"],
        is_repeatable=row["is_repeatable"] != 0,
    )
    files = tuple(DueFile(**each) for each in json.loads(row["files"] or "[]"))
    return LeftRun(tuple(row[name] for name in RUN_COLUMNS), window, files)


def _columns_of(left: LeftRun) -> dict[str, Any]:
    return dict(zip(RUN_COLUMNS, left.run, strict=True))
