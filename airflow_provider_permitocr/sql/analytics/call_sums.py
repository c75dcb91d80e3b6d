"""What a ledger's calls cost, and how long they took; the database does the counting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from airflow_provider_permitocr.engine.analytics.figures import MICROS, CostLine, HourLine
from airflow_provider_permitocr.engine.ledger.calls import NOT_SENT
from airflow_provider_permitocr.sql.dialects.known import database_of

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
#: Every current time-zone offset is a multiple of 15 minutes, so no quarter of an hour spans two days.
_QUARTER: Final = 15 * _MINUTE
_PERCENTILES: Final = (50, 95)
#: More digits than any price times any number of calls has.
_DIGITS: Final = 60


def costs(
    connection: sa.Connection, calls: sa.Table, list_ids: Collection[int], zone: ZoneInfo
) -> list[CostLine]:
    """Sum the calls of lists by day, DAG, kind and price.

    The database counts calls and Python multiplies, so that money is exact and the same on every database.

    :param zone: a day begins at midnight in this time zone.
    """
    made = database_of(connection).epoch_milliseconds(calls.c.intended_at)
    each = (
        sa.select(
            (made // _QUARTER).label("quarter"),
            *(calls.c.dag_id, calls.c.permit_kind, calls.c.currency, calls.c.unit_price, calls.c.billed),
        )
        .where(*_of_lists(calls, list_ids))
        .subquery()
    )
    counted = sa.select(*each.c, sa.func.count().label("calls")).group_by(*each.c)
    known: dict[tuple[date, str, str | None, str | None, str | None], Counter[str]] = {}
    for row in connection.execute(counted):
        day = datetime.fromtimestamp(int(row.quarter) * _QUARTER / 1000, zone).date()
        of = known.setdefault((day, row.dag_id, row.permit_kind, row.currency, row.unit_price), Counter())
        of["calls"] += row.calls
        of["billed"] += row.calls if row.billed else 0
        of["unknown"] += row.calls if row.billed is None else 0
    lines = [
        CostLine(*key, of["calls"], of["billed"], of["unknown"], _micros(of["billed"], key[-1]))
        for key, of in known.items()
    ]
    return sorted(lines, key=lambda line: tuple(str(value or "") for value in line[:5]))


def _micros(billed: int, unit_price: str | None) -> int | None:
    """Multiply exactly; only a price with more than six decimals leaves something to round."""
    try:
        price = None if unit_price is None else Decimal(unit_price)
    except InvalidOperation:
        return None
    if price is None or not price.is_finite():
        return None
    with localcontext() as context:
        context.prec = _DIGITS
        return int((billed * price * MICROS).to_integral_value(ROUND_HALF_UP))


def hours(connection: sa.Connection, calls: sa.Table, list_ids: Collection[int]) -> list[HourLine]:
    """Sum the calls of lists by hour, with the time that they took from intent to outcome."""
    slow = dict(_latencies(connection, calls, list_ids))
    return [
        HourLine(
            _moment(row.hour),
            int(row.calls),
            int(row.answered),
            int(row.best_minute),
            *slow.get(int(row.hour), (None, None)),
        )
        for row in connection.execute(_counts(connection, calls, list_ids))
    ]


def _counts(connection: sa.Connection, calls: sa.Table, list_ids: Collection[int]) -> sa.Select[Any]:
    made = database_of(connection).epoch_milliseconds(calls.c.intended_at)
    each = (
        sa.select((made // _MINUTE).label("minute"), calls.c.answered_at)
        .where(*_of_lists(calls, list_ids))
        .subquery()
    )
    minutes = (
        sa.select(
            each.c.minute,
            sa.func.count().label("calls"),
            sa.func.count(each.c.answered_at).label("answered"),
        )
        .group_by(each.c.minute)
        .subquery()
    )
    in_hours = sa.select(
        (minutes.c.minute // (_HOUR // _MINUTE)).label("hour"), minutes.c.calls, minutes.c.answered
    ).subquery()
    return (
        sa.select(
            in_hours.c.hour,
            sa.func.sum(in_hours.c.calls).label("calls"),
            sa.func.sum(in_hours.c.answered).label("answered"),
            sa.func.max(in_hours.c.calls).label("best_minute"),
        )
        .group_by(in_hours.c.hour)
        .order_by(in_hours.c.hour)
    )


def _latencies(
    connection: sa.Connection, calls: sa.Table, list_ids: Collection[int]
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Return percentiles by hour: for each percentile, the shortest time that many calls did not exceed.

    Calls with the same time are counted first, so the window function sorts times instead of calls.
    """
    database = database_of(connection)
    made = database.epoch_milliseconds(calls.c.intended_at)
    took = database.epoch_milliseconds(calls.c.answered_at) - made
    each = (
        sa.select((made // _HOUR).label("hour"), took.label("took"))
        .where(*_of_lists(calls, list_ids), calls.c.answered_at.is_not(None))
        .subquery()
    )
    alike = (
        sa.select(each.c.hour, each.c.took, sa.func.count().label("calls"))
        .group_by(each.c.hour, each.c.took)
        .subquery()
    )
    up_to = sa.func.sum(alike.c.calls).over(partition_by=alike.c.hour, order_by=alike.c.took, rows=(None, 0))
    whole = sa.func.sum(alike.c.calls).over(partition_by=alike.c.hour)
    ranked = sa.select(alike.c.hour, alike.c.took, up_to.label("up_to"), whole.label("whole")).subquery()
    percentiles = (
        sa.func.min(sa.case((ranked.c.up_to * 100 >= ranked.c.whole * percent, ranked.c.took)))
        for percent in _PERCENTILES
    )
    for hour, *times in connection.execute(sa.select(ranked.c.hour, *percentiles).group_by(ranked.c.hour)):
        yield int(hour), (int(times[0]), int(times[1]))


def _of_lists(calls: sa.Table, list_ids: Collection[int]) -> tuple[sa.ColumnElement[bool], ...]:
    """Select calls that were sent. An intent abandoned before sending isn't a call."""
    was_sent = sa.or_(calls.c.code.is_(None), calls.c.code != NOT_SENT)
    return calls.c.list_id.in_(sorted(list_ids)), was_sent


def _moment(hour: int) -> datetime:
    return datetime.fromtimestamp(int(hour) * _HOUR / 1000, UTC)
