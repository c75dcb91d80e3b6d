"""The result table in Snowflake, which is loaded in bulk, through its own connector."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.delivery.ports import Held
from airflow_provider_permitocr.errors import PermitOcrError, TargetError
from airflow_provider_permitocr.options.targets.result_table import ResultTable, WriteMode
from airflow_provider_permitocr.permit.columns import ANSWER_COLUMNS, COLUMNS, Column
from airflow_provider_permitocr.sql.database.batch_writer import write_or_halve
from airflow_provider_permitocr.sql.database.failures import DatabaseError, DatabaseUnreachableError
from airflow_provider_permitocr.sql.database.fit import require_fit, require_table
from airflow_provider_permitocr.sql.dialects.database import Failure
from airflow_provider_permitocr.sql.dialects.known import database_of_error
from airflow_provider_permitocr.sql.dialects.snowflake import (
    Connection,
    Merging,
    Place,
    Relation,
    Snowflake,
    StoredColumn,
)
from airflow_provider_permitocr.sql.targets.result_check import wanted_table
from airflow_provider_permitocr.sql.targets.result_schema import KEYS, result_table
from airflow_provider_permitocr.sql.targets.snowflake_view import SnowflakeView

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_permitocr.engine.models import RowKey

#: Calls go on for hours between two deliveries, and sessions and their tokens end in less.
_LONGEST_IDLE_SECONDS: Final = 300.0
_GUARD: Final = "version"


class SnowflakeTarget:
    """The result table of a ``ResultTable``, in Snowflake.

    It keeps one connection, reopens it after errors or long idle times, and leaves no transaction open. The
    connector itself retries network errors; the delivery retries others.

    :param connect: opens a connection, with all settings of the user's Airflow connection.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        database: Snowflake,
        connect: Callable[[], Connection],
        described: ResultTable,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._connect, self._described, self._clock = database, connect, described, clock
        self._columns: Sequence[Column] = COLUMNS
        self._stored: Mapping[str, StoredColumn] = {}
        self._place: Place | None = None
        self._connection: Connection | None = None
        self._has_connected = False
        self._used_at = 0.0
        self._lock = threading.Lock()
        view = described.documents_view
        self._view = SnowflakeView(database, described, view) if view else None

    @property
    def is_filled_at_end(self) -> bool:
        """Whether it prefers one large delivery to many small ones."""
        return True

    @property
    def keeps_history(self) -> bool:
        """Whether it has a row for each recognition."""
        return self._mode is WriteMode.APPEND

    @property
    def when_locked(self) -> str:
        """Return what to do if another session locks it."""
        return "look for its open transactions in the database's query history, and end them"

    @property
    def _mode(self) -> WriteMode:
        return WriteMode(self._described.mode)

    def missing_file(self) -> None:
        """Name a missing database file: it has none."""

    def connect(self) -> None:
        """Make sure that the database answers.

        :raises DatabaseError: when it cannot be reached.
        """
        with self._connected(f"connecting for {self._named}"):
            pass

    def name(self) -> str:
        """Name the table by its connection, and by its resolved place in the database.

        :raises TargetError: when the connection does not say where that is.
        :raises DatabaseError: when the database cannot be reached.
        """
        with self._connected(f"looking for {self._named}") as connection:
            return f"{self._described.conn_id}:{self._found_at(connection)}"

    def prepare(self, columns: Sequence[Column] = COLUMNS) -> None:
        """Create the table, or check that it can take the rows and add the columns that it lacks.

        :param columns: of the result.
        :raises TargetError: naming what to change.
        :raises DatabaseError: when the database cannot be reached.
        """
        self._columns = columns
        with self._connected(f"preparing {self._named}") as connection:
            found = self._look(connection)
            missing = columns if found is None else self._lacking(found)
            if missing:
                self._make(connection, missing if found else ())
                found = self._look(connection)
            if found is None:
                raise TargetError(f"{self._named} was dropped while it was prepared; start the task again")
            self._stored = found.columns
            if self._view:
                with self._refused(self._no_view):
                    self._view.prepare(connection, columns, found.columns)

    def look(self, columns: Sequence[Column] = COLUMNS) -> None:
        """Check what ``prepare`` would, without changing anything; a table that is missing is empty.

        :param columns: of the result.
        :raises TargetError: naming what to change.
        :raises DatabaseError: when the database cannot be reached.
        """
        self._columns = columns
        self.check()

    def check(self) -> bool:
        """Check that the table can take the rows, as far as possible without creating it. Changes nothing.

        :return: whether it exists.
        :raises TargetError: naming what to change.
        :raises DatabaseError: when the database cannot be reached.
        """
        with self._connected(f"looking at {self._named}") as connection:
            if (found := self._look(connection)) is None:
                return False
            self._lacking(found)
            return True

    def held(self) -> Held:
        """Return how many rows it holds, and their highest version."""
        with self._rows("looking at the rows of") as connection:
            version = self._stored[_GUARD]
            return Held(*self._database.count_and_highest(connection, self._found_at(connection), version))

    def is_empty(self) -> bool:
        """Return whether it holds no row."""
        with self._rows("looking at the rows of") as connection:
            return self._database.is_empty(connection, self._found_at(connection))

    def write(
        self,
        frame: pd.DataFrame,
        *,
        with_answers: bool = True,
        only_new: bool = False,
        most_refused: int | None = None,
    ) -> Mapping[int, str]:
        """Insert or replace the frame's rows by key, in one load and one merge, but never by older rows.

        If a key occurs more than once, the last row is written. If the database refuses rows for their
        values, a binary search isolates them, with a load and a merge for each part.

        :param with_answers: False: leave the answers' columns unchanged; new rows have none.
        :param only_new: existing rows stay unchanged.
        :param most_refused: stop once this many rows are refused; None: try all.
        :return: by the row's index in the frame, the reason why its values were refused; '' for a row that
            was not tried.
        :raises DatabaseUnreachableError: when a retry may succeed.
        :raises DatabaseError: when the database refuses the rows as such.
        """
        key = KEYS[self._mode]
        columns = {column: self._stored[column.name] for column in self._columns}
        kept = () if with_answers else ANSWER_COLUMNS
        replaced = [column.name for column in columns if column.name not in (*key, *kept)]
        merging = Merging(key, () if only_new else replaced, _GUARD)
        is_last = ~frame.duplicated(list(key), keep="last")
        refused: dict[int, str] = {}

        def load(places: Sequence[int]) -> None:
            if places:
                some = frame.iloc[list(places)].reset_index(drop=True)
                self._database.load(connection, self._found_at(connection), some, columns, merging)

        with self._rows(f"writing {many(len(frame), 'row')} to") as connection:
            write_or_halve(
                load,
                [place for place, kept in enumerate(is_last) if kept],
                refused,
                most_refused,
                blames_a_row=lambda error: self._database.failure(error) is Failure.ROW,
                describe=self._database.describe,
            )
        return refused

    def forget(self, versions: Mapping[RowKey, int]) -> None:
        """Delete all rows that are older than their image's erasure, which the table itself records.

        :param versions: of the erasures.
        :raises TargetError: when the right to delete is missing.
        :raises DatabaseError: when the database cannot be reached.
        """
        if not versions:
            return
        with self._rows("deleting rows of erased images from") as connection, self._refused(self._no_delete):
            self._database.delete_older_than_erasure(connection, self._found_at(connection), self._stored)

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it may be the network that has failed
                connection.close()

    @property
    def _named(self) -> str:
        return f"the result table {self._described.table!r}"

    def _found_at(self, connection: Connection) -> Place:
        if self._place is None:
            self._place = self._database.locate(connection, self._described.table)
        return self._place

    def _look(self, connection: Connection) -> Relation | None:
        if self._view:
            self._view.check(connection)
        place, names = self._found_at(connection), [column.name for column in self._columns]
        try:
            found = self._database.find(connection, place, names)
        except Exception as error:
            if self._database.failure(error) is not Failure.NO_TABLE:
                raise
            raise TargetError(
                f"there is no schema {place.database}.{place.schema} for {self._named}, or the connection's"
                f" role may not use it ({self._database.describe(error)}); create it, or grant the right"
            ) from None
        if found is not None and not found.is_view:
            stored = [found.columns[name] for name in names if name in found.columns]
            if stored:
                with self._refused(self._no_rights):
                    self._database.try_rights(connection, place, stored)
        return found

    def _lacking(self, found: Relation) -> Sequence[Column]:
        """Check that a table can take the rows; return columns of the result that it lacks."""
        columns = self._columns
        wanted = wanted_table(self._described, columns)
        require_table(wanted, is_view=found.is_view)
        present = {column: found.columns[column.name] for column in columns if column.name in found.columns}
        missing = tuple(column for column in columns if column not in present)
        faults = [why for column, stored in present.items() if (why := self._database.misfit(column, stored))]
        # Declared keys are not enforced, but distinguish a history from an unrelated table.
        if said := wanted.other_keys.get(found.declared_key):
            faults.append(said)
        own = {column.name for column in columns}
        require_fit(
            wanted, missing, {name: each for name, each in found.columns.items() if name not in own}, faults
        )
        return missing

    def _make(self, connection: Connection, missing: Sequence[Column]) -> None:
        """Create the table, or add the columns that it lacks."""
        place = self._found_at(connection)
        if missing:
            with self._refused(lambda reason: self._not_alterable(reason, missing)):
                self._database.add_columns(connection, place, missing)
            return
        comment = result_table(self._described.table, self._columns, mode=self._mode).comment or ""
        with self._refused(self._not_creatable):
            self._database.create_table(connection, place, self._columns, KEYS[self._mode], comment)

    @contextmanager
    def _connected(self, doing: str) -> Iterator[Connection]:
        """Give the connection, one that works, to one thread at a time; turn its errors into ours."""
        with self._lock:
            try:
                yield self._open()
            except PermitOcrError:
                raise
            except Exception as error:  # noqa: BLE001  raised again as what it means
                self._raise_ours(error, doing)
            finally:
                self._used_at = self._clock()

    def _raise_ours(self, error: Exception, doing: str) -> None:
        failure = self._database.failure(error)
        if failure is None:
            self.close()
            raise error
        reason = self._database.describe(error)
        if failure is Failure.TRANSIENT:
            self.close()
            raise DatabaseUnreachableError(f"{doing} failed: {reason}") from None
        # Cut off from its cause: a traceback would print the connector's own words, values included.
        raise DatabaseError(f"{doing} failed: {reason}") from None

    @contextmanager
    def _rows(self, doing: str) -> Iterator[Connection]:
        """Take a table that was dropped or renamed in mid-run for one that is down: it may come back."""
        doing = f"{doing} {self._named}"
        with self._connected(doing) as connection:
            try:
                yield connection
            except Exception as error:
                if self._database.failure(error) is not Failure.NO_TABLE:
                    raise
                reason = self._database.describe(error)
                raise DatabaseUnreachableError(f"{doing} failed: {reason}") from None

    def _open(self) -> Connection:
        is_stale = self._clock() - self._used_at > _LONGEST_IDLE_SECONDS
        if self._connection is not None and (is_stale or self._connection.is_closed()):
            self.close()
        if self._connection is None:
            self._connection = self._connected_by_hook()
            self._has_connected = True
            self._database.begin_session(self._connection)
        return self._connection

    def _connected_by_hook(self) -> Connection:
        """Connect; a hook that has done so before may fail because a service is down that it asks itself."""
        try:
            return self._connect()
        except Exception as error:
            if not self._has_connected or database_of_error(error) is self._database:
                raise
            reason = f"its hook failed with {type(error).__name__}"
        raise DatabaseUnreachableError(f"connecting for {self._named} failed: {reason}")

    @contextmanager
    def _refused(self, refusal: Callable[[str], TargetError]) -> Iterator[None]:
        """Return what to change if the database refuses permanently."""
        try:
            yield
        except PermitOcrError:
            raise
        except Exception as error:
            if self._database.failure(error) in (None, Failure.TRANSIENT):
                raise
            raise refusal(self._database.describe(error)) from None

    def _no_rights(self, reason: str) -> TargetError:
        return TargetError(
            f"the connection's role may not read, insert into and update {self._named} ({reason}); grant it"
            " the right to do so"
        )

    def _no_delete(self, reason: str) -> TargetError:
        return TargetError(
            f"the connection's role has no right to delete rows of {self._named}, a history that contains"
            f" people to erase ({reason}); grant it, and clear the task"
        )

    def _not_creatable(self, reason: str) -> TargetError:
        return TargetError(
            f"{self._named} could not be created: {reason}; create its schema, or grant the connection's role"
            " the right to create tables"
        )

    def _not_alterable(self, reason: str, missing: Sequence[Column]) -> TargetError:
        columns = ", ".join(f"{column.name} {self._database.type_of(column)}" for column in missing)
        return TargetError(
            f"the columns that {self._named} lacks could not be added: {reason}; grant the connection's role"
            f" the right to alter it, or add them: {columns}"
        )

    def _no_view(self, reason: str) -> TargetError:
        return TargetError(
            f"the view {self._described.documents_view!r} could not be created: {reason}; grant the"
            " connection's role the right to create views, or leave out documents_view"
        )
