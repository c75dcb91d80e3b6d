"""Runs that leave their windows unfinished."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.engine.run.window import DueFile, Leftovers, LeftRun, Window
from tests.sql.ledger.processes import SUMMARY, LedgerTime, Process, a_run

FILE = DueFile("/lake/permits-1.parquet", None, "parquet")
ALL = Window()
#: How long a process that says nothing more is taken to be alive.
ALIVE = 120


def day(number: int, shard: str | None = None) -> Window:
    start = datetime(2026, 1, number, tzinfo=UTC)
    return Window(start, start + timedelta(days=1), shard)


def begin(engine: sa.Engine, name: str, window: Window = ALL, *, listed: int = 0, **more: Any) -> Process:
    """Begin a run of this name."""
    files = more.pop("files", ())
    run = a_run(name, map_index=more.pop("map_index", -1), try_number=more.pop("try_number", 1))
    return Process(engine, run, listed=listed, run_options={"window": window, "files": files}, **more)


def leave(engine: sa.Engine, name: str, window: Window = ALL, *, left: int = 1, **more: Any) -> Process:
    """Let a run end that has not dealt with all of its window."""
    process = begin(engine, name, window, **more)
    process.ledger.close_run(SUMMARY, whole=False, left=left)
    return process


def die(engine: sa.Engine, time: LedgerTime, name: str, window: Window = ALL, **more: Any) -> Process:
    """Let a run begin, and nothing be heard of it any more."""
    process = begin(engine, name, window, **more)
    time.pass_seconds(ALIVE + 1)
    return process


def names(leftovers: Leftovers | Sequence[LeftRun]) -> list[str]:
    runs = leftovers.runs if isinstance(leftovers, Leftovers) else leftovers
    return [each.run[2] for each in runs]
