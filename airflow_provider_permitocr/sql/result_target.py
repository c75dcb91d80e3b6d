"""The result table: made where missing, asked what is settled, written in whole batches."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.core.columns import COLUMNS, Column
from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.core.models import Previous, RowKey
from airflow_provider_permitocr.sql.batch_writer import write_batch
from airflow_provider_permitocr.sql.changes import Change, add_column, carry_out, is_refusal, patiently
from airflow_provider_permitocr.sql.database_file import missing_file
from airflow_provider_permitocr.sql.documents_view import DocumentsView
from airflow_provider_permitocr.sql.errors import (
    DatabaseError,
    database_errors,
    describe,
    keep_rows_out_of_the_log,
)
from airflow_provider_permitocr.sql.known_rows import known_rows
from airflow_provider_permitocr.sql.patience import Patience
from airflow_provider_permitocr.sql.result_check import ExistingTable, examine, require_rights_to
from airflow_provider_permitocr.sql.result_schema import result_table
from airflow_provider_permitocr.sql.tables import ResultTable, split_schema

if TYPE_CHECKING:
    import pandas as pd

_RIGHT_TO_CREATE: Final = sa.text(
    "SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace"
    " WHERE nspname = coalesce(CAST(:schema AS name), current_schema())"
)


class SqlResultTarget:
    """The result table of a ``ResultTable``, on any database that SQLAlchemy speaks to.

    :param patience: how long rows wait for the database, to be read or written.
    """

    def __init__(self, engine: sa.Engine, described: ResultTable, *, patience: Patience = Patience()) -> None:
        keep_rows_out_of_the_log()
        self._patience = patience
        self._engine = engine
        self._described = described
        self._columns: Sequence[Column] = COLUMNS
        self._is_there = True
        self._table = self._describe()
        view = described.documents_view
        self._view = DocumentsView(engine, described, view) if view else None

    def prepare(self, columns: Sequence[Column] = COLUMNS) -> None:
        """Create the table, or check that it can take the rows and add the columns that it lacks.

        :param columns: of the result.
        :raises TargetError: naming what to change.
        :raises DatabaseError: when the database cannot be reached.
        """
        self._columns = columns
        existing = self._existing()
        if existing is None or existing.missing:
            self._table = self._describe()
            self._make(existing.missing if existing else ())
            existing = self._existing()
        self._table = self._describe(existing.without_zone if existing else ())
        if self._view:
            with database_errors(f"creating the view {self._described.documents_view!r}"):
                self._view.prepare(columns)

    def look(self, columns: Sequence[Column] = COLUMNS) -> None:
        """Check what ``prepare`` would, without changing anything; a table that is missing is empty.

        :param columns: of the result.
        :raises TargetError: naming what to change.
        :raises DatabaseError: when the database cannot be reached.
        """
        self._columns = columns
        self._is_there = missing_file(self._engine) is None and self.check()

    def check(self) -> bool:
        """Check that the table can take the rows, or can be created. Changes nothing.

        :return: whether there is one.
        :raises TargetError: naming what to change.
        :raises DatabaseError: when the database cannot be reached.
        """
        return self._existing() is not None

    def _existing(self) -> ExistingTable | None:
        with database_errors(f"looking at the result table {self._described.table!r}"):
            if self._view:
                self._view.check()
            existing = patiently(self._examine)
            if existing is None:
                self._require_right_to_create(split_schema(self._described.table)[0])
            return existing

    def _examine(self) -> ExistingTable | None:
        with self._engine.connect() as connection:
            if existing := examine(connection, self._described, self._columns):
                require_rights_to(self._described, connection, existing.present)
            return existing

    def _describe(self, without_zone: Collection[str] = ()) -> sa.Table:
        described = self._described
        return result_table(described.table, self._columns, mode=described.mode, without_zone=without_zone)

    def previous(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Previous]:
        """Return what the table says of these rows already."""
        if not self._is_there:
            return {}
        doing = f"reading the result table {self._described.table!r}"
        with database_errors(doing):
            return self._patience.read(
                self._engine,
                lambda connection: known_rows(connection, self._described, row_keys),
                doing,
            )

    def write(self, frame: pd.DataFrame) -> Mapping[int, str]:
        """Insert or replace the frame's rows by key.

        :return: the reason for each row that was refused for what it holds, by its place in the frame.
        :raises DatabaseError: when the database refuses the batch as such, or could not be reached in a few
            tries.
        """
        from airflow_provider_permitocr.core.frame import to_rows

        with database_errors(f"writing {len(frame)} rows to the result table {self._described.table!r}"):
            rows = to_rows(frame, self._columns)
            return write_batch(self._engine, self._table, rows, patience=self._patience)

    def finish(self) -> None:
        """Complete nothing: each batch is complete."""

    def _make(self, missing: Sequence[Column]) -> None:
        """Create the table, or add the columns that it lacks."""

        def wanted(connection: sa.Connection) -> list[Change]:
            existing = examine(connection, self._described, self._columns)
            if existing is None:
                return [partial(self._table.create, checkfirst=False)]
            lacking = [self._table.c[column.name] for column in existing.missing]
            return [partial(add_column, column=column) for column in lacking]

        try:
            carry_out(self._engine, wanted)
        except SQLAlchemyError as error:
            reason = describe(error)
            if not is_refusal(error):
                doing = "adding columns to" if missing else "creating"
                raise DatabaseError(
                    f"{doing} the result table {self._described.table!r} failed: {reason}"
                ) from None
            raise (self._not_alterable(reason, missing) if missing else self._not_creatable(reason)) from None

    def _require_right_to_create(self, schema: str | None) -> None:
        """Refuse what would not work, where a database can tell without trying it."""
        if self._engine.dialect.name != "postgresql":
            return
        with self._engine.connect() as connection:
            granted = connection.execute(_RIGHT_TO_CREATE, {"schema": schema}).scalar_one_or_none()
        if granted is None:
            raise self._not_creatable(f"there is no schema {schema!r}" if schema else "no schema is current")
        if not granted:
            raise self._not_creatable("the connection's user may not create tables in its schema")

    def _not_creatable(self, reason: str) -> TargetError:
        return TargetError(
            f"the result table {self._described.table!r} could not be created: {reason};"
            " create its schema, or grant the connection's user the right to create tables"
        )

    def _not_alterable(self, reason: str, missing: Sequence[Column]) -> TargetError:
        columns = ", ".join(f"{column.name} {self._type_of(column)}" for column in missing)
        return TargetError(
            f"the columns that the result table {self._described.table!r} lacks could not be added: {reason};"
            f" grant the connection's user the right to alter it, or add them: {columns}"
        )

    def _type_of(self, column: Column) -> str:
        return self._table.c[column.name].type.compile(self._engine.dialect)
