"""Which rows of an image table a run lists: since when, until when."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.engine.run.window import Window
from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.options.lists.image_list import ImageTable
from airflow_provider_permitocr.sql.dialects.database import Comparison, Database
from airflow_provider_permitocr.sql.source.times import as_utc, local_bound


@dataclass(frozen=True)
class Scope:
    """Which rows of a list to read, instead of those that its description selects.

    :param windows: rows in any of these; empty: all rows.
    :param besides: rows in this one are left out.
    :param keys: keys of additional rows to read, as the list's database stores them.
    """

    windows: tuple[Window, ...] = ()
    besides: Window | None = None
    keys: tuple[Any, ...] = ()


@dataclass(frozen=True)
class ChangeTime:
    """The column with an image's last change time, in comparable form.

    :param zone: of its times without a zone.
    """

    database: Database
    column: sa.ColumnElement[Any]
    zone: tzinfo

    def within(self, since: datetime | None, until: datetime | None) -> list[sa.ColumnElement[bool]]:
        """Return the conditions for a time from one moment on, and before another."""
        found = []
        if since:
            found.append(self._is(operator.ge, since))
        if until:
            found.append(self._is(operator.lt, until))
        return found

    def outside(self, since: datetime | None, until: datetime | None) -> sa.ColumnElement[bool]:
        """Return the condition for a time that is not within these."""
        # Not the opposite of within: a NULL is outside, too.
        found: list[sa.ColumnElement[bool]] = [self.column.is_(None)] if since or until else []
        if since:
            found.append(self._is(operator.lt, since))
        if until:
            found.append(self._is(operator.ge, until))
        return sa.or_(*found) if found else sa.false()

    def _is(self, compares: Comparison, moment: datetime) -> sa.ColumnElement[bool]:
        moment = as_utc(moment).astimezone(UTC)
        return self.database.compare_time(self.column, compares, moment, local_bound(moment, self.zone))


def bounds(column: ChangeTime | None, described: ImageTable) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions for ``since`` and ``until``.

    :raises SourceError: when one of them is not a time, or since is not before until.
    """
    if column is None:
        return ()
    since, until = (
        _moment(name, value) if value else None
        for name, value in (("since", described.since), ("until", described.until))
    )
    if since and until and since >= until:
        raise SourceError(
            f"since ({since}) is not before until ({until}), so no image could be listed; correct them"
        )
    return tuple(column.within(since, until))


def scope_bounds(column: ChangeTime | None, scope: Scope) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions for the windows of a scope.

    :raises SourceError: when the list has no change times, so that its rows cannot be selected by window.
    """
    if column is None:
        if any(each.since or each.until for each in scope.windows):
            raise SourceError(
                "rows of a time window are needed, but the ImageTable has no updated_at any more; add it"
                " again, or clear the run with this window"
            )
        return ()
    conditions: list[sa.ColumnElement[bool]] = []
    windows = [column.within(each.since, each.until) for each in scope.windows]
    if windows and all(windows):
        conditions.append(sa.or_(*(sa.and_(*each) for each in windows)))
    if scope.besides is not None:
        conditions.append(column.outside(scope.besides.since, scope.besides.until))
    return tuple(conditions)


def _moment(name: str, value: str | datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise SourceError(f"{name} must be a time such as 2026-01-31T00:00:00+00:00, not {value!r}") from None
    return as_utc(moment).astimezone(UTC)
