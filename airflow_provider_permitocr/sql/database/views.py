"""Views that this package creates, recognizes as its own, and replaces when their definition changes."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.targets.result_table import split_schema
from airflow_provider_permitocr.sql.database.changes import (
    Change,
    carry_out,
    comment_on_view,
    create_view,
    replace_view,
)
from airflow_provider_permitocr.sql.database.failures import describe, is_locked
from airflow_provider_permitocr.sql.database.patience import BRIEFLY, Patience
from airflow_provider_permitocr.sql.database.rights import raise_refusal
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.dialects.reflection import RelationKind

#: Databases keep the names within a view's SELECT, if not its text. By this one a view is known as ours, by
#: its digits as up to date, and by what is before them as having keys of another type than text.
_MARKED: Final = re.compile(r"permitocr_(?:keys_([a-z]+)_)?([0-9a-f]{16})")
_UNMARKED: Final = "permitocr"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoundView:
    """A view as it exists in the database.

    :param columns: its columns in order; empty if the view does not exist.
    :param digest: of its definition; None if the view does not exist.
    :param key_type: the ledger's name for the type of its keys; None: text.
    """

    columns: tuple[str, ...] = ()
    digest: str | None = None
    key_type: str | None = None


@dataclass(frozen=True)
class ViewText:
    """What a view should be.

    :param select: builds its SELECT, which selects from the relation of the given name.
    :param comment: of the view.
    :param comments: of its columns, by name.
    :param key_type: the ledger's name for the type of its keys; None: text.
    """

    select: Callable[[str], sa.Select[Any]]
    comment: str = ""
    comments: Mapping[str, str] = field(default_factory=dict)
    key_type: str | None = None

    def digest(self, dialect: sa.Dialect) -> str:
        """Return the mark of its definition, comments included."""
        select = self.select(_UNMARKED)
        text = str(select.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        said = "".join(f"\n{name}: {words}" for name, words in {"": self.comment, **self.comments}.items())
        return hashlib.sha256((text + said).encode()).hexdigest()[:16]

    def marked(self, digest: str) -> sa.Select[Any]:
        """Return its SELECT, with its mark."""
        keys = f"keys_{self.key_type}_" if self.key_type else ""
        return self.select(f"{_UNMARKED}_{keys}{digest}")


class OwnView:
    """A view that this package creates.

    :param name: with or without ``schema.`` in front.
    :param way_out: what to do if the name is taken, e.g. ``give documents_view another name``.
    :param without: what to do if views may not be created, e.g. ``leave out documents_view``.
    """

    def __init__(self, engine: sa.Engine, name: str, *, way_out: str, without: str) -> None:
        self._engine, self._name = engine, name
        self._schema, self._view = split_schema(name)
        self._way_out, self._without = way_out, without

    def check(self) -> None:
        """Check that the view's name is free. Changes nothing.

        :raises TargetError: naming what has the name.
        """
        longest, size = database_of(self._engine).longest_name, len(self._view.encode())
        if longest is not None and size > longest:
            raise TargetError(
                f"the name of the view {self._name!r} has {size} bytes, and the database keeps {longest};"
                f" {self._way_out}"
            )
        with self._engine.connect() as connection:
            self.found(connection)

    def prepare(
        self, wanted: Callable[[sa.Connection, FoundView], ViewText], patience: Patience = BRIEFLY
    ) -> bool:
        """Create the view, or replace it if its definition has changed.

        If another session reads the view, it stays unchanged until the next run: rows don't wait for it.

        :param wanted: returns what the view should be.
        :param patience: how long to wait for locks, and for a database that cannot be reached.
        :return: whether it was changed.
        :raises TargetError: naming what to change.
        """
        has_changed = False

        def changes(connection: sa.Connection) -> list[Change]:
            nonlocal has_changed
            found = self.found(connection)
            text = wanted(connection, found)
            digest = text.digest(connection.dialect)
            if digest == found.digest and text.key_type == found.key_type:
                return []
            has_changed = True
            return [lambda each: self._make(each, found, text, digest)]

        try:
            carry_out(self._engine, changes, f"creating the view {self._name!r}", patience)
        except SQLAlchemyError as error:
            if is_locked(error):
                self._warn_locked()
                return False
            raise_refusal(
                error,
                f"the view {self._name!r} could not be created",
                "grant the connection's user the right to create views, drop views that depend on it, or"
                f" {self._without}",
            )
        return has_changed

    def _make(self, connection: sa.Connection, found: FoundView, text: ViewText, digest: str) -> None:
        view, select = sa.table(self._view, schema=self._schema), text.marked(digest)
        names = [each.name for each in select.selected_columns]
        # PostgreSQL can replace a view in place only if its columns stay, or new ones follow them.
        is_extended = tuple(names[: len(found.columns)]) == found.columns
        if found.digest is None:
            create_view(connection, view, select)
        else:
            in_place = is_extended and text.key_type == found.key_type
            replace_view(connection, view, select, in_place=in_place)
        comment_on_view(connection, view, text.comment, text.comments)

    def found(self, connection: sa.Connection) -> FoundView:
        """Return the existing view.

        :raises TargetError: when something else has its name.
        """
        database = database_of(connection)
        kind = database.relation_kind(connection, self._view, self._schema)
        if kind is None:
            return FoundView()
        if kind is RelationKind.TABLE:
            raise self._taken("is a table")
        try:
            definition = database.view_definition(connection, self._view, self._schema)
            found = database.columns(connection, self._view, self._schema) or ()
        except SQLAlchemyError as error:
            raise self._taken(f"is a view that cannot be looked at ({describe(error)})") from None
        if not (marked := _MARKED.search(definition or "")):
            raise self._taken("is a view of another program, or its definition may not be read")
        return FoundView(tuple(each.name for each in found), marked[2], marked[1])

    def _taken(self, reason: str) -> TargetError:
        return TargetError(f"{self._name!r} {reason}; {self._way_out}, or drop what has it")

    def _warn_locked(self) -> None:
        view = self._engine.dialect.identifier_preparer.format_table(
            sa.table(self._view, schema=self._schema)
        )
        _log.warning(
            "The view %r could not be updated: another session holds a lock on it, such as an open"
            " transaction that has read it; %s. Rows are delivered; the next run tries again",
            *(self._name, database_of(self._engine).finding_holders(view)),
        )
