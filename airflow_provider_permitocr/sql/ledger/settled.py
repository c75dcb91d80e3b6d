"""Which rows of an image list a ledger in its own database knows to be settled, so that nobody reads them.

Only rows of which that is sure: others are listed, and ``core/selection.py`` decides them one by one. Where
the database might compare a key or a time otherwise than Python does, nothing is sure.
"""

from __future__ import annotations

import re
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.models import UNSETTLED, Status
from airflow_provider_permitocr.sql.ledger.schema import LedgerTables
from airflow_provider_permitocr.sql.source.compared import in_bytes, in_utf8
from airflow_provider_permitocr.sql.source.driver_types import driver_types
from airflow_provider_permitocr.sql.source.listing import Listing

_SETTLED: Final = tuple(status.value for status in Status if status not in UNSETTLED)

#: PostgreSQL's numbers of types, which the driver tells for a table and for any SELECT alike.
_TEXT: Final = frozenset({25, 1043})
#: Those that read the same as text in the database and in Python: bigint, smallint, integer, uuid.
_KEYS: Final = _TEXT | {20, 21, 23, 2950}
_TIMESTAMPTZ: Final = 1184
#: With date and timestamp, which are in UTC here, whatever the session's time zone is.
_MOMENTS: Final = frozenset({_TIMESTAMPTZ, 1082, 1114})

#: MySQL's numbers of types: of integers, of texts and bytes, of days and times.
_MYSQL_INTEGERS: Final = frozenset({1, 2, 3, 8, 9})
_MYSQL_TEXTS: Final = frozenset({15, 252, 253, 254})
_MYSQL_MOMENTS: Final = frozenset({7, 10, 12})

_DAY: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
_TIME: Final = "[0-9][0-9]:[0-9][0-9]:[0-9][0-9]"
_SECOND: Final = f"{_DAY}[ T]{_TIME}"
#: The ledger's own times in SQLite.
_AS_WRITTEN: Final = f"{_DAY} {_TIME}.[0-9][0-9][0-9][0-9][0-9][0-9]"


def is_settled(
    connection: sa.Connection, listing: Listing, tables: LedgerTables, list_id: int
) -> sa.ColumnElement[bool] | None:
    """Tell of a row of the list that it surely needs no call; None where the database cannot tell of any.

    :param tables: of a ledger in the same database.
    :param list_id: of the list in that ledger.
    """
    find = _FINDERS.get(listing.dialect)
    images = tables.images.alias()
    # Others may take Ä for a.
    conditions = find and find(connection, listing, images)
    if not conditions:
        return None
    is_of_list = images.c.list_id == sa.literal_column(str(int(list_id)))
    settled = images.c.attempt_status.in_(_SETTLED)
    found: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(images).correlate(listing.source)
    return sa.exists(found.where(is_of_list, settled, *conditions))


def before_reading(connection: sa.Connection) -> None:
    """Keep PostgreSQL from comparing each row with each, within this transaction.

    As long as its statistics know nothing of a list in the ledger, it takes the list for one row there, and
    keeps that one row at hand. For a million of them it does not come to an end.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_material = off")


def _in_postgresql(
    connection: sa.Connection, listing: Listing, images: sa.FromClause
) -> list[sa.ColumnElement[bool]] | None:
    kept = images.c
    (key, updated_at), (image_key, card_side, attempt_updated_at, attempted_at) = _types(
        connection, listing, images
    )
    if key not in _KEYS or image_key not in _TEXT or card_side not in _TEXT:
        return None
    # The database's own collation tells all texts apart, and the ledger's keys are indexed by it.
    # Said explicitly, columns of other collations can be compared with each other.
    conditions = [
        kept.image_key == sa.collate(sa.cast(listing.key, sa.Text), "default"),
        kept.card_side == sa.collate(listing.card_side, "default"),
    ]
    if listing.updated_at is None:
        return conditions
    if not {updated_at, attempt_updated_at, attempted_at} <= _MOMENTS:
        return None
    seen_at = sa.func.coalesce(
        _moment(kept.attempt_updated_at, attempt_updated_at), _moment(kept.attempted_at, attempted_at)
    )
    not_changed = seen_at >= _moment(listing.updated_at, updated_at)
    return [*conditions, sa.or_(listing.updated_at.is_(None), not_changed)]


def _types(connection: sa.Connection, listing: Listing, images: sa.FromClause) -> tuple[list[Any], list[Any]]:
    """Return the types of the list's key and change time, and of what they are compared with."""
    kept = images.c
    listed = listing.select(listing.key, sa.null() if listing.updated_at is None else listing.updated_at)
    of_images = sa.select(kept.image_key, kept.card_side, kept.attempt_updated_at, kept.attempted_at)
    return driver_types(connection, listed), driver_types(connection, of_images)


def _moment(column: sa.ColumnElement[Any], type_number: int) -> sa.ColumnElement[Any]:
    if type_number == _TIMESTAMPTZ:
        return column
    return sa.func.timezone("UTC", sa.cast(column, sa.DateTime()))


def _in_mysql(
    connection: sa.Connection, listing: Listing, images: sa.FromClause
) -> list[sa.ColumnElement[bool]] | None:
    kept = images.c
    (key, updated_at), (_, _, *seen) = _types(connection, listing, images)
    one = sa.select(kept.image_key).limit(1).scalar_subquery()
    collation = connection.execute(sa.select(sa.func.collation(one))).scalar_one()
    if not re.fullmatch("utf8mb4_.*bin", collation):
        return None  # no index of the ledger would find a key exactly as it is
    text: sa.ColumnElement[Any]
    if key in _MYSQL_INTEGERS:
        text = sa.cast(listing.key + 0, sa.CHAR)  # without the zeros of ZEROFILL
    elif key in _MYSQL_TEXTS:
        text = listing.key
    else:
        return None
    conditions = [
        sa.func.charset(text) != "binary",
        # The first for the index, the other as binary collations, too, ignore blanks at the end.
        kept.image_key == sa.collate(in_utf8(text), collation),
        in_bytes(kept.image_key) == in_bytes(text),
        in_bytes(kept.card_side) == in_bytes(listing.card_side),
    ]
    if listing.updated_at is None:
        return conditions
    if not {updated_at, *seen} <= _MYSQL_MOMENTS:
        return None
    not_changed = sa.func.coalesce(kept.attempt_updated_at, kept.attempted_at) >= listing.updated_at
    return [*conditions, sa.or_(listing.updated_at.is_(None), not_changed)]


def _in_sqlite(
    _connection: sa.Connection, listing: Listing, images: sa.FromClause
) -> list[sa.ColumnElement[bool]]:
    kept = images.c
    conditions = [
        sa.func.typeof(listing.key).in_(("integer", "text")),
        sa.func.typeof(kept.image_key) == "text",
        kept.image_key == sa.collate(sa.cast(listing.key, sa.Text), "BINARY"),
        kept.card_side == sa.collate(listing.card_side, "BINARY"),
    ]
    if listing.updated_at is None:
        return conditions
    changed, is_changed_plain = _plain_time(listing.updated_at)
    seen = sa.type_coerce(sa.func.coalesce(kept.attempt_updated_at, kept.attempted_at), sa.Text)
    not_changed = sa.and_(_globs(seen, _AS_WRITTEN), is_changed_plain, seen >= changed)
    return [*conditions, sa.or_(listing.updated_at.is_(None), not_changed)]


def _plain_time(column: sa.ColumnElement[Any]) -> tuple[sa.ColumnElement[str], sa.ColumnElement[bool]]:
    """Give a time that SQLite keeps as text in a form that sorts as time does, and tell whether it has one.

    What is missing at its end is zeros, and a text sorts after its own beginning, as it should.
    """
    text = sa.type_coerce(column, sa.Text)
    in_utc = sa.func.replace(sa.func.replace(text, "+00:00", ""), "Z", "")
    fraction = sa.func.substr(in_utc, 21)
    is_plain = sa.or_(
        _globs(text, _SECOND),  # mostly, and found soonest
        _globs(in_utc, _DAY),
        _globs(in_utc, _SECOND),
        sa.and_(_globs(in_utc, f"{_SECOND}.*"), sa.not_(_globs(fraction, "*[^0-9]*"))),
    )
    return sa.func.substr(in_utc, 1, 10).concat(" ").concat(sa.func.substr(in_utc, 12)), is_plain


def _globs(text: sa.ColumnElement[Any], pattern: str) -> sa.ColumnElement[bool]:
    return text.op("GLOB", is_comparison=True)(pattern)


_FINDERS: Final = {
    "postgresql": _in_postgresql,
    "sqlite": _in_sqlite,
    "mysql": _in_mysql,
    "mariadb": _in_mysql,
}
