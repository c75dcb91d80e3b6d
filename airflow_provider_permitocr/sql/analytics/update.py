"""Keeps what analysts read up to date: views beside a result table, small tables of calls, a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.analytics.figures import Figures
from airflow_provider_permitocr.engine.run.progress import Log
from airflow_provider_permitocr.sql.analytics.call_tables import SqlCallTables
from airflow_provider_permitocr.sql.analytics.result_views import SqlResultViews


@dataclass(frozen=True)
class Analyzed:
    """What was done, in numbers only.

    :param views: all existing views, documents included.
    :param changed: views that were created or replaced.
    :param tables: rows of the small tables, by name.
    :param files: of the report.
    """

    views: int
    changed: int
    tables: Mapping[str, int]
    files: int

    @property
    def rows(self) -> int:
        """Rows of all small tables."""
        return sum(self.tables.values())

    def __str__(self) -> str:
        views = f"{many(self.views, 'view')} ({self.changed} created or replaced)"
        rows = f"{many(self.rows, 'row')} of calls by day and hour"
        return f"{views}, {rows}, {many(self.files, 'file')} of the report"

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values, fit for XCom."""
        return {"views": self.views, "changed": self.changed, "rows": self.rows, "files": self.files}


class AnalyticsUpdate:
    """One update of all views and tables, and one report.

    :param figures: reads the figures, once views and tables are up to date.
    :param report: writes a report and returns its number of files; None: no report.
    """

    def __init__(
        self,
        views: SqlResultViews,
        tables: SqlCallTables,
        *,
        figures: Callable[[], Figures],
        report: Callable[[Figures], int] | None = None,
        log: Log,
    ) -> None:
        self._views, self._tables, self._log = views, tables, log
        self._figures, self._report = figures, report

    def check(self) -> None:
        """Check that all can be made. Changes nothing.

        :raises TargetError: naming what to change.
        """
        self._views.check()
        self._tables.check()

    def run(self) -> Analyzed:
        """Update all, after a check of all: a name that is taken leaves nothing half done.

        :raises TargetError: naming what to change.
        :raises UnreachableError: when a database or a store cannot be reached.
        """
        self.check()
        changed = self._views.prepare()
        for name, is_changed in changed.items():
            if is_changed:
                self._log.info(f"Created or replaced the view {name}")
        rows = self._tables.fill()
        for name, count in rows.items():
            self._log.info(f"Filled the table {name}: {many(count, 'row')}")
        files = self._report(self._figures()) if self._report else 0
        return Analyzed(len(changed), sum(changed.values()), rows, files)
