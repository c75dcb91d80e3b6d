"""The view of documents in Snowflake."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from typing import Final

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.columns import COLUMN_NAMES, Column
from airflow_provider_permitocr.sql.dialects.snowflake import Connection, Place, Relation, Snowflake
from airflow_provider_permitocr.sql.targets.documents_view import documents, fixed_names

#: As in ``documents_view``: by this name within its SELECT a view is known as ours, and as up to date.
_MARKED: Final = re.compile(r"permitocr_([0-9a-f]{16})", re.IGNORECASE)


class SnowflakeView:
    """The view of a ``ResultTable`` that asks for one."""

    def __init__(self, database: Snowflake, described: ResultTable, name: str) -> None:
        self._database, self._described, self._name = database, described, name

    def check(self, connection: Connection) -> None:
        """Check that the view's name is free. Changes nothing.

        :raises TargetError: naming what has the name.
        """
        self._present(connection, self._database.locate(connection, self._name), ())

    def prepare(self, connection: Connection, columns: Sequence[Column], in_table: Collection[str]) -> None:
        """Create the view, or replace it if the table has changed since.

        :param columns: of the result.
        :param in_table: names of the columns that the table has.
        :raises TargetError: naming what to change.
        """
        place = self._database.locate(connection, self._name)
        present, digest = self._present(connection, place, in_table)
        # Columns that other tasks copy stay, as long as the table has them.
        kept = [name for name in present if name in in_table and name not in fixed_names()]
        carried = [column.name for column in columns if column.name not in COLUMN_NAMES]
        further = [*kept, *(name for name in carried if name not in kept)]
        new_digest = hashlib.sha256(self._select(further, present).encode()).hexdigest()[:16]
        if digest != new_digest:
            marked = self._select(further, present, mark=f"permitocr_{new_digest}")
            self._database.create_view(connection, place, marked)

    def _select(self, further: Sequence[str], order: Sequence[str], mark: str = "permitocr") -> str:
        select = documents(self._described, further, order, mark=mark)
        compiled = select.compile(dialect=self._database.dialect(), compile_kwargs={"literal_binds": True})
        return str(compiled)

    def _present(
        self, connection: Connection, place: Place, in_table: Collection[str]
    ) -> tuple[list[str], str | None]:
        """Return the view's columns and digest; empty if it does not exist."""
        found: Relation | None = self._database.find(connection, place, in_table)
        if found is None:
            return [], None
        if not found.is_view:
            raise self._taken("is a table")
        if not (marked := _MARKED.search(found.definition or "")):
            raise self._taken("is a view of another program, or its definition may not be read")
        return list(found.columns), marked[1].lower()

    def _taken(self, reason: str) -> TargetError:
        return TargetError(f"{self._name!r} {reason}; give documents_view another name, or drop what has it")
