"""Which rows of an image table a run lists: since when, until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.errors import SourceError
from airflow_provider_permitocr.core.window import Window
from airflow_provider_permitocr.sql.source.times import as_utc
from airflow_provider_permitocr.sql.tables import ImageTable

_SQLITE_FORM: Final = "%Y-%m-%d %H:%M:%f"


@dataclass(frozen=True)
class Scope:
    """Which rows of a list are read, in place of those that its description says.

    :param windows: rows of any of these; none: all rows.
    :param besides: rows of this one are left out.
    :param keys: of rows that are read as well, as the list's database has them.
    """

    windows: tuple[Window, ...] = ()
    besides: Window | None = None
    keys: tuple[Any, ...] = ()


def bounds(dialect: str, source: sa.FromClause, described: ImageTable) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions that ``since`` and ``until`` stand for.

    :raises SourceError: when one of them is no time, or nothing could be between them.
    """
    if (column := _change_time(dialect, source, described)) is None:
        return ()
    since, until = (
        _moment(name, value, column.keeps_zone) if value else None
        for name, value in (("since", described.since), ("until", described.until))
    )
    if since and until and since >= until:
        raise SourceError(
            f"since ({since}) is not before until ({until}), so no image could be listed; a schedule such as"
            " @daily has data intervals of no length, CronDataIntervalTimetable has whole ones"
        )
    return tuple(column.within(since, until))


def scope_bounds(
    dialect: str, source: sa.FromClause, described: ImageTable, scope: Scope
) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions that the windows of a scope stand for.

    :raises SourceError: when the list has no times by which to tell their rows.
    """
    if (column := _change_time(dialect, source, described)) is None:
        if any(each.since or each.until for each in scope.windows):
            raise SourceError(
                "rows of a time window are asked for, and updated_at does not say any more which column tells"
                " them; add it to the ImageTable again, or clear the run with this window"
            )
        return ()
    conditions: list[sa.ColumnElement[bool]] = []
    windows = [column.within(each.since, each.until) for each in scope.windows]
    if windows and all(windows):
        conditions.append(sa.or_(*(sa.and_(*each) for each in windows)))
    if scope.besides is not None:
        conditions.append(column.outside(scope.besides.since, scope.besides.until))
    return tuple(conditions)


@dataclass(frozen=True)
class _ChangeTime:
    """The column that tells when an image last changed, as it compares."""

    dialect: str
    column: sa.ColumnElement[Any]
    keeps_zone: bool

    def within(self, since: datetime | None, until: datetime | None) -> list[sa.ColumnElement[bool]]:
        found = []
        if since:
            found.append(self.column >= self._compared(since))
        if until:
            found.append(self.column < self._compared(until))
        return found

    def outside(self, since: datetime | None, until: datetime | None) -> sa.ColumnElement[bool]:
        # Not the opposite of within: a NULL is outside, too.
        found: list[sa.ColumnElement[bool]] = [self.column.is_(None)] if since or until else []
        if since:
            found.append(self.column < self._compared(since))
        if until:
            found.append(self.column >= self._compared(until))
        return sa.or_(*found) if found else sa.false()

    def _compared(self, moment: datetime) -> Any:
        if self.keeps_zone:
            moment = as_utc(moment)
        elif moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        return _as_compared(moment, self.dialect)


def _change_time(dialect: str, source: sa.FromClause, described: ImageTable) -> _ChangeTime | None:
    if described.updated_at is None:
        return None
    column: sa.ColumnElement[Any] = source.c[described.updated_at]
    keeps_zone = getattr(column.type, "timezone", False)
    if dialect == "sqlite":
        # SQLite keeps a time as text in any of several forms; they only compare in one form, in UTC.
        column = sa.func.strftime(_SQLITE_FORM, column)
    return _ChangeTime(dialect, column, keeps_zone)


def _as_compared(moment: datetime, dialect: str) -> Any:
    return moment.isoformat(" ", "milliseconds") if dialect == "sqlite" else moment


def _moment(name: str, value: str | datetime, keeps_zone: bool) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise SourceError(f"{name} must be a time such as 2026-01-31T00:00:00+00:00, not {value!r}") from None
    moment = as_utc(moment)
    return moment if keeps_zone else moment.astimezone(UTC).replace(tzinfo=None)
