"""The rows of a result table that a ledger takes over, as standings with their answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.standing import Standing
from airflow_provider_permitocr.engine.models import ImageFacts, RowKey
from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.targets.result_table import ResultTable, WriteMode, split_schema
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import ANSWER_COLUMNS, COLUMNS, KEY_COLUMNS, Record
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.database.fit import is_without_zone, misfit
from airflow_provider_permitocr.sql.database.paging import is_after
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.dialects.reflection import FoundColumn
from airflow_provider_permitocr.sql.ledger.tables.clock import read_moment
from airflow_provider_permitocr.sql.targets.result_schema import result_table, sql_type

PAGE_ROWS: Final = 1_000
_NEEDED: Final = (*KEY_COLUMNS, "status")
_LATEST: Final = "processed_at"


@dataclass(frozen=True, slots=True)
class AdoptedRow:
    """One image from a result table.

    :param standing: without the answer's id, which is assigned later.
    :param version: of the ledger that delivered it; 0 if unknown.
    :param fields: the answer; None unless recognized.
    """

    row_key: RowKey
    standing: Standing
    version: int
    fields: Record | None = field(repr=False)


class AdoptedRows:
    """The rows of a result table, created by this version of the package or an earlier one.

    :param carried: names of columns that are copied from the image list.
    """

    def __init__(self, engine: sa.Engine, described: ResultTable, carried: Collection[str] = ()) -> None:
        self._engine, self._described, self._carried = engine, described, frozenset(carried)

    def find(self) -> bool:
        """Inspect the table.

        :return: whether it exists.
        :raises TargetError: when it isn't a result table.
        """
        if database_of(self._engine).missing_file(self._engine) is not None:
            return False
        schema, name = split_schema(self._described.table)
        with self._engine.connect() as connection:
            found = database_of(connection).columns(connection, name, schema)
        if found is None:
            return False
        self._table = self._describe(found)
        return True

    def highest_version(self) -> int | None:
        """Return the highest version of a row; None if no row has any."""
        if "version" not in self._table.c:
            return None
        with self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.max(self._table.c.version))).scalar()

    def pages(self) -> Iterator[Sequence[AdoptedRow | None]]:
        """Stream the images by key; in ``append`` mode, each as of its last row. None: one not understood."""
        page: list[AdoptedRow | None] = []
        for _, rows in groupby(self._rows(), key=lambda row: (row["image_key"], row["card_side"])):
            *_, last = rows
            page.append(self._read(last))
            if len(page) == PAGE_ROWS:
                yield page
                page = []
        if page:
            yield page

    def _describe(self, found: Sequence[FoundColumn]) -> sa.Table:
        dialect = self._engine.dialect
        folded = database_of(dialect).folded
        by_name = {folded(each.name): each for each in found}
        present = [column for column in COLUMNS if column.name in by_name]
        needed = [*_NEEDED, *([_LATEST] if self._described.mode is WriteMode.APPEND else [])]
        wrong = [f"it lacks {name}" for name in needed if name not in by_name]
        wrong += [
            why
            for column in present
            if (why := misfit(column, by_name[column.name], sql_type(column), dialect))
        ]
        if wrong:
            raise TargetError(
                f"the table {self._described.table!r} holds no results to take over: {'; '.join(wrong)}"
            )
        table = result_table(
            self._described.table,
            present,
            mode=self._described.mode,
            without_zone=[
                each.name for each in present if is_without_zone(each, by_name[each.name], dialect)
            ],
        )
        for name in sorted(self._carried):
            if (has := by_name.get(folded(name))) and name not in table.c:
                table.append_column(sa.Column(has.name, has.type, key=name))
        return table

    def _rows(self) -> Iterator[Mapping[str, Any]]:
        """Read the rows in the order of their key, each page in its own transaction.

        One that stays open would keep SQLite from writing, where the ledger is in the same file.
        """
        names = [*KEY_COLUMNS, *([_LATEST] if self._described.mode is WriteMode.APPEND else [])]
        order = [self._table.c[name] for name in names]
        columns = (column.label(column.key) for column in self._table.c)
        statement = sa.select(*columns).order_by(*order).limit(PAGE_ROWS)
        condition: sa.ColumnElement[bool] = sa.true()
        while True:
            with self._engine.connect() as connection:
                rows = [dict(row) for row in connection.execute(statement.where(condition)).mappings()]
            yield from rows
            if len(rows) < PAGE_ROWS:
                return
            condition = is_after([(column, rows[-1][column.key]) for column in order])

    def _read(self, row: Mapping[str, Any]) -> AdoptedRow | None:
        try:
            row_key = (str(row["image_key"]), CardSide(row["card_side"]))
            status = Status(row["status"])
            attempt_status = Status(row.get("attempt_status") or status)
        except ValueError:
            return None
        fields = {name: row.get(name) for name in ANSWER_COLUMNS} if status is Status.RECOGNIZED else None
        carried = {name: row[name] for name in self._carried if name in row}
        standing = _standing(row, status, attempt_status, carried)
        return AdoptedRow(row_key, standing, row.get("version") or 0, fields)


def _standing(row: Mapping[str, Any], status: Status, attempt_status: Status, carried: Record) -> Standing:
    processed_at, updated_at = read_moment(row.get("processed_at")), read_moment(row.get("image_updated_at"))
    return Standing(
        status=status,
        error_code=row.get("error_code"),
        error_message=row.get("error_message"),
        request_id=row.get("request_id"),
        # Before the order of every call that this ledger knows.
        answer_order=0 if status is Status.RECOGNIZED else -1,
        is_doubtful=row.get("is_doubtful"),
        reused_from=row.get("reused_from"),
        facts=ImageFacts.of_columns(row),
        updated_at=updated_at,
        processed_at=processed_at,
        run=row.get("run_id"),
        attempt_status=attempt_status,
        attempt_code=row.get("attempt_code") or row.get("error_code"),
        attempted_at=read_moment(row.get("attempted_at")) or processed_at,
        attempt_updated_at=updated_at,
        attempt_run=row.get("run_id"),
        tries=row.get("tries") or 1,
        carried=carried,
    )
