"""Which rows of an image table a run lists: since when, until when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.errors import SourceError
from airflow_provider_permitocr.sql.tables import ImageTable
from airflow_provider_permitocr.sql.times import as_utc

_SQLITE_FORM: Final = "%Y-%m-%d %H:%M:%f"


def bounds(dialect: str, source: sa.FromClause, described: ImageTable) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions that ``since`` and ``until`` stand for.

    :raises SourceError: when one of them is no time, or nothing could be between them.
    """
    if described.updated_at is None:
        return ()
    column: sa.ColumnElement[Any] = source.c[described.updated_at]
    keeps_zone = getattr(column.type, "timezone", False)
    if dialect == "sqlite":
        # SQLite keeps a time as text in any of several forms; they only compare in one form, in UTC.
        column = sa.func.strftime(_SQLITE_FORM, column)
    found = []
    since, until = (
        value and _moment(name, value, keeps_zone)
        for name, value in (("since", described.since), ("until", described.until))
    )
    if since and until and since >= until:
        raise SourceError(
            f"since ({since}) is not before until ({until}), so no image could be listed; a schedule such as"
            " @daily has data intervals of no length, CronDataIntervalTimetable has whole ones"
        )
    if since:
        found.append(column >= _as_compared(since, dialect))
    if until:
        found.append(column < _as_compared(until, dialect))
    return tuple(found)


def _as_compared(moment: datetime, dialect: str) -> Any:
    return moment.isoformat(" ", "milliseconds") if dialect == "sqlite" else moment


def _moment(name: str, value: str | datetime, keeps_zone: bool) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise SourceError(f"{name} must be a time such as 2026-01-31T00:00:00+00:00, not {value!r}") from None
    moment = as_utc(moment)
    return moment if keeps_zone else moment.astimezone(UTC).replace(tzinfo=None)
