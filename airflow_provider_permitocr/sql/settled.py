"""Which rows of an image list its own database knows to be settled, so that they need not be read at all.

Only rows of which that is sure: others are listed, and ``core/selection.py`` decides them one by one. Where
the database might compare a key or a time otherwise than Python does, nothing is sure.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.models import Status
from airflow_provider_permitocr.sql.listing import Listing

_SETTLED: Final = tuple(status.value for status in Status if status is not Status.RETRY)

#: PostgreSQL's numbers of types, which the driver tells for a table and for any SELECT alike.
_TEXT: Final = frozenset({25, 1043})
#: Those that read the same as text in the database and in Python: bigint, smallint, integer, uuid.
_KEYS: Final = _TEXT | {20, 21, 23, 2950}
_TIMESTAMPTZ: Final = 1184
#: With date and timestamp, which are in UTC here, whatever the session's time zone is.
_MOMENTS: Final = frozenset({_TIMESTAMPTZ, 1082, 1114})

_DAY: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
_SECOND: Final = f"{_DAY}[ T][0-9][0-9]:[0-9][0-9]:[0-9][0-9]"


def is_settled(
    connection: sa.Connection, listing: Listing, results: sa.Table
) -> sa.ColumnElement[bool] | None:
    """Tell of a row of the list that it surely needs no call; None where the database cannot tell of any.

    :param results: the result table, in the same database.
    """
    result = results.alias()
    if listing.dialect == "postgresql":
        conditions = _in_postgresql(connection, listing, result)
    elif listing.dialect == "sqlite":
        conditions = _in_sqlite(listing, result)
    else:
        # Others may take Ä for a.
        conditions = None
    if conditions is None:
        return None
    found: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(result).correlate(listing.source)
    return sa.exists(found.where(result.c.status.in_(_SETTLED), *conditions))


def _in_postgresql(
    connection: sa.Connection, listing: Listing, result: sa.FromClause
) -> list[sa.ColumnElement[bool]] | None:
    kept = result.c
    key, updated_at, image_key, card_side, image_updated_at, processed_at = _types(
        connection,
        listing.select(listing.key, sa.null() if listing.updated_at is None else listing.updated_at),
        sa.select(kept.image_key, kept.card_side, kept.image_updated_at, kept.processed_at),
    )
    if key not in _KEYS or image_key not in _TEXT or card_side not in _TEXT:
        return None
    # The database's own collation tells all texts apart, and the key of the result table is indexed by it.
    # Said explicitly, columns of other collations can be compared with each other.
    conditions = [
        kept.image_key == sa.collate(sa.cast(listing.key, sa.Text), "default"),
        kept.card_side == sa.collate(listing.card_side, "default"),
    ]
    if listing.updated_at is None:
        return conditions
    if not {updated_at, image_updated_at, processed_at} <= _MOMENTS:
        return None
    seen_at = sa.func.coalesce(
        _moment(kept.image_updated_at, image_updated_at), _moment(kept.processed_at, processed_at)
    )
    not_changed = seen_at >= _moment(listing.updated_at, updated_at)
    return [*conditions, sa.or_(listing.updated_at.is_(None), not_changed)]


def _types(connection: sa.Connection, *statements: sa.Select[Any]) -> list[Any]:
    types: list[Any] = []
    for statement in statements:
        cursor = connection.execute(statement.limit(0)).cursor
        types += [column[1] for column in (cursor and cursor.description) or ()]
    return types


def _moment(column: sa.ColumnElement[Any], type_number: int) -> sa.ColumnElement[Any]:
    if type_number == _TIMESTAMPTZ:
        return column
    return sa.func.timezone("UTC", sa.cast(column, sa.DateTime()))


def _in_sqlite(listing: Listing, result: sa.FromClause) -> list[sa.ColumnElement[bool]]:
    kept = result.c
    conditions = [
        sa.func.typeof(listing.key).in_(("integer", "text")),
        sa.func.typeof(kept.image_key) == "text",
        kept.image_key == sa.collate(sa.cast(listing.key, sa.Text), "BINARY"),
        kept.card_side == sa.collate(listing.card_side, "BINARY"),
    ]
    if listing.updated_at is None:
        return conditions
    changed, is_changed_plain = _plain_time(listing.updated_at)
    seen, is_seen_plain = _plain_time(sa.func.coalesce(kept.image_updated_at, kept.processed_at))
    not_changed = sa.and_(is_changed_plain, is_seen_plain, seen >= changed)
    return [*conditions, sa.or_(listing.updated_at.is_(None), not_changed)]


def _plain_time(column: sa.ColumnElement[Any]) -> tuple[sa.ColumnElement[str], sa.ColumnElement[bool]]:
    """Give a time that SQLite keeps as text in a form that sorts as time does, and tell whether it has one.

    What is missing at its end is zeros, and a text sorts after its own beginning, as it should.
    """
    text = sa.type_coerce(column, sa.Text)
    in_utc = sa.func.replace(sa.func.replace(text, "+00:00", ""), "Z", "")
    fraction = sa.func.substr(in_utc, 21)
    is_plain = sa.or_(
        _globs(in_utc, _DAY),
        _globs(in_utc, _SECOND),
        sa.and_(_globs(in_utc, f"{_SECOND}.*"), sa.not_(_globs(fraction, "*[^0-9]*"))),
    )
    return sa.func.substr(in_utc, 1, 10).concat(" ").concat(sa.func.substr(in_utc, 12)), is_plain


def _globs(text: sa.ColumnElement[Any], pattern: str) -> sa.ColumnElement[bool]:
    return text.op("GLOB", is_comparison=True)(pattern)
