"""The views beside a result table, made and kept up to date."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.targets.result_table import ResultTable, split_schema
from airflow_provider_permitocr.permit.advice import Advice
from airflow_provider_permitocr.permit.columns import Column, ColumnKind
from airflow_provider_permitocr.sql.analytics.definitions import (
    NEEDED,
    OF_RESULTS,
    Analysis,
    MakesSelect,
    selects,
)
from airflow_provider_permitocr.sql.analytics.result_rows import ResultRows
from airflow_provider_permitocr.sql.database.failures import database_errors
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.database.views import FoundView, OwnView, ViewText
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.targets.documents_view import DocumentsView, fixed_names

_DOCUMENTS: Final = "documents"


class SqlResultViews:
    """The views beside a result table.

    :param engine: of the result table.
    :param minutes: offset from UTC of the time zone whose midnight starts a day.
    :param advice: advice by error code.
    :param key_type: the ledger's name for the type of the list's keys; None: text.
    """

    def __init__(
        self,
        engine: sa.Engine,
        described: ResultTable,
        *,
        minutes: int,
        advice: Mapping[str, Advice],
        key_type: str | None = None,
        patience: Patience = Patience(0),
    ) -> None:
        self._engine, self._described = engine, described
        self._minutes = minutes
        self._key_type = key_type if key_type in database_of(engine).typed_keys else None
        self._patience = patience.at_least_briefly()
        self._selects = selects(advice)
        self.documents = described.documents_view or f"{described.table}_{_DOCUMENTS}"
        self._documents_view = DocumentsView(engine, described, self.documents, key_type=self._key_type)

    def check(self) -> None:
        """Check that they can be created. Changes nothing.

        :raises TargetError: naming what to change.
        :raises DatabaseError: when the database cannot be reached.
        """
        with database_errors(f"looking at the result table {self._described.table!r}"):
            self._types()
            self._documents_view.check()
            for analysis in OF_RESULTS:
                self._view(analysis).check()

    def prepare(self) -> dict[str, bool]:
        """Create missing views, and replace those whose definition has changed.

        :return: by name, whether the view changed.
        :raises TargetError: naming what to change.
        :raises DatabaseError: when the database cannot be reached.
        """
        with database_errors(f"creating views beside the result table {self._described.table!r}"):
            types = self._types()
            copied = [Column(name, ColumnKind.TEXT, "") for name in types if name not in fixed_names()]
            changed = {self.documents: self._documents_view.prepare(copied, self._patience)}
            rows = ResultRows(
                database_of(self._engine),
                *(self._described.table, self._described.mode, types, self._minutes, self._key_type),
            )
            for analysis, select in self._selects.items():
                changed[analysis.name_beside(self._described.table)] = self._prepare(analysis, select, rows)
            return changed

    def _prepare(self, analysis: Analysis, select: MakesSelect, rows: ResultRows) -> bool:
        comments = {column.name: column.comment for column in analysis.columns}
        text = ViewText(partial(select, rows), analysis.question, comments, self._key_type)

        def wanted(_connection: sa.Connection, _found: FoundView) -> ViewText:
            return text

        return self._view(analysis).prepare(wanted, self._patience)

    def _view(self, analysis: Analysis) -> OwnView:
        return OwnView(
            self._engine,
            analysis.name_beside(self._described.table),
            way_out="rename it",
            without="ask for an account that may",
        )

    def _types(self) -> dict[str, sa.types.TypeEngine[Any]]:
        """Return the types of the result table's columns.

        :raises TargetError: when there is no such table, or an older version of this package created it.
        """
        table = self._described.table
        schema, name = split_schema(table)
        database = database_of(self._engine)
        found = None
        if database.missing_file(self._engine) is None:
            found = self._patience.read(
                self._engine,
                lambda connection: database.columns(connection, name, schema),
                f"looking at the result table {table!r}",
            )
        if found is None:
            raise TargetError(
                f"there is no result table {table!r} in connection {self._described.conn_id!r} yet; run the"
                " recognizing task once, or correct the name"
            )
        types = {each.name: each.type for each in found}
        if lacking := sorted(NEEDED - set(types)):
            raise TargetError(
                f"the result table {table!r} lacks the columns {', '.join(lacking)}. The recognizing task's"
                " next run adds them: let it run once, or add them yourself if schema_contract is 'freeze'"
            )
        return types
