"""Reads the figures of a report from the views and tables: counts and sums, no key, name or number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from airflow_provider_permitocr.engine.analytics.figures import (
    CostLine,
    DayCount,
    ExpiringCount,
    FailureCount,
    Figures,
    FlagCount,
    HourLine,
)
from airflow_provider_permitocr.options.targets.result_table import split_schema
from airflow_provider_permitocr.sql.analytics.call_tables import read_lines, small_table
from airflow_provider_permitocr.sql.analytics.definitions import (
    BY_DAY,
    COST,
    EXPIRING,
    FAILURES,
    FLAGGED,
    PACE,
    REPEATED,
    Analysis,
)
from airflow_provider_permitocr.sql.analytics.result_rows import counted, is_true
from airflow_provider_permitocr.sql.database.failures import database_errors
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.database.types import TYPES
from airflow_provider_permitocr.sql.dialects.known import database_of

T = TypeVar("T")


def read_figures(
    engine: sa.Engine, table: str, *, minutes: int, timezone: str, patience: Patience = Patience(0)
) -> Figures:
    """Read all figures.

    :param engine: of the result table.
    :param table: the result table.
    :param minutes, timezone: the time zone's offset from UTC, and its name.
    :raises DatabaseError: when the database cannot be reached.
    """

    def read(connection: sa.Connection) -> Figures:
        return _Reading(connection, table).figures(minutes, timezone)

    with database_errors("reading the figures of the report"):
        return patience.read(engine, read, "reading the figures of the report")


class _Reading:
    def __init__(self, connection: sa.Connection, table: str) -> None:
        self._connection, self._table = connection, table

    def figures(self, minutes: int, timezone: str) -> Figures:
        database = database_of(self._connection)
        today = self._rows(sa.select(sa.type_coerce(database.local_day(database.now(), minutes), sa.Date)))
        days, expiring = self._view(BY_DAY).c, self._view(EXPIRING).c
        failures, flags = self._view(FAILURES).c, self._view(FLAGGED).c
        people, names_differ, issues_differ = self._people()
        return Figures(
            table=self._table,
            today=today[0][0],
            timezone=timezone,
            days=self._sorted(
                DayCount, sa.select(days.day, days.permit_kind, days.permits).where(days.permits > 0)
            ),
            expiring=self._sorted(
                ExpiringCount,
                sa.select(expiring.permit_kind, expiring.within_days, sa.func.count()).group_by(
                    expiring.permit_kind, expiring.within_days
                ),
            ),
            people=people,
            names_differ=names_differ,
            issues_differ=issues_differ,
            failures=sorted(
                self._sorted(
                    FailureCount,
                    sa.select(
                        *(failures.error_code, failures.status, failures.images),
                        *(failures.cause, failures.advice),
                    ),
                ),
                key=lambda each: -each.images,
            ),
            flags=sorted(self._sorted(FlagCount, sa.select(*flags)), key=lambda each: -each.images),
            costs=read_lines(self._connection, small_table(COST, self._table), CostLine),
            hours=read_lines(self._connection, small_table(PACE, self._table), HourLine),
        )

    def _sorted(self, make: Callable[..., T], statement: sa.Select[Any]) -> list[T]:
        """Read rows in the same order on every database; databases disagree on where NULL sorts."""
        rows = sorted(
            map(tuple, self._rows(statement)), key=lambda row: tuple(str(each or "") for each in row)
        )
        return [make(*row) for row in rows]

    def _people(self) -> tuple[int, int, int]:
        rows = self._view(REPEATED).c
        of_number = (
            sa.select(
                rows.number,
                counted(is_true(rows.names_differ)).label("names"),
                counted(is_true(rows.issues_differ)).label("issues"),
            )
            .group_by(rows.number)
            .subquery()
            .c
        )
        counts = sa.select(sa.func.count(), counted(of_number.names > 0), counted(of_number.issues > 0))
        ((people, names, issues),) = self._rows(counts.select_from(of_number.number.table))
        return people, names, issues

    def _view(self, analysis: Analysis) -> sa.TableClause:
        schema, name = split_schema(analysis.name_beside(self._table))
        columns = (sa.column(each.name, TYPES[each.kind]) for each in analysis.columns)
        return sa.table(name, *columns, schema=schema)

    def _rows(self, statement: sa.Select[Any]) -> Sequence[Any]:
        return self._connection.execute(statement).all()
