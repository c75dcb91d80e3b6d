"""A column of the list as every driver reads it: one value that none can read stops no other row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from airflow_provider_permitocr.sql.dialects.database import Database

#: Literals, because PostgreSQL would treat bound values as text.
_NO: Final = sa.literal_column("0", sa.Integer)
_YES: Final = sa.literal_column("1", sa.Integer)
Conditions: TypeAlias = tuple[sa.ColumnElement[bool], ...]


@dataclass(frozen=True)
class ReadColumn:
    """A column to read, which may contain values that drivers cannot read.

    :param column: as it exists in the database.
    :param driver_type: its type in the driver's terms.
    """

    database: Database
    column: sa.ColumnElement[Any]
    driver_type: Any

    @property
    def value(self) -> sa.ColumnElement[Any]:
        """The column; NULL if no driver can read it."""
        readable = self._is_readable
        if readable is None:
            return self.column
        return sa.type_coerce(sa.case((readable, self.column)), sa.types.NULLTYPE)

    @property
    def is_unreadable(self) -> sa.ColumnElement[int]:
        """1 if no driver can read it, else 0."""
        readable = self._is_readable
        if readable is None:
            return _NO
        return sa.case((self.column.is_(None), _NO), (readable, _NO), else_=_YES)

    @property
    def is_there(self) -> Conditions:
        """Conditions for a value that can be read."""
        readable = self._is_readable
        return (self.column.is_not(None),) if readable is None else (self.column.is_not(None), readable)

    @property
    def is_missing(self) -> Conditions:
        """Condition for NULL, or a value that cannot be read."""
        if self._is_readable is None:
            return (self.column.is_(None),)
        return (sa.or_(self.column.is_(None), self.is_unreadable == 1),)

    @property
    def _is_readable(self) -> sa.ColumnElement[bool] | None:
        return self.database.is_readable(self.column, self.driver_type)
