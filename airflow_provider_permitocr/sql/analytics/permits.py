"""Views of recognized permits: by kind and day, and those that expire."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.analytics.result_rows import (
    ResultRows,
    counted,
    is_true,
    is_trusted,
    text,
)

#: In how many days a permit expires at most, smallest first.
EXPIRING_WITHIN_DAYS: Final = (30, 60, 90)


def by_day(rows: ResultRows, mark: str) -> sa.Select[Any]:
    """Count recognized images by day and kind."""
    latest = rows.latest("permit_kind", "is_doubtful", "processed_at", "status").c
    dayed = (
        sa.select(
            rows.day(latest.processed_at).label("day"),
            *(latest.permit_kind, latest.card_side, latest.is_doubtful),
        )
        .where(latest.status == text(Status.RECOGNIZED))
        .subquery(mark)
        .c
    )
    return sa.select(
        dayed.day,
        dayed.permit_kind,
        counted(dayed.card_side == text("FRONT")).label("permits"),
        counted(dayed.card_side == text("BACK")).label("backs"),
        counted(is_true(dayed.is_doubtful)).label("doubtful"),
    ).group_by(dayed.day, dayed.permit_kind)


def expiring(rows: ResultRows, mark: str) -> sa.Select[Any]:
    """Select permits that are valid today, and expire soon."""
    read = ("image_key", "permit_kind", "valid_until", "corrections", "review_status", "status")
    fronts = rows.latest(*read, side="FRONT")
    front, valid_until = fronts.c, rows.in_force(fronts, "valid_until")
    valid = (
        sa.select(
            rows.key(front.image_key),
            *(front.permit_kind, valid_until.label("valid_until"), front.review_status),
            rows.database.days_between(rows.today(), valid_until).label("days_left"),
        )
        .where(
            front.status == text(Status.RECOGNIZED), valid_until.is_not(None), is_trusted(front.review_status)
        )
        .subquery(mark)
        .c
    )
    spans = [_whole(days) for days in EXPIRING_WITHIN_DAYS]
    within = [(valid.days_left <= days, days) for days in spans]
    return sa.select(
        valid.image_key,
        valid.permit_kind,
        valid.valid_until,
        valid.days_left,
        sa.case(*within).label("within_days"),
        valid.review_status,
    ).where(valid.days_left.between(_whole(0), spans[-1]))


def _whole(number: int) -> sa.ColumnElement[Any]:
    return sa.literal_column(str(number), sa.Integer)
