"""The result table: made where missing, asked what is settled, written in whole batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.columns import COLUMNS, KEY_COLUMNS, Column
from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.core.models import Previous, RowKey, Status
from airflow_provider_permitocr.sql.errors import database_errors, describe, keep_rows_out_of_the_log
from airflow_provider_permitocr.sql.result_schema import result_table
from airflow_provider_permitocr.sql.tables import ResultTable, split_schema
from airflow_provider_permitocr.sql.times import as_utc
from airflow_provider_permitocr.sql.unique_keys import unique_keys
from airflow_provider_permitocr.sql.upsert import upsert

if TYPE_CHECKING:
    import pandas as pd

_EXAMPLES: Final = 5
_RIGHT_TO_CREATE: Final = sa.text(
    "SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace"
    " WHERE nspname = coalesce(CAST(:schema AS name), current_schema())"
)
#: Drivers take a few thousand parameters in one statement; SQL Server 2,100.
_KEYS_AT_ONCE: Final = 1_000


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
        image_keys = list({image_key for image_key, _ in row_keys})
        if not image_keys:
            return {}
        doing = f"reading the result table {self._described.table!r}"
        known: dict[RowKey, Previous] = {}
        with database_errors(doing), self._engine.connect() as connection:
            for at in range(0, len(image_keys), _KEYS_AT_ONCE):
                rows = connection.execute(self._select_known(image_keys[at : at + _KEYS_AT_ONCE]))
                known.update(self._known(row) for row in rows)
        return known

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

    def _select_known(self, image_keys: list[str]) -> sa.Select[Any]:
        columns = self._table.c
        is_asked_for: sa.ColumnElement[bool] = columns.image_key.in_(image_keys)
        if self._engine.dialect.name == "postgresql":
            # One parameter in place of a thousand: a quarter less time for a million settled rows.
            is_asked_for = columns.image_key == sa.any_(sa.literal(image_keys, sa.ARRAY(sa.Text)))
        return sa.select(
            columns.image_key,
            columns.card_side,
            columns.status,
            columns.tries,
            columns.image_updated_at,
            columns.processed_at,
        ).where(is_asked_for)

    def _known(self, row: Any) -> tuple[RowKey, Previous]:
        try:
            row_key, status = (row.image_key, CardSide(row.card_side)), Status(row.status)
        except ValueError:
            raise TargetError(
                f"the result table {self._described.table!r} holds a status or card_side that this package"
                f" does not know, for key {row.image_key!r}; correct or delete that row"
            ) from None
        seen_at = row.image_updated_at or row.processed_at
        return row_key, Previous(status, row.tries or 0, seen_at and as_utc(seen_at))

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
