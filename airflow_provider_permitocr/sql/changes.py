"""Changes to what a database has, so that tasks which make the same one at the same moment all succeed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.compiler import compiles

from airflow_provider_permitocr.sql.database.failures import is_transient

Change = Callable[[sa.Connection], None]

_ATTEMPTS: Final = 6
_REFUSALS: Final = 3
_FIRST_WAIT_SECONDS: Final = 0.05


def carry_out(
    engine: sa.Engine,
    wanted: Callable[[sa.Connection], Sequence[Change]],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Make changes until nothing is left to change.

    Another task may make them at the same moment; the later one is then refused, and looks again at what is
    left to do, which mostly is nothing.

    :param wanted: looks what is left to change.
    :raises SQLAlchemyError: when the database refuses them for another reason.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with engine.connect() as connection:
                changes = wanted(connection)
            if not changes:
                return
            with engine.begin() as connection:
                for change in changes:
                    change(connection)
            return
        except SQLAlchemyError as error:
            # DuckDB refuses a table that another task has made before it lets anybody see it.
            if attempt >= (_ATTEMPTS if is_transient(error) else _REFUSALS):
                raise
        _wait(attempt, sleep)


def _wait(attempt: int, sleep: Callable[[float], None]) -> None:
    sleep(_FIRST_WAIT_SECONDS * 2**attempt * random.uniform(0.5, 1))  # noqa: S311


class AddColumn(sa.schema.ExecutableDDLElement):
    """Add a column to its table; SQLAlchemy itself has no statement for it."""

    def __init__(self, column: sa.Column[Any]) -> None:
        self.column = column


class CreateView(sa.schema.ExecutableDDLElement):
    """Create a view.

    :param view: its name, as a table without columns.
    :param replaces: the view of that name is replaced.
    """

    inherit_cache = False

    def __init__(self, view: sa.TableClause, select: sa.Select[Any], *, replaces: bool = False) -> None:
        self.view, self.selected, self.replaces = view, select, replaces


class _DropView(sa.schema.ExecutableDDLElement):
    def __init__(self, view: sa.TableClause) -> None:
        self.view = view


@compiles(AddColumn)
def _add_column(element: AddColumn, compiler: Any, **_: Any) -> str:
    keyword = "ADD" if compiler.dialect.name in ("mssql", "oracle") else "ADD COLUMN"
    table = compiler.preparer.format_table(element.column.table)
    return f"ALTER TABLE {table} {keyword} {compiler.get_column_specification(element.column)}"


@compiles(CreateView)
def _create_view(element: CreateView, compiler: Any, **_: Any) -> str:
    replacing = "CREATE OR ALTER VIEW" if compiler.dialect.name == "mssql" else "CREATE OR REPLACE VIEW"
    view = compiler.preparer.format_table(element.view)
    select = compiler.sql_compiler.process(element.selected, literal_binds=True)
    return f"{replacing if element.replaces else 'CREATE VIEW'} {view} AS {select}"


@compiles(_DropView)
def _drop_view(element: _DropView, compiler: Any, **_: Any) -> str:
    return f"DROP VIEW {compiler.preparer.format_table(element.view)}"


def add_column(connection: sa.Connection, column: sa.Column[Any]) -> None:
    """Add a column to its table, with its comment."""
    connection.execute(AddColumn(column))
    dialect = connection.dialect
    if column.comment and dialect.supports_comments and not dialect.inline_comments:
        connection.execute(sa.schema.SetColumnComment(column))


def replace_view(connection: sa.Connection, view: sa.TableClause, select: sa.Select[Any]) -> None:
    """Replace a view, so that nobody finds it missing in between."""
    if connection.dialect.name == "sqlite":
        # Its driver begins no transaction before such statements.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    # The one knows no OR REPLACE, the other none that adds a column.
    drops = connection.dialect.name in ("sqlite", "redshift")
    if drops:
        connection.execute(_DropView(view))
    connection.execute(CreateView(view, select, replaces=not drops))
