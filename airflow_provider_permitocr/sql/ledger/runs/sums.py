"""A ledger's sums beyond one run: calls and cost of the day and the month, and what is left."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import OK
from airflow_provider_permitocr.engine.progress.facts import LedgerSums, TryFacts
from airflow_provider_permitocr.engine.review.entries import Decision
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.exchange.caller import Caller, day_period, is_run
from airflow_provider_permitocr.sql.ledger.exchange.statements import count_calls
from airflow_provider_permitocr.sql.ledger.tables.clock import now, read_moment
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables, is_same_image


class _Spent(NamedTuple):
    billed: int
    cost: dict[str, Decimal]
    unpriced: int


def add_up(connection: sa.Connection, tables: LedgerTables, caller: Caller) -> LedgerSums:
    """Read all sums, without locking or writing.

    Only the month's calls are summed from a growing table, using its index on time.
    """
    moment = now(connection)
    zone = ZoneInfo(caller.timezone)
    local = moment.astimezone(zone)
    day = datetime(local.year, local.month, local.day, tzinfo=zone)
    following = (day + timedelta(days=1)).date()
    today = day_period(moment, caller.timezone)
    counted = count_calls(connection, tables, caller.account, [today, caller.run_period])
    spent_today, spent_month = (
        _spent(connection, tables, caller, day),
        _spent(connection, tables, caller, day.replace(day=1)),
    )
    return LedgerSums(
        at=moment,
        timezone=caller.timezone,
        day=local.date().isoformat(),
        resets_at=datetime(following.year, following.month, following.day, tzinfo=zone),
        calls_today=counted[today],
        calls_of_run=counted[caller.run_period],
        billed_today=spent_today.billed,
        billed_month=spent_month.billed,
        cost_today=spent_today.cost,
        cost_month=spent_month.cost,
        unpriced_today=spent_today.unpriced,
        unpriced_month=spent_month.unpriced,
        left_over=_left_over(connection, tables, caller, moment),
        waiting_for_review=_waiting_for_review(connection, tables, caller),
        tries=_tries(connection, tables, caller),
    )


def _spent(connection: sa.Connection, tables: LedgerTables, caller: Caller, since: datetime) -> _Spent:
    """Sum the cost of the task's billed calls since a given time, each at its own price."""
    calls, run = tables.calls.c, caller.run
    statement = (
        sa.select(calls.unit_price, calls.currency, sa.func.count())
        .where(
            calls.intended_at >= since.astimezone(UTC),
            calls.dag_id == run.dag_id,
            calls.task_id == run.task_id,
            calls.billed == 1,
        )
        .group_by(calls.unit_price, calls.currency)
    )
    billed, unpriced, cost = 0, 0, defaultdict[str, Decimal](Decimal)
    for price, currency, count in connection.execute(statement):
        billed += count
        if price is None:
            unpriced += count
        else:
            cost[currency or ""] += count * Decimal(price)
    return _Spent(billed, dict(cost), unpriced)


def _left_over(connection: sa.Connection, tables: LedgerTables, caller: Caller, moment: datetime) -> int:
    """Count images that no live run handles: rest of windows that ended early, and images to retry."""
    runs, images = tables.runs.c, tables.images.c
    is_alive = sa.and_(runs.ended_at.is_(None), runs.alive_until > moment)
    windows = sa.select(sa.func.sum(sa.func.coalesce(runs.left_images, runs.listed))).where(
        runs.list_id == caller.list_id,
        sa.or_(runs.is_whole.is_(None), runs.is_whole == 0),
        sa.not_(is_alive),
    )
    again = sa.select(sa.func.count()).where(
        images.list_id == caller.list_id,
        images.attempt_status.in_([Status.RETRY.value, Status.REDO.value]),
    )
    return sum(int(connection.execute(each).scalar() or 0) for each in (windows, again))


def _waiting_for_review(connection: sa.Connection, tables: LedgerTables, caller: Caller) -> int:
    """Count doubtful readings in force that nobody has decided about."""
    images, reviews = tables.images.c, tables.reviews.c
    is_decided = sa.exists().where(
        is_same_image(tables.reviews, tables.images),
        reviews.answer_id == images.answer_id,
        reviews.decision.is_not(None),
        reviews.decision != Decision.UNDECIDED.value,
    )
    statement = sa.select(sa.func.count()).where(
        images.list_id == caller.list_id,
        images.is_doubtful == 1,
        images.status == Status.RECOGNIZED.value,
        ~is_decided,
    )
    return int(connection.execute(statement).scalar_one())


def _tries(connection: sa.Connection, tables: LedgerTables, caller: Caller) -> tuple[TryFacts, ...]:
    """Return what each try of the run has called: of the ones before, Airflow keeps no XCom."""
    runs, calls = tables.runs.c, tables.calls.c
    began = read_moment(
        connection.execute(sa.select(runs.started_at).where(is_run(tables.runs, caller.run_columns))).scalar()
    )
    if began is None:
        return ()
    statement = (
        sa.select(
            calls.task_try,
            calls.code,
            calls.billed,
            sa.func.count().label("calls"),
            sa.func.min(calls.intended_at).label("began_at"),
            sa.func.max(calls.answered_at).label("ended_at"),
        )
        .where(calls.intended_at >= began, is_run(tables.calls, caller.run_columns))
        .group_by(calls.task_try, calls.code, calls.billed)
    )
    made: dict[int, Counter[str]] = defaultdict(Counter)
    times: dict[int, list[datetime]] = defaultdict(list)
    for row in connection.execute(statement):
        number = int(row.task_try)
        made[number] += Counter(
            calls=row.calls,
            billed=row.calls if row.billed == 1 else 0,
            answered=row.calls if row.code == OK else 0,
        )
        times[number] += [moment for each in (row.began_at, row.ended_at) if (moment := read_moment(each))]
    return tuple(
        TryFacts(
            number=number,
            calls=counts["calls"],
            billed=counts["billed"],
            answered=counts["answered"],
            began_at=min(times[number], default=None),
            ended_at=max(times[number], default=None),
        )
        for number, counts in sorted(made.items())
    )
