"""The image list as something to select from, its columns checked and typed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, NoSuchTableError, OperationalError, SQLAlchemyError

from airflow_provider_permitocr.core.errors import SourceError
from airflow_provider_permitocr.sql.errors import describe
from airflow_provider_permitocr.sql.tables import ImageQuery, ImageTable, split_schema
from airflow_provider_permitocr.sql.times import as_utc

_SQLITE_FORM: Final = "%Y-%m-%d %H:%M:%f"


@dataclass(frozen=True)
class Listing:
    """What to select, under fixed names.

    :param key: read as the driver gives it, so that what was read finds its row again: SQLAlchemy's own
        reading of SQLite's dates, for one, gives a text that the database does not hold.
    :param card_side: FRONT, BACK, or text that is refused.
    :param side_column: the column that tells the side, as it is; None where all rows have one side.
    :param updated_at: read as the driver gives it; None where the list does not say.
    :param where: bounds of the list, if any.
    """

    dialect: str
    source: sa.FromClause
    key: sa.ColumnElement[Any]
    image: sa.ColumnElement[Any]
    card_side: sa.ColumnElement[str]
    side_column: sa.ColumnElement[Any] | None
    updated_at: sa.ColumnElement[Any] | None
    where: tuple[sa.ColumnElement[bool], ...] = ()

    @property
    def row_key(self) -> tuple[sa.ColumnElement[Any], ...]:
        """What tells rows apart and sorts them.

        A side that is the same for all stays out, as PostgreSQL refuses to sort or group by a constant.
        """
        return (self.key,) if self.side_column is None else (self.key, self.card_side)

    def select(self, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Select from the list within its bounds."""
        return sa.select(*columns).select_from(self.source).where(*self.where)

    def select_rows(self, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Select key, side, change time, and further columns, in this order."""
        updated_at = sa.null() if self.updated_at is None else self.updated_at
        return self.select(self.key, self.card_side, updated_at, *columns)

    def is_after(self, key: Any, side: str) -> sa.ColumnElement[bool]:
        """Tell whether a row sorts after this one."""
        last: Any = key
        if self.dialect == "postgresql":
            last = sa.literal(_in_postgresql(key), sa.types.NULLTYPE)
        later: sa.ColumnElement[bool] = self.key > last
        if self.side_column is None:
            return later
        # Not "later key, or same key and later side": no index would find the start of that.
        return sa.and_(self.key >= last, sa.or_(later, self.card_side > side))

    def is_key_of(self, keys: Sequence[Any]) -> sa.ColumnElement[bool]:
        """Tell whether a row has one of these keys."""
        # Named, as SQLAlchemy's own names, after the column, may hold what it cannot find again itself.
        if self.dialect == "postgresql":
            texts = [_in_postgresql(key) for key in keys]
            bound = sa.bindparam("keys", texts, sa.types.NULLTYPE, unique=True, expanding=True)
        else:
            bound = sa.bindparam("keys", list(keys), unique=True, expanding=True)
        return self.key.in_(bound)


def _in_postgresql(key: Any) -> Any:
    """Give a key as text without a type, which PostgreSQL reads as the type of what it is compared with.

    Given as text with a type, a CHAR(n) is compared without its padding, and an enum not at all; a number,
    a REAL never equals what was read of it.
    """
    return bytes(key) if isinstance(key, bytes | bytearray | memoryview) else str(key)


def open_listing(connection: sa.Connection, described: ImageTable | ImageQuery) -> Listing:
    """Find the described list in the database.

    :raises SourceError: naming the table, column or part of the statement to change.
    """
    if isinstance(described, ImageQuery):
        source: sa.FromClause = _query(connection, described)
        where: tuple[sa.ColumnElement[bool], ...] = ()
    else:
        source = _table(connection, described)
        where = _bounds(connection.dialect.name, source, described)
    side, updated_at = described.card_side, described.updated_at
    return Listing(
        connection.dialect.name,
        source,
        key=source.c[described.key],
        image=source.c[described.image],
        card_side=_card_side(source, side, str(described.default_side)),
        side_column=source.c[side] if side else None,
        # As the driver gives it, too: SQLAlchemy's own reading of SQLite's text stops at other forms.
        updated_at=sa.type_coerce(source.c[updated_at], sa.types.NULLTYPE) if updated_at else None,
        where=where,
    )


def _table(connection: sa.Connection, described: ImageTable) -> sa.FromClause:
    schema, name = split_schema(described.table)
    inspector = sa.inspect(connection)
    try:
        found = {column["name"]: column["type"] for column in inspector.get_columns(name, schema)}
    except NoSuchTableError:
        known = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
        raise SourceError(
            f"connection {described.conn_id!r} has no table {described.table!r}{_hint(name, known)}"
        ) from None
    _require_columns(described, found)
    types = found | {described.key: sa.types.NULLTYPE}
    columns = [sa.column(name, types[name]) for name in dict(described.purposes)]
    return sa.table(name, *columns, schema=schema)


def _query(connection: sa.Connection, described: ImageQuery) -> sa.FromClause:
    # It becomes part of another statement; the line break ends a comment on its last line.
    statement = sa.text(described.sql.strip().rstrip(";") + "\n")
    try:
        # Left untyped, a text value takes the type that the database finds in the statement; typed, a date
        # given as text would be compared as text.
        statement = statement.bindparams(
            *(
                sa.bindparam(name, value, sa.types.NULLTYPE if isinstance(value, str) else None)
                for name, value in described.parameters.items()
            )
        )
        probe: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(
            statement.columns().subquery("listed")
        )
        found = list(connection.execute(probe.limit(0)).keys())
    except SQLAlchemyError as error:
        if isinstance(error, OperationalError) and connection.dialect.name != "sqlite":
            raise
        # What the driver has not seen holds no more than the statement's own words.
        reason = describe(error) if isinstance(error, DBAPIError) else str(getattr(error, "orig", error))
        raise SourceError(f"the SELECT on connection {described.conn_id!r} does not work: {reason}") from None
    _require_columns(described, found)
    return statement.columns(*(sa.column(name) for name in found)).subquery("listed")


def _require_columns(described: ImageTable | ImageQuery, found: Iterable[str]) -> None:
    known = list(found)
    for column, purpose in described.purposes:
        if column not in known:
            raise SourceError(
                f"the image list has no column {column!r} ({purpose}); it has {', '.join(known)}"
                f"{_hint(column, known)}"
            )


def _hint(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=2)
    return f"; did you mean {' or '.join(repr(each) for each in close)}?" if close else ""


def _card_side(source: sa.FromClause, column: str | None, default: str) -> sa.ColumnElement[str]:
    if column is None:
        return sa.literal(default, sa.String(8))
    text = sa.func.upper(sa.func.trim(sa.cast(source.c[column], sa.String(64))))
    return sa.func.coalesce(text, default)


def _bounds(dialect: str, source: sa.FromClause, described: ImageTable) -> tuple[sa.ColumnElement[bool], ...]:
    if described.updated_at is None:
        return ()
    column: sa.ColumnElement[Any] = source.c[described.updated_at]
    keeps_zone = getattr(column.type, "timezone", False)
    if dialect == "sqlite":
        # SQLite keeps a time as text in any of several forms; they only compare in one form, in UTC.
        column = sa.func.strftime(_SQLITE_FORM, column)
    bounds = []
    since, until = (
        value and _moment(name, value, keeps_zone)
        for name, value in (("since", described.since), ("until", described.until))
    )
    if since and until and since >= until:
        raise SourceError(
            f"since ({since}) is not before until ({until}), so no image could be listed; a schedule such as"
            " @daily has data intervals of no length, CronDataIntervalTimetable has whole ones"
        )
    if since:
        bounds.append(column >= _as_compared(since, dialect))
    if until:
        bounds.append(column < _as_compared(until, dialect))
    return tuple(bounds)


def _as_compared(moment: datetime, dialect: str) -> Any:
    return moment.isoformat(" ", "milliseconds") if dialect == "sqlite" else moment


def _moment(name: str, value: str | datetime, keeps_zone: bool) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise SourceError(f"{name} must be a time such as 2026-01-31T00:00:00+00:00, not {value!r}") from None
    moment = as_utc(moment)
    return moment if keeps_zone else moment.astimezone(UTC).replace(tzinfo=None)
