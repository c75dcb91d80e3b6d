"""What is known of SQLite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.columns import ColumnKind
from airflow_provider_permitocr.sql.database.database import Database, Failure, first_line
from airflow_provider_permitocr.sql.database.families import HOLDING, Family
from airflow_provider_permitocr.sql.database.reflection import FoundColumn

# Result codes: https://www.sqlite.org/rescode.html

#: BUSY, LOCKED, PROTOCOL (a race for the file), SCHEMA (changed while a statement was prepared).
_TRANSIENT: Final = frozenset({5, 6, 15, 17})
#: TOOBIG, CONSTRAINT, MISMATCH.
_OF_ROWS: Final = frozenset({18, 19, 20})
_READ_ONLY: Final = 8
#: It keeps days and times as text and booleans as numbers, whatever a column is declared as, and its
#: CREATE TABLE AS declares them so. A number's column would take the leading zeros from a text:
#: https://www.sqlite.org/datatype3.html#type_affinity
_HOLDING: Final[Mapping[ColumnKind, frozenset[Family]]] = {
    **HOLDING,
    ColumnKind.DATE: frozenset({Family.DATE, Family.TEXT, Family.NUMBER}),
    ColumnKind.TIMESTAMP: frozenset({Family.TIMESTAMP, Family.TEXT, Family.NUMBER}),
    ColumnKind.BOOLEAN: frozenset({Family.BOOLEAN, Family.INTEGER, Family.NUMBER}),
    ColumnKind.INTEGER: frozenset({Family.INTEGER, Family.NUMBER}),
}
#: By what its unique indexes compare; a column's own is kept nowhere else but in CREATE TABLE.
_COLLATIONS: Final = """
    SELECT compared.name, compared.coll
    FROM pragma_index_list(:name, :schema) AS known, pragma_index_xinfo(known.name, :schema) AS compared
    WHERE known."unique" AND compared.key AND upper(compared.coll) <> 'BINARY'
"""


class Sqlite(Database):
    """SQLite, a file on one machine."""

    title = "SQLite"
    dialects = ("sqlite",)
    drivers = ("sqlite3",)
    folds_columns = True
    folds_tables = True
    holding: ClassVar[Mapping[ColumnKind, frozenset[Family]]] = _HOLDING
    is_lenient = True

    def failure(self, error: BaseException) -> Failure | None:
        """Tell what an error of its driver means."""
        code = _code(error)
        if code in _TRANSIENT:
            return Failure.TRANSIENT
        if code in _OF_ROWS:
            return Failure.ROW
        if code == _READ_ONLY:
            return Failure.READ_ONLY
        return Failure.NO_TABLE if str(error).startswith("no such table") else None

    def describe(self, error: BaseException) -> str:
        """Describe an error of its driver without any value of a row."""
        name, code = type(error).__name__, _code(error)
        # The driver's own, without a code, quote values; so do triggers, which are constraints.
        is_of_database = code is not None and code not in _OF_ROWS and name == "OperationalError"
        return f"{name}: {first_line(error)}" if is_of_database else name

    def columns(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> list[FoundColumn] | None:
        """Return the columns of a table or view in their order; None where there is neither."""
        found = super().columns(connection, name, schema)
        if found is None:
            return None
        rows = connection.execute(sa.text(_COLLATIONS), {"name": name, "schema": schema or "main"})
        merging = {column.lower(): collation for column, collation in rows if column}
        return [replace(each, length=None, merging=merging.get(each.name.lower())) for each in found]

    def family(self, kind: sa.types.TypeEngine[Any]) -> Family:
        """Return the family of a type that it has: its floats have 8 bytes, and no number is rounded."""
        if isinstance(kind, sa.Float):
            return Family.FLOAT
        return Family.NUMBER if isinstance(kind, sa.Numeric) else super().family(kind)

    def is_without_zone(self, kind: sa.types.TypeEngine[Any]) -> bool:  # noqa: ARG002
        """Tell whether a column of such a type holds times without a time zone."""
        return False  # SQLAlchemy writes and reads texts


def _code(error: BaseException) -> int | None:
    """Return the primary result code; None for what is the driver's own."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
