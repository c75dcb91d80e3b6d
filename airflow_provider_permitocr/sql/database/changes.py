"""Schema changes that succeed even if several tasks make the same change at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.compiler import compiles

from airflow_provider_permitocr.sql.database.failures import is_made_already
from airflow_provider_permitocr.sql.database.patience import BRIEFLY, Patience
from airflow_provider_permitocr.sql.dialects.known import database_of

Change = Callable[[sa.Connection], None]

#: Consecutive refusals without progress before giving up. DuckDB refuses a table that another task has
#: created before that table becomes visible.
_REFUSALS: Final = 3


def carry_out(
    engine: sa.Engine,
    wanted: Callable[[sa.Connection], Sequence[Change]],
    doing: str,
    patience: Patience = BRIEFLY,
) -> None:
    """Apply changes until none are left. If none are needed, nothing is locked.

    Another task may apply the same changes at the same time. The later one is then refused, checks again what
    is missing, and mostly finds nothing. If readers hold a lock on the table, changes are tried briefly with
    pauses in between, because new readers queue behind each attempt.

    :param wanted: returns the changes that are still needed.
    :param doing: for the log, e.g. ``adding columns to the result table 'permits'``.
    :param patience: how long to wait for locks, and for a database that cannot be reached.
    :raises SQLAlchemyError: when the database refuses them for another reason, or patience runs out.
    """
    changes = _Changes(engine, wanted)
    patience.wait_out(changes.make, doing, or_when=changes.may_be_left)


class _Changes:
    def __init__(self, engine: sa.Engine, wanted: Callable[[sa.Connection], Sequence[Change]]) -> None:
        self._engine, self._wanted, self._database = engine, wanted, database_of(engine)
        self._left = self._fewest = 0
        self._refusals = 0

    def make(self) -> None:
        """Apply the remaining changes."""
        with self._engine.connect() as connection:
            changes = self._wanted(connection)
        self._left = len(changes)
        if not changes:
            return
        with self._database.changing(self._engine) as connection:
            refusals = [error for change in changes if (error := self._refusal(connection, change))]
        if refusals:
            raise refusals[0]

    def _refusal(self, connection: sa.Connection, change: Change) -> SQLAlchemyError | None:
        """Make a change; return why it was refused, where others can still be made."""
        try:
            change(connection)
        except SQLAlchemyError as error:
            if self._database.changes_in_transactions or not is_made_already(error):
                raise
            return error
        return None

    def may_be_left(self, error: Exception) -> bool:
        """Return whether to look again after a refusal."""
        if not is_made_already(error):
            return False
        is_less = not self._refusals or self._left < self._fewest
        self._fewest = self._left if is_less else self._fewest
        self._refusals = 1 if is_less else self._refusals + 1
        return self._refusals < _REFUSALS


class AddColumn(sa.schema.ExecutableDDLElement):
    """Add a column to its table; SQLAlchemy itself has no statement for it."""

    def __init__(self, column: sa.Column[Any]) -> None:
        self.column = column


class _CreateView(sa.schema.ExecutableDDLElement):
    inherit_cache = False

    def __init__(self, view: sa.TableClause, select: sa.Select[Any], *, replaces: bool = False) -> None:
        self.view, self.selected, self.replaces = view, select, replaces


class _DropView(sa.schema.ExecutableDDLElement):
    def __init__(self, view: sa.TableClause) -> None:
        self.view = view


class _CommentOnView(sa.schema.ExecutableDDLElement):
    def __init__(self, view: sa.TableClause, comment: str) -> None:
        self.view, self.comment = view, comment


@compiles(AddColumn)
def _add_column(element: AddColumn, compiler: Any, **_: Any) -> str:
    table = compiler.preparer.format_table(element.column.table)
    return f"ALTER TABLE {table} ADD COLUMN {compiler.get_column_specification(element.column)}"


@compiles(_CreateView)
def _create_view(element: _CreateView, compiler: Any, **_: Any) -> str:
    create = "CREATE OR REPLACE VIEW" if element.replaces else "CREATE VIEW"
    view = compiler.preparer.format_table(element.view)
    select = compiler.sql_compiler.process(element.selected, literal_binds=True)
    return f"{create} {view} AS {select}"


@compiles(_DropView)
def _drop_view(element: _DropView, compiler: Any, **_: Any) -> str:
    return f"DROP VIEW {compiler.preparer.format_table(element.view)}"


@compiles(_CommentOnView)
def _comment_on_view(element: _CommentOnView, compiler: Any, **_: Any) -> str:
    words = compiler.sql_compiler.render_literal_value(element.comment, sa.String())
    return f"COMMENT ON VIEW {compiler.preparer.format_table(element.view)} IS {words}"


def add_column(connection: sa.Connection, column: sa.Column[Any]) -> None:
    """Add a column to its table, with its comment."""
    connection.execute(AddColumn(column))
    dialect = connection.dialect
    if column.comment and dialect.supports_comments and not dialect.inline_comments:
        connection.execute(sa.schema.SetColumnComment(column))


def create_view(connection: sa.Connection, view: sa.TableClause, select: sa.Select[Any]) -> None:
    """Create a view.

    :param view: its name, as a table without columns.
    """
    connection.execute(_CreateView(view, select))


def replace_view(
    connection: sa.Connection, view: sa.TableClause, select: sa.Select[Any], *, in_place: bool = True
) -> None:
    """Replace a view without a moment in which it's missing.

    :param connection: in a transaction of ``Database.changing``.
    :param in_place: False: its columns or types changed, which PostgreSQL's CREATE OR REPLACE refuses.
    """
    replaces = in_place and database_of(connection).replaces_views
    if not replaces:
        connection.execute(_DropView(view))
    connection.execute(_CreateView(view, select, replaces=replaces))


def comment_on_view(
    connection: sa.Connection, view: sa.TableClause, comment: str, comments: Mapping[str, str]
) -> None:
    """Comment a view and its columns, if the database supports that.

    :param comments: of columns, by name.
    """
    if not database_of(connection).comments_on_views:
        return
    if comment:
        connection.execute(_CommentOnView(view, comment))
    described = sa.table(view.name, *(sa.column(name) for name in comments), schema=view.schema)
    for name, words in comments.items():
        column: Any = described.c[name]
        column.comment = words
        connection.execute(sa.schema.SetColumnComment(column))
