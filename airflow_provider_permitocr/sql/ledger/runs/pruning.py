"""Deletes what a ledger no longer needs: old calls and runs that nothing depends on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.sql.database.failures import database_errors
from airflow_provider_permitocr.sql.database.paging import chunks, is_after
from airflow_provider_permitocr.sql.database.rights import require_rights
from airflow_provider_permitocr.sql.ledger.exchange.caller import run_period
from airflow_provider_permitocr.sql.ledger.exchange.statements import lock
from airflow_provider_permitocr.sql.ledger.standing.delivered_answers import Keeping, delete_delivered
from airflow_provider_permitocr.sql.ledger.tables.clock import now
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables, is_same_image

#: The ledger stays locked while this many rows are deleted.
_CHUNK_ROWS: Final = 500
#: With more parameters, MySQL estimates from statistics instead of probing the index.
_DIGESTS_AT_ONCE: Final = 100
#: Answers without a call per query; checking whether images use them scans all images.
_ORPHANS_AT_ONCE: Final = 10_000
_DAY: Final = "day "


@dataclass(frozen=True)
class Pruned:
    """How many rows were deleted."""

    calls: int
    answers: int
    runs: int
    counters: int
    reviews: int = 0


def prune(
    engine: sa.Engine, tables: LedgerTables, older_than_days: int, days_kept: int | None = None
) -> Pruned:
    """Delete old calls, answers, runs, counters and reviews that nothing depends on.

    A call stays while its answer is in force for an image or waits in a journal, or while it holds an image;
    a run stays while its window is unfinished, and a decision while it is about the answer in force. Runs may
    continue meanwhile.

    :param older_than_days: 1 or more, by the ledger's clock.
    :param days_kept: how long to keep answers in force after they reached every target; None: permanently.
    :raises TargetError: when the user may not delete.
    :raises DatabaseError: when the database cannot be reached.
    """
    if older_than_days < 1:
        raise ValueError(f"older_than_days must be 1 or more, not {older_than_days}")
    with database_errors("pruning the ledger"):
        with engine.connect() as connection:
            for table in (tables.calls, tables.answers, tables.runs, tables.counters, tables.reviews):
                named = f"the ledger's table {table.fullname!r}"
                require_rights(connection, table, named=named, with_delete=True)
            before = now(connection) - timedelta(days=older_than_days)
        pruned = _Pruner(engine, tables, before).prune()
        if days_kept is None:
            return pruned
        with engine.connect() as connection:
            lists = list(connection.execute(sa.select(tables.lists.c.list_id)).scalars())
        keeping = Keeping(days_kept)
        delivered = sum(delete_delivered(engine, tables, each, keeping).answers for each in lists)
        return replace(pruned, answers=pruned.answers + delivered)


class _Pruner:
    def __init__(self, engine: sa.Engine, tables: LedgerTables, before: datetime) -> None:
        self._engine, self._tables, self._before = engine, tables, before

    def prune(self) -> Pruned:
        self._note()
        calls, answers = self._calls()
        answers += self._orphans()
        runs, counters = self._runs()
        return Pruned(calls, answers, runs, counters + self._days(), self._reviews())

    def _note(self) -> None:
        """Note from when on calls are whole, before any is missing: sums of older ones are too small."""
        state = self._tables.state
        is_later = sa.or_(state.c.pruned_before.is_(None), state.c.pruned_before < self._before)
        with self._engine.begin() as connection:
            lock(connection, self._tables)
            noted = sa.update(state).where(state.c.id == 1, is_later).values(pruned_before=self._before)
            connection.execute(noted)

    def _calls(self) -> tuple[int, int]:
        """Delete calls with their answers; return how many of each."""
        calls, answers = self._tables.calls.c, self._tables.answers
        deleted, with_answer = 0, 0
        is_next: sa.ColumnElement[bool] = sa.true()
        old = sa.select(
            *(calls.call_id, calls.intended_at, calls.list_id, calls.image_digest),
            self._is_needed().label("is_needed"),
        ).where(calls.intended_at < self._before)
        while True:
            statement = old.where(is_next).order_by(calls.intended_at, calls.call_id).limit(_CHUNK_ROWS)
            with self._engine.begin() as connection:
                # Behind the lock no image comes to depend on a call meanwhile.
                lock(connection, self._tables)
                rows = connection.execute(statement).all()
                taken = self._taken_by_identical(connection, rows)
                unneeded = [row.call_id for row in rows if not row.is_needed and row.call_id not in taken]
                with_answer += self._delete(connection, answers, answers.c.call_id.in_(unneeded))
                deleted += self._delete(connection, self._tables.calls, calls.call_id.in_(unneeded))
            if len(rows) < _CHUNK_ROWS:
                return deleted, with_answer
            is_next = is_after([(calls.intended_at, rows[-1].intended_at), (calls.call_id, rows[-1].call_id)])

    def _is_needed(self) -> sa.ColumnElement[bool]:
        """Whether a call or its answer may be yet to come, or its own image depends on it."""
        calls, images = self._tables.calls.c, self._tables.images.c
        depends = sa.exists().where(
            is_same_image(self._tables.images, self._tables.calls),
            sa.or_(images.answer_id == calls.call_id, images.held_by == calls.call_id),
        )
        may_be_under_way = sa.and_(calls.code.is_(None), calls.held_until >= self._before)
        # A refused answer waits in a journal, which can hand it in only for a call that is there.
        return sa.or_(may_be_under_way, calls.reason.is_not(None), depends)

    def _taken_by_identical(self, connection: sa.Connection, rows: Sequence[Any]) -> set[str]:
        """Return the answers that are in force for images with the digests of these calls.

        Asked by value: MariaDB would not look up by an index what most rows have no value of.
        """
        images = self._tables.images.c
        by_list: dict[int, set[str]] = {}
        for row in rows:
            if row.image_digest is not None:
                by_list.setdefault(row.list_id, set()).add(row.image_digest)
        taken: set[str] = set()
        for list_id, digests in by_list.items():
            for some in chunks(digests, _DIGESTS_AT_ONCE):
                is_identical = images.image_digest.in_(some)
                statement = sa.select(images.answer_id).where(images.list_id == list_id, is_identical)
                taken.update(each for each in connection.execute(statement).scalars() if each is not None)
        return taken

    def _orphans(self) -> int:
        """Delete answers without a call that are no longer in force for any image."""
        images, answers = self._tables.images.c, self._tables.answers
        deleted = 0
        for call_ids in self._without_call():
            is_between = images.answer_id.between(call_ids[0], call_ids[-1])
            with self._engine.begin() as connection:
                lock(connection, self._tables)
                in_force = set(connection.execute(sa.select(images.answer_id).where(is_between)).scalars())
                orphans = [call_id for call_id in call_ids if call_id not in in_force]
                for some in chunks(orphans, _CHUNK_ROWS):
                    deleted += self._delete(connection, answers, answers.c.call_id.in_(some))
        return deleted

    def _without_call(self) -> Iterator[Sequence[str]]:
        """Stream the ids of old answers without a call, in order, which is chronological."""
        answers, calls = self._tables.answers.c, self._tables.calls.c
        last = ""
        until = f"{int(self._before.timestamp() * 1000):012x}"
        while True:
            statement = (
                sa.select(answers.call_id)
                .where(answers.call_id > last, answers.call_id < until)
                .where(~sa.exists().where(calls.call_id == answers.call_id))
                .order_by(answers.call_id)
                .limit(_ORPHANS_AT_ONCE)
            )
            with self._engine.connect() as connection:
                found = list(connection.execute(statement).scalars())
            if not found:
                return
            yield found
            last = found[-1]

    def _runs(self) -> tuple[int, int]:
        """Delete finished runs with their counters; return how many of each."""
        runs = self._tables.runs
        key = list(runs.primary_key)
        old = sa.select(*key).where(runs.c.is_whole == 1, runs.c.ended_at < self._before)
        deleted, counters = 0, 0
        while True:
            with self._engine.begin() as connection:
                lock(connection, self._tables)
                found = connection.execute(old.order_by(*key).limit(_CHUNK_ROWS)).all()
                if not found:
                    return deleted, counters
                for row in found:
                    deleted += self._delete(
                        connection,
                        runs,
                        sa.and_(*(column == value for column, value in zip(key, row, strict=True))),
                    )
                for dag_id, task_id, run_id in sorted({(row[0], row[1], row[2]) for row in found}):
                    counters += self._counters_of(connection, RunIdentity(dag_id, task_id, run_id))

    def _counters_of(self, connection: sa.Connection, run: RunIdentity) -> int:
        """Delete what counts the calls of a run, unless another shard of it is still there."""
        runs, counters = self._tables.runs.c, self._tables.counters
        others = sa.select(runs.run_id).where(
            runs.dag_id == run.dag_id, runs.task_id == run.task_id, runs.run_id == run.run_id
        )
        if connection.execute(others.limit(1)).first() is not None:
            return 0
        return self._delete(connection, counters, counters.c.period == run_period(run))

    def _days(self) -> int:
        """Delete what counts the calls of days that are over."""
        counters = self._tables.counters
        # A day begins some hours sooner or later than in UTC, which a further day makes up for.
        first = (self._before - timedelta(days=1)).date()
        with self._engine.begin() as connection:
            periods = connection.execute(
                sa.select(counters.c.period).where(counters.c.period.startswith(_DAY)).distinct()
            ).scalars()
            old = [period for period in periods if date.fromisoformat(period.removeprefix(_DAY)) < first]
            return sum(self._delete(connection, counters, counters.c.period == period) for period in old)

    def _reviews(self) -> int:
        """Delete questions that were never answered, or whose answers are no longer in force."""
        reviews, images = self._tables.reviews, self._tables.images.c
        is_in_force = sa.exists().where(
            is_same_image(self._tables.images, reviews),
            images.answer_id == reviews.c.answer_id,
        )
        is_over = sa.and_(reviews.c.decision.is_not(None), reviews.c.asked_at < self._before)
        old = sa.select(reviews.c.review_id).where(is_over, sa.or_(reviews.c.version.is_(None), ~is_in_force))
        deleted = 0
        while True:
            with self._engine.begin() as connection:
                lock(connection, self._tables)
                found = list(connection.execute(old.limit(_CHUNK_ROWS)).scalars())
                deleted += self._delete(connection, reviews, reviews.c.review_id.in_(found))
            if len(found) < _CHUNK_ROWS:
                return deleted

    def _delete(self, connection: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool]) -> int:
        result: Any = connection.execute(sa.delete(table).where(which))
        return int(result.rowcount)
