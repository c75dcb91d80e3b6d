"""A view with one row per document: the fields of its front and its back beside each other."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.result_table import ResultTable, WriteMode, split_schema
from airflow_provider_permitocr.permit.columns import BACK_COLUMNS, COLUMNS, FRONT_COLUMNS, Column
from airflow_provider_permitocr.permit.quality.examination import TOKEN_PREFIX
from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.permit.quality.kinds import PermitKind
from airflow_provider_permitocr.sql.database.changes import Change, CreateView, carry_out, replace_view
from airflow_provider_permitocr.sql.database.failures import describe, is_locked
from airflow_provider_permitocr.sql.database.patience import BRIEFLY, Patience
from airflow_provider_permitocr.sql.database.rights import raise_refusal
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.dialects.reflection import RelationKind

#: Databases keep the names within a view's SELECT, if not its text. By this one a view is known as ours, and
#: by its digits as up to date.
_MARKED: Final = re.compile(r"permitocr_([0-9a-f]{16})")
#: A portrait is large, and nothing that a table of documents is read for.
_LEFT_OUT: Final = "profile"
_SIDES: Final = ("front", "back")
_OF_EACH_SIDE: Final = ("status", "error_code", "warn_card_infos", "quality_flags")
_OF_EITHER: Final = (
    *("warn_photocopy", "warn_recapture", "warn_photoshopped", "warn_not_enabled"),
    *("is_doubtful", "is_expired", "declared_differs"),
)
#: What both sides disagree in, as ``document_flags`` says in Python.
_OF_BOTH: Final = (Flag.TYPE_MISMATCH.value, Flag.NAME_MISMATCH.value)
_Text = sa.ColumnElement[Any]
_OWN: Final = frozenset(column.name for column in COLUMNS)
_log = logging.getLogger(__name__)


class DocumentsView:
    """The view of a ``ResultTable`` that asks for one."""

    def __init__(self, engine: sa.Engine, described: ResultTable, name: str) -> None:
        self._engine, self._described, self._name = engine, described, name
        self._schema, self._view = split_schema(name)

    def check(self) -> None:
        """Check that nothing else has the view's name. Changes nothing.

        :raises TargetError: naming what has it.
        """
        with self._engine.connect() as connection:
            self._present(connection)

    def prepare(self, result_columns: Sequence[Column], patience: Patience = BRIEFLY) -> None:
        """Create the view, or replace it where the table has changed since.

        One that is being read stays as it is, and the next run replaces it: rows don't wait for it.

        :param result_columns: of the result.
        :param patience: how long to wait for locks, and for a database that cannot be reached.
        :raises TargetError: naming what to change.
        """
        carried = [column.name for column in result_columns if column.name not in _OWN]

        def wanted(connection: sa.Connection) -> list[Change]:
            return self._changes(connection, carried)

        try:
            carry_out(self._engine, wanted, f"creating the view {self._name!r}", patience)
        except SQLAlchemyError as error:
            if is_locked(error):
                self._tell_locked()
                return
            raise_refusal(
                error,
                f"the view {self._name!r} could not be created",
                "grant the connection's user the right to create views, or leave out documents_view",
            )

    def _tell_locked(self) -> None:
        view = self._engine.dialect.identifier_preparer.format_table(
            sa.table(self._view, schema=self._schema)
        )
        _log.warning(
            "The view %r could not be updated: another session holds a lock on it, such as an open"
            " transaction that has read it; %s. Rows are delivered; the next run tries again",
            *(self._name, database_of(self._engine).finding_holders(view)),
        )

    def _changes(self, connection: sa.Connection, carried: Sequence[str]) -> list[Change]:
        present, digest = self._present(connection)
        # What other tasks carry along stays, as long as the table has it. Columns keep their order, as
        # PostgreSQL replaces a view by one with the same columns, and others after them, alone.
        in_table = self._columns_of_table(connection)
        fixed = fixed_names()
        kept = [name for name in present if name in in_table and name not in fixed]
        further = [*kept, *(name for name in carried if name not in kept)]
        exact = database_of(connection).exact_text
        select = documents(self._described, further, present, exact=exact)
        if digest == (new_digest := _digest(select, connection.dialect)):
            return []
        marked = documents(self._described, further, present, exact=exact, mark=f"permitocr_{new_digest}")
        view = sa.table(self._view, schema=self._schema)

        def change(connection: sa.Connection) -> None:
            if digest is None:
                connection.execute(CreateView(view, marked))
            else:
                replace_view(connection, view, marked)

        return [change]

    def _columns_of_table(self, connection: sa.Connection) -> set[str]:
        schema, name = split_schema(self._described.table)
        return {each.name for each in database_of(connection).columns(connection, name, schema) or ()}

    def _present(self, connection: sa.Connection) -> tuple[list[str], str | None]:
        """Return the view's columns and digest, none where it is not there yet."""
        database = database_of(connection)
        kind = database.relation_kind(connection, self._view, self._schema)
        if kind is None:
            return [], None
        if kind is RelationKind.TABLE:
            raise self._taken("is a table")
        try:
            definition = database.view_definition(connection, self._view, self._schema)
            found = database.columns(connection, self._view, self._schema) or ()
        except SQLAlchemyError as error:
            raise self._taken(f"is a view that cannot be looked at ({describe(error)})") from None
        if not (marked := _MARKED.search(definition or "")):
            raise self._taken("is a view that was not made here, or whose definition may not be seen")
        return [each.name for each in found], marked[1]

    def _taken(self, reason: str) -> TargetError:
        return TargetError(f"{self._name!r} {reason}; give documents_view another name, or drop what has it")


def documents(
    described: ResultTable,
    further: Sequence[str],
    order: Sequence[str] = (),
    *,
    exact: Callable[[_Text], _Text] = lambda text: text,
    mark: str = "permitocr",
) -> sa.Select[Any]:
    """Select one row per image key, with the fields of both sides.

    :param further: columns that are copied from either side.
    :param order: names of columns in the order that they should have; others come after them.
    :param exact: makes a text compare as it is, where the database's collations take some texts for equal.
    :param mark: what the keys are called within the statement.
    """
    schema, name = split_schema(described.table)
    names = [*(column.name for column in COLUMNS), *further]
    if doubled := sorted(fixed_names().intersection(further)):
        raise TargetError(
            f"the view {described.documents_view!r} would have two columns {', '.join(doubled)}; rename what"
            " is copied"
        )
    table = sa.table(name, *(sa.column(each) for each in names), schema=schema)
    keys = sa.select(table.c.image_key).distinct().subquery(mark)
    front, back = (_side(table, described, side) for side in _SIDES)
    shown = _shown(keys, front, back, further) | _disagreements(front, back, exact)
    ordered = [*(each for each in order if each in shown), *(each for each in shown if each not in order)]
    return sa.select(*(shown[each].label(each) for each in ordered)).select_from(
        keys.outerjoin(front, front.c.image_key == keys.c.image_key).outerjoin(
            back, back.c.image_key == keys.c.image_key
        )
    )


def _side(table: sa.TableClause, described: ResultTable, side: str) -> sa.Subquery:
    """Select the last row of each key's front or back."""
    of_side = table.c.card_side == sa.literal_column(f"'{side.upper()}'")
    if described.mode is WriteMode.UPSERT:
        return sa.select(table).where(of_side).subquery(side)
    # Rows without a version are older than the ledger.
    version = sa.func.coalesce(table.c.version, sa.literal_column("-1"))
    recency = sa.func.row_number().over(
        partition_by=table.c.image_key, order_by=(version.desc(), table.c.processed_at.desc())
    )
    ranked = sa.select(table, recency.label("permitocr_recency")).where(of_side).subquery(f"{side}_ranked")
    last = ranked.c.permitocr_recency == sa.literal_column("1")
    return sa.select(*(ranked.c[each.name] for each in table.c)).where(last).subquery(side)


def _shown(
    keys: sa.Subquery, front: sa.Subquery, back: sa.Subquery, further: Sequence[str]
) -> dict[str, sa.ColumnElement[Any]]:
    shown: dict[str, sa.ColumnElement[Any]] = {"image_key": keys.c.image_key}
    for name in _OF_EACH_SIDE:
        shown |= {f"front_{name}": front.c[name], f"back_{name}": back.c[name]}
    shown |= {name: front.c[name] for name in FRONT_COLUMNS if name != _LEFT_OUT}
    shown |= {name: back.c[name] for name in BACK_COLUMNS}
    shown["permit_kind"] = sa.func.coalesce(front.c.permit_kind, back.c.permit_kind)
    shown |= {name: _either(front.c[name], back.c[name]) for name in _OF_EITHER}
    shown |= {name: sa.func.coalesce(front.c[name], back.c[name]) for name in further}
    return shown | {"processed_at": _later(front.c.processed_at, back.c.processed_at)}


def fixed_names() -> set[str]:
    """Return the columns that a view has by itself, besides those that are copied from the list."""
    of_sides = {f"{side}_{name}" for side in _SIDES for name in _OF_EACH_SIDE}
    return of_sides | _OWN | set(_OF_BOTH)


def _disagreements(
    front: sa.Subquery, back: sa.Subquery, exact: Callable[[_Text], _Text]
) -> dict[str, sa.ColumnElement[Any]]:
    """Return what ``document_flags`` says of both sides; NULL where one lacks the value, or has a token."""
    kinds = [_as_printed(side.c.permit_kind) for side in (front, back)]
    names = [_comparable(text, exact) for text in (front.c.name, back.c.back_name)]
    return dict(zip(_OF_BOTH, (kinds[0] != kinds[1], names[0] != names[1]), strict=True))


def _as_printed(kind: _Text) -> _Text:
    is_non_chinese = kind == _literal(PermitKind.HONG_KONG_MACAO_NON_CHINESE)
    return sa.case((is_non_chinese, _literal(PermitKind.HONG_KONG_MACAO)), else_=kind)


def _comparable(name: _Text, exact: Callable[[_Text], _Text]) -> _Text:
    length: _Text = sa.literal_column(str(len(TOKEN_PREFIX)))
    start = sa.func.substr(name, sa.literal_column("1"), length)
    is_token = exact(start) == exact(_literal(TOKEN_PREFIX))
    return sa.case((is_token, sa.null()), else_=exact(sa.func.nullif(sa.func.trim(name), _literal(""))))


def _literal(text: str) -> _Text:
    # Not a parameter: a view has none.
    return sa.literal_column(f"'{text}'")


def _either(front: sa.ColumnElement[Any], back: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return whether it is true of either side; NULL where neither was examined."""
    yes = sa.literal(True)
    return sa.case((front == yes, front), (back == yes, back), else_=sa.func.coalesce(front, back))


def _later(front: sa.ColumnElement[Any], back: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.case((back > front, back), else_=sa.func.coalesce(front, back))


def _digest(select: sa.Select[Any], dialect: sa.Dialect) -> str:
    text = str(select.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
