"""A view with one row per document: the fields of its front and its back beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.targets.result_table import ResultTable, split_schema
from airflow_provider_permitocr.permit.columns import (
    BACK_COLUMNS,
    COLUMN_NAMES,
    COLUMNS,
    FRONT_COLUMNS,
    Column,
)
from airflow_provider_permitocr.permit.quality.examination import TOKEN_PREFIX
from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.permit.quality.kinds import PermitKind
from airflow_provider_permitocr.sql.database.patience import BRIEFLY, Patience
from airflow_provider_permitocr.sql.database.views import FoundView, OwnView, ViewText
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.targets.latest_rows import latest_rows

#: A portrait is large, and nothing that a table of documents is read for.
_LEFT_OUT: Final = "profile"
_SIDES: Final = ("front", "back")
_OF_EACH_SIDE: Final = ("status", "error_code", "warn_card_infos", "quality_flags")
_OF_EITHER: Final = (
    *("warn_photocopy", "warn_recapture", "warn_photoshopped", "warn_not_enabled"),
    *("is_doubtful", "is_expired", "declared_differs"),
)
#: Flags of a document: in what its sides disagree.
_OF_BOTH: Final = (Flag.TYPE_MISMATCH.value, Flag.NAME_MISMATCH.value)
_Text = sa.ColumnElement[Any]


class DocumentsView:
    """The view of a ``ResultTable`` that asks for one.

    :param key_type: the ledger's name for the type of the list's keys; None: the view's, or text.
    """

    def __init__(
        self, engine: sa.Engine, described: ResultTable, name: str, *, key_type: str | None = None
    ) -> None:
        self._described, self._key_type = described, key_type
        self._view = OwnView(
            engine,
            name,
            way_out="give documents_view another name",
            without="leave out documents_view",
        )

    def check(self) -> None:
        """Check that the view's name is free. Changes nothing.

        :raises TargetError: naming what has the name.
        """
        self._view.check()

    def prepare(self, result_columns: Sequence[Column], patience: Patience = BRIEFLY) -> bool:
        """Create the view, or replace it if the table has changed since.

        A view that is being read stays unchanged, and the next run replaces it: rows don't wait for it.

        :param result_columns: of the result.
        :param patience: how long to wait for locks, and for a database that cannot be reached.
        :return: whether it was changed.
        :raises TargetError: naming what to change.
        """
        carried = [column.name for column in result_columns if column.name not in COLUMN_NAMES]

        def wanted(connection: sa.Connection, found: FoundView) -> ViewText:
            return self._wanted(connection, found, carried)

        return self._view.prepare(wanted, patience)

    def _wanted(self, connection: sa.Connection, found: FoundView, carried: Sequence[str]) -> ViewText:
        # Columns that other tasks copy stay, as long as the table has them. Columns keep their order, because
        # PostgreSQL can replace a view in place only if its columns stay, or new ones follow them.
        in_table = self._columns_of_table(connection)
        fixed = fixed_names()
        kept = [name for name in found.columns if name in in_table and name not in fixed]
        further = [*kept, *(name for name in carried if name not in kept)]
        # Only the list's ledger knows the type; a run that only knows texts keeps the view's type.
        key_type = self._key_type or found.key_type
        database = database_of(connection)

        def select(mark: str) -> sa.Select[Any]:
            exact = database.exact_text
            selected = documents(self._described, further, found.columns, exact=exact, mark=mark)
            return database.with_typed_key(selected, key_type)

        return ViewText(select, "Documents, one row each: the fields of both sides", key_type=key_type)

    def _columns_of_table(self, connection: sa.Connection) -> set[str]:
        schema, name = split_schema(self._described.table)
        return {each.name for each in database_of(connection).columns(connection, name, schema) or ()}


def documents(
    described: ResultTable,
    further: Sequence[str],
    order: Sequence[str] = (),
    *,
    exact: Callable[[_Text], _Text] = lambda text: text,
    mark: str = "permitocr",
) -> sa.Select[Any]:
    """Select one row per image key, with the fields of both sides.

    :param further: columns copied from either side.
    :param order: names of columns in the order that they should have; others come after them.
    :param exact: makes texts compare exactly, if the database's collations treat some as equal.
    :param mark: name of the keys within the statement.
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
    return latest_rows(table, described.mode, of_side).subquery(side)


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
    """Return the columns that every view has, without those copied from the list."""
    of_sides = {f"{side}_{name}" for side in _SIDES for name in _OF_EACH_SIDE}
    return of_sides | COLUMN_NAMES | set(_OF_BOTH)


def _disagreements(
    front: sa.Subquery, back: sa.Subquery, exact: Callable[[_Text], _Text]
) -> dict[str, sa.ColumnElement[Any]]:
    """Return what both sides disagree in; NULL if a side lacks the value or has a token.

    Kinds are compared, as a title has several spellings; the two for Hong Kong and Macao count as one, as the
    number that sets them apart is on the front. Names are compared as they are, but for blanks around them.
    """
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
    # Not a parameter: views have none.
    return sa.literal_column(f"'{text}'")


def _either(front: sa.ColumnElement[Any], back: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return whether it is true of either side; NULL where neither was examined."""
    yes = sa.literal(True)
    return sa.case((front == yes, front), (back == yes, back), else_=sa.func.coalesce(front, back))


def _later(front: sa.ColumnElement[Any], back: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.case((back > front, back), else_=sa.func.coalesce(front, back))
