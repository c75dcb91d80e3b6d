"""The result table: created if missing, written in whole batches, never with older rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.delivery.ports import Held
from airflow_provider_permitocr.log_privacy import keep_data_out_of_logs
from airflow_provider_permitocr.options.targets.result_table import ResultTable, WriteMode, split_schema
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import ANSWER_COLUMNS, COLUMNS, Column
from airflow_provider_permitocr.sql.database.batch_writer import write_batch
from airflow_provider_permitocr.sql.database.changes import Change, add_column, carry_out
from airflow_provider_permitocr.sql.database.failures import (
    DatabaseUnreachableError,
    database_errors,
    describe,
    failure_of,
    is_locked,
)
from airflow_provider_permitocr.sql.database.fit import Fit
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.database.rights import raise_refusal, require_creatable
from airflow_provider_permitocr.sql.dialects.database import Failure
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.dialects.replacing import Replacing
from airflow_provider_permitocr.sql.targets.documents_view import DocumentsView
from airflow_provider_permitocr.sql.targets.result_check import examine, require_rights_to
from airflow_provider_permitocr.sql.targets.result_schema import result_table

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_permitocr.engine.models import RowKey

T = TypeVar("T")

#: Drivers take a few thousand parameters in one statement.
_KEYS_AT_ONCE: Final = 500


class SqlResultTarget:
    """The result table of a ``ResultTable``, on any database that SQLAlchemy speaks to.

    :param patience: how long rows wait for the database, to be read or written.
    """

    def __init__(self, engine: sa.Engine, described: ResultTable, *, patience: Patience = Patience()) -> None:
        keep_data_out_of_logs()
        self._patience = patience
        self._engine = engine
        self._described = described
        self._columns: Sequence[Column] = COLUMNS
        self._fit = Fit()
        self._table = self._describe()
        view = described.documents_view
        self._view = DocumentsView(engine, described, view) if view else None

    @property
    def is_filled_at_end(self) -> bool:
        """Whether it prefers one large delivery to many small ones."""
        return not database_of(self._engine).takes_small_batches

    @property
    def keeps_history(self) -> bool:
        """Whether it has a row for each recognition."""
        return self._described.mode is WriteMode.APPEND

    def missing_file(self) -> str | None:
        """Return the database's file if it is missing; None if it exists, or the database isn't a file."""
        return database_of(self._engine).missing_file(self._engine)

    def connect(self) -> None:
        """Make sure that the database answers.

        :raises DatabaseError: when it cannot be reached.
        """
        with database_errors("reading the result table"), self._engine.connect():
            pass

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
        self._fit = existing or Fit()
        self._table = self._describe(self._fit.without_zone)
        if self._view:
            with database_errors(f"creating the view {self._described.documents_view!r}"):
                self._view.prepare(columns, self._patience.at_least_briefly())

    def look(self, columns: Sequence[Column] = COLUMNS) -> None:
        """Check what ``prepare`` would, without changing anything; a table that is missing is empty.

        :param columns: of the result.
        :raises TargetError: naming what to change.
        :raises DatabaseError: when the database cannot be reached.
        """
        self._columns = columns
        if database_of(self._engine).missing_file(self._engine) is None:
            self.check()

    def check(self) -> bool:
        """Check that the table can take the rows, or can be created. Changes nothing.

        :return: whether it exists.
        :raises TargetError: naming what to change.
        :raises DatabaseError: when the database cannot be reached.
        """
        return self._existing() is not None

    def _existing(self) -> Fit | None:
        with database_errors(f"looking at the result table {self._described.table!r}"):
            if self._view:
                self._view.check()
            existing = self._patience.briefly().wait_out(
                self._examine, f"looking at the result table {self._described.table!r}"
            )
            if existing is None:
                self._require_right_to_create(split_schema(self._described.table)[0])
            return existing

    def _examine(self) -> Fit | None:
        with self._engine.connect() as connection:
            if existing := examine(connection, self._described, self._columns):
                require_rights_to(self._described, connection, existing.present)
            return existing

    def _describe(self, without_zone: Collection[str] = ()) -> sa.Table:
        described = self._described
        return result_table(described.table, self._columns, mode=described.mode, without_zone=without_zone)

    @property
    def when_locked(self) -> str:
        """Return what to do if another session locks it."""
        table = self._engine.dialect.identifier_preparer.format_table(self._table)
        return f"{database_of(self._engine).finding_holders(table)} and end it"

    def held(self) -> Held:
        """Return how many rows it holds, and their highest version."""
        # Two queries, so that the index on versions answers the second without a scan.
        rows = sa.select(sa.func.count()).select_from(self._table).scalar_subquery()
        highest = sa.select(sa.func.max(self._table.c.version)).scalar_subquery()
        statement = sa.select(rows, highest)
        return Held(*self._read(lambda connection: connection.execute(statement).one()))

    def is_empty(self) -> bool:
        """Return whether it holds no row."""
        status = self._table.c.status
        return self._read(lambda connection: connection.execute(sa.select(status).limit(1)).first()) is None

    def _read(self, read: Callable[[sa.Connection], T]) -> T:
        doing = f"looking at the rows of the result table {self._described.table!r}"
        with database_errors(doing), _missing_may_come_back(doing):
            return self._patience.read(self._engine, read, doing)

    def write(
        self,
        frame: pd.DataFrame,
        *,
        with_answers: bool = True,
        only_new: bool = False,
        most_refused: int | None = None,
    ) -> Mapping[int, str]:
        """Insert or replace the frame's rows by key, but never by rows of a smaller version.

        :param with_answers: False: leave the answers' columns unchanged; new rows have none.
        :param only_new: existing rows stay unchanged.
        :param most_refused: stop once this many rows are refused; None: try all.
        :return: by the row's index in the frame, the reason why its values were refused; '' for a row that
            was not tried.
        :raises DatabaseUnreachableError: when a retry may succeed.
        :raises DatabaseError: when the database refuses the batch as such.
        """
        from airflow_provider_permitocr.engine.delivery.frame import to_rows

        doing = f"writing {many(len(frame), 'row')} to the result table {self._described.table!r}"
        with database_errors(doing), _missing_may_come_back(doing):
            return write_batch(
                self._engine,
                self._table,
                to_rows(frame, self._columns),
                rule=Replacing("version", _kept(self._columns, with_answers=with_answers, only_new=only_new)),
                fault=self._fit.fault if self._fit.lengths or self._fit.padded else None,
                patience=self._patience,
                most_refused=most_refused,
            )

    def forget(self, versions: Mapping[RowKey, int]) -> None:
        """Delete the rows of erased images that are older than their erasure.

        :param versions: of the erasures.
        :raises TargetError: when the right to delete is missing.
        :raises DatabaseError: when the database cannot be reached.
        """
        doing = f"deleting rows of erased images from the result table {self._described.table!r}"
        conditions = list(_older(self._table, versions))

        def delete(connection: sa.Connection) -> None:
            for condition in conditions:
                connection.execute(sa.delete(self._table).where(condition))

        with database_errors(doing), _missing_may_come_back(doing):
            try:
                self._patience.write(self._engine, delete, doing)
            except SQLAlchemyError as error:
                if failure_of(error) is not Failure.REFUSAL:
                    raise
                refused = (
                    "the connection's user has no right to delete rows of the result table"
                    f" {self._described.table!r}, a history that contains people to erase"
                )
                raise_refusal(error, refused, "grant it, and clear the task")

    def _make(self, missing: Sequence[Column]) -> None:
        """Create the table, or add the columns that it lacks."""

        def wanted(connection: sa.Connection) -> list[Change]:
            existing = examine(connection, self._described, self._columns)
            if existing is None:
                return [partial(self._table.create, checkfirst=False)]
            lacking = [self._table.c[column.name] for column in existing.missing]
            return [partial(add_column, column=column) for column in lacking]

        doing = f"{'adding columns to' if missing else 'creating'} the result table {self._described.table!r}"
        with database_errors(doing):
            try:
                carry_out(self._engine, wanted, doing, self._patience.at_least_briefly())
            except SQLAlchemyError as error:
                if is_locked(error):
                    raise self._held(doing) from None
                raise_refusal(error, *(self._not_alterable(missing) if missing else self._not_creatable()))

    def _held(self, doing: str) -> DatabaseUnreachableError:
        return DatabaseUnreachableError(
            f"{doing} failed: another session holds a lock on it, such as an open transaction that has read"
            f" it; {self.when_locked}"
        )

    def _require_right_to_create(self, schema: str | None) -> None:
        """Refuse what would fail, if the database can report that without trying."""
        with self._engine.connect() as connection:
            require_creatable(connection, schema, *self._not_creatable())

    def _not_creatable(self) -> tuple[str, str]:
        return (
            f"the result table {self._described.table!r} could not be created",
            "create its schema, or grant the connection's user the right to create tables",
        )

    def _not_alterable(self, missing: Sequence[Column]) -> tuple[str, str]:
        columns = ", ".join(f"{column.name} {self._type_of(column)}" for column in missing)
        return (
            f"the columns that the result table {self._described.table!r} lacks could not be added",
            f"grant the connection's user the right to alter it, or add them: {columns}",
        )

    def _type_of(self, column: Column) -> str:
        return self._table.c[column.name].type.compile(self._engine.dialect)


def _older(table: sa.Table, versions: Mapping[RowKey, int]) -> Iterator[sa.ColumnElement[bool]]:
    """Select rows of images that are older than a version, in as many conditions as it takes."""
    alike: dict[tuple[CardSide, int], list[str]] = {}
    for (image_key, side), version in versions.items():
        alike.setdefault((side, version), []).append(image_key)
    columns = table.c
    for (side, version), keys in alike.items():
        is_older = sa.or_(columns.version.is_(None), columns.version < version)
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = columns.image_key.in_(keys[start : start + _KEYS_AT_ONCE])
            yield sa.and_(some, columns.card_side == side.value, is_older)


def _kept(columns: Sequence[Column], *, with_answers: bool, only_new: bool) -> frozenset[str]:
    """Return the columns that rows keep which are there already."""
    if only_new:
        return frozenset(column.name for column in columns)
    return frozenset() if with_answers else frozenset(ANSWER_COLUMNS)


@contextmanager
def _missing_may_come_back(doing: str) -> Iterator[None]:
    """Take a table that was dropped or renamed in mid-run for one that is unreachable: it may come back."""
    try:
        yield
    except SQLAlchemyError as error:
        if failure_of(error) is not Failure.NO_TABLE:
            raise
        raise DatabaseUnreachableError(f"{doing} failed: {describe(error)}") from None
