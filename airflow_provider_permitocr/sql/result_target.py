"""The result table: made where missing, asked what is settled, written in whole batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from airflow_provider_permitocr.core.columns import COLUMNS, KEY_COLUMNS, Column
from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.core.models import Previous, RowKey
from airflow_provider_permitocr.sql.errors import database_errors, describe, keep_rows_out_of_the_log
from airflow_provider_permitocr.sql.known_rows import known_rows
from airflow_provider_permitocr.sql.result_schema import result_table
from airflow_provider_permitocr.sql.tables import ResultTable, split_schema
from airflow_provider_permitocr.sql.unique_keys import unique_keys
from airflow_provider_permitocr.sql.upsert import upsert

if TYPE_CHECKING:
    import pandas as pd

_EXAMPLES: Final = 5
_RIGHT_TO_CREATE: Final = sa.text(
    "SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace"
    " WHERE nspname = coalesce(CAST(:schema AS name), current_schema())"
)


class SqlResultTarget:
    """The result table of a ``ResultTable``, on any database that SQLAlchemy speaks to."""

    def __init__(self, engine: sa.Engine, described: ResultTable) -> None:
        keep_rows_out_of_the_log()
        self._engine = engine
        self._described = described
        self._columns: Sequence[Column] = COLUMNS
        self._table = result_table(described.table)

    def prepare(self, columns: Sequence[Column] = COLUMNS) -> None:
        """Create the table if it is missing, or check that it can take the rows.

        :param columns: of the result.
        :raises TargetError: naming what to change.
        :raises DatabaseError: when the database cannot be reached.
        """
        self._columns = columns
        self._table = result_table(self._described.table, columns)
        if not self.check():
            with database_errors(f"creating the result table {self._described.table!r}"):
                self._create()
            self.check()

    def check(self) -> bool:
        """Check that the table can take the rows, or can be created. Changes nothing.

        :return: whether there is one.
        :raises TargetError: naming what to change.
        :raises DatabaseError: when the database cannot be reached.
        """
        schema, name = split_schema(self._described.table)
        with database_errors(f"looking at the result table {self._described.table!r}"):
            inspector = sa.inspect(self._engine)
            if not inspector.has_table(name, schema):
                self._require_right_to_create(schema)
                return False
            self._require_columns_and_key(inspector, name, schema)
            return True

    def previous(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Previous]:
        """Return what the table says of these rows already."""
        doing = f"reading the result table {self._described.table!r}"
        with database_errors(doing), self._engine.connect() as connection:
            return known_rows(connection, self._described, row_keys)

    def write(self, frame: pd.DataFrame) -> Mapping[int, str]:
        """Insert or replace the frame's rows by key.

        :return: the reason for each row that was refused for what it holds, by its place in the frame.
        :raises DatabaseError: when the database refuses them or cannot be reached.
        """
        from airflow_provider_permitocr.core.frame import to_rows

        doing = f"writing {len(frame)} rows to the result table {self._described.table!r}"
        with database_errors(doing), self._engine.begin() as connection:
            upsert(connection, self._table, to_rows(frame, self._columns))
        return {}

    def finish(self) -> None:
        """Complete nothing: each batch is complete."""

    def _create(self) -> None:
        try:
            self._table.create(self._engine, checkfirst=True)
        except SQLAlchemyError as error:
            schema, name = split_schema(self._described.table)
            # Two tasks may create it at the same moment; the second is refused and needs nothing more.
            if sa.inspect(self._engine).has_table(name, schema):
                return
            if isinstance(error, OperationalError) and self._engine.dialect.name != "sqlite":
                raise
            raise self._not_creatable(describe(error)) from None

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

    def _require_columns_and_key(self, inspector: sa.Inspector, name: str, schema: str | None) -> None:
        found = {column["name"] for column in inspector.get_columns(name, schema)}
        missing = [column.name for column in self._table.columns if column.name not in found]
        if missing:
            raise TargetError(
                f"the table {self._described.table!r} exists already, but lacks {len(missing)} result"
                f" columns, such as {', '.join(missing[:_EXAMPLES])}; add them, or name another table, which"
                " will then be created"
            )
        if set(KEY_COLUMNS) not in unique_keys(inspector, name, schema):
            raise TargetError(
                f"the result table {self._described.table!r} has no primary key or unique constraint on"
                f" ({', '.join(KEY_COLUMNS)}); without it rows could not be replaced"
            )
