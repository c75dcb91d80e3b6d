"""The rows of a result table as analyses read them: those in force, with the types that the database has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.options.targets.result_table import WriteMode, split_schema
from airflow_provider_permitocr.permit.columns import COLUMNS, ColumnKind
from airflow_provider_permitocr.permit.privacy import FACTS
from airflow_provider_permitocr.sql.dialects.database import KEY, Database
from airflow_provider_permitocr.sql.targets.latest_rows import latest_rows

#: Order of an image's rows in a history: the last one is in force.
_OF_HISTORIES: Final = (KEY, "card_side", "version", "processed_at")
_DATES: Final = frozenset(each.name for each in COLUMNS if each.kind is ColumnKind.DATE)
#: By column, the one with the printed text: a correction has it, even where it leaves another empty.
_PRINTED: Final = {column: fact.text for fact in FACTS.values() for column in fact.columns}
_BOOLEANS: Final = frozenset(each.name for each in COLUMNS if each.kind is ColumnKind.BOOLEAN)


@dataclass(frozen=True)
class ResultRows:
    """What a view selects from.

    :param database: that the table is in.
    :param table: its name, with or without ``schema.`` in front.
    :param mode: of the table.
    :param types: types of its columns, as the database has them.
    :param minutes: offset from UTC of the time zone whose midnight starts a day.
    :param key_type: the ledger's name for the type of the list's keys; None: text.
    """

    database: Database
    table: str
    mode: WriteMode | str
    types: Mapping[str, sa.types.TypeEngine[Any]]
    minutes: int
    key_type: str | None = None

    def latest(self, *names: str, side: str | None = None) -> sa.Subquery:
        """Select these columns of the row in force of each image and side.

        :param side: only this side.
        """
        schema, name = split_schema(self.table)
        read = {"card_side", *names, *(() if self.mode == WriteMode.UPSERT else _OF_HISTORIES)}
        # In a fixed order: the text of a view decides whether it is replaced.
        columns = (sa.column(each, self._type(each)) for each in sorted(read))
        table = sa.table(name, *columns, schema=schema)
        conditions = () if side is None else (table.c.card_side == sa.literal_column(f"'{side}'"),)
        return latest_rows(table, self.mode, *conditions).subquery("permitocr_latest")

    def in_force(self, latest: sa.Subquery, name: str) -> sa.ColumnElement[Any]:
        """Return what is known of a field: a reviewer's correction, or else the reading.

        :param latest: rows with the field and ``corrections``.
        """
        corrections, read = latest.c.corrections, latest.c[name]
        is_corrected = self.database.json_text(corrections, _PRINTED[name]).is_not(None)
        said = self.database.json_text(corrections, name)
        correction = self.database.day_of_text(said) if name in _DATES else said
        return sa.case((is_corrected, correction), else_=read)

    def key(self, key: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return the text of a key in the list's form, so that both can be joined."""
        return self.database.typed_key(key, self.key_type).label(KEY)

    def day(self, moment: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return the day of a moment."""
        return self.database.local_day(moment, self.minutes)

    def today(self) -> sa.ColumnElement[Any]:
        """Return the day that it is by the database's clock."""
        return self.day(self.database.now())

    def _type(self, name: str) -> sa.types.TypeEngine[Any]:
        return sa.Boolean() if name in _BOOLEANS else self.types[name]


def counted(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
    """Count the rows that meet a condition, as an integer: databases return sums in different types."""
    return sa.func.count(sa.case((condition, sa.literal_column("1"))))


def is_trusted(review_status: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Return whether nobody has decided that a reading is wrong, or somebody has corrected it."""
    return sa.or_(review_status.is_(None), review_status != text("rejected"))


def is_true(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Return whether a column of truth values, which may be NULL, is true."""
    return column == sa.true()


def text(value: str) -> sa.ColumnElement[Any]:
    """Return a literal for a view, whose SELECT takes no parameters."""
    return sa.literal(value, sa.Text())
