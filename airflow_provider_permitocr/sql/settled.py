"""Which rows of an image list its own database knows to be settled, so that they need not be read at all.

Only rows of which that is sure: others are listed, and ``core/selection.py`` decides them one by one. Where
the database might compare a key or a time otherwise than Python does, nothing is sure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.models import Status
from airflow_provider_permitocr.sql.compared import in_bytes, in_utf8
from airflow_provider_permitocr.sql.driver_types import driver_types
from airflow_provider_permitocr.sql.inspection import relation_kind
from airflow_provider_permitocr.sql.listing import Listing

_SETTLED: Final = tuple(status.value for status in Status if status is not Status.RETRY)

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

#: Those that DuckDB and Python write alike.
_DUCKDB_KEYS: Final = frozenset(
    {"VARCHAR", "UUID", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}
    | {"UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
)

_DAY: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
_SECOND: Final = f"{_DAY}[ T][0-9][0-9]:[0-9][0-9]:[0-9][0-9]"


def is_settled(
    connection: sa.Connection, listing: Listing, results: sa.Table
) -> sa.ColumnElement[bool] | None:
    """Tell of a row of the list that it surely needs no call; None where the database cannot tell of any.

    :param results: the result table, in the same database.
    """
    result = results.alias()
    if relation_kind(connection, results.name, results.schema) is None:
        return None  # nothing has made it yet
    find = _FINDERS.get(listing.dialect)
    # Others may take Ä for a.
    conditions = find and find(connection, listing, result)
    if not conditions:
        return None
    found: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(result).correlate(listing.source)
    return sa.exists(found.where(result.c.status.in_(_SETTLED), *conditions))


def _in_postgresql(
    connection: sa.Connection, listing: Listing, result: sa.FromClause
) -> list[sa.ColumnElement[bool]] | None:
    kept = result.c
    (key, updated_at), (image_key, card_side, image_updated_at, processed_at) = _types(
        connection, listing, result
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


def _types(connection: sa.Connection, listing: Listing, result: sa.FromClause) -> tuple[list[Any], list[Any]]:
    """Return the types of the list's key and change time, and of what they are compared with."""
    kept = result.c
    listed = listing.select(listing.key, sa.null() if listing.updated_at is None else listing.updated_at)
    of_result = sa.select(kept.image_key, kept.card_side, kept.image_updated_at, kept.processed_at)
    return driver_types(connection, listed), driver_types(connection, of_result)


def _moment(column: sa.ColumnElement[Any], type_number: int) -> sa.ColumnElement[Any]:
    if type_number == _TIMESTAMPTZ:
        return column
    return sa.func.timezone("UTC", sa.cast(column, sa.DateTime()))


def _in_mysql(
    connection: sa.Connection, listing: Listing, result: sa.FromClause
) -> list[sa.ColumnElement[bool]] | None:
    kept = result.c
    (key, updated_at), (_, _, *seen) = _types(connection, listing, result)
    one = sa.select(kept.image_key).limit(1).scalar_subquery()
    collation = connection.execute(sa.select(sa.func.collation(one))).scalar_one()
    if not re.fullmatch("utf8mb4_.*bin", collation):
        return None  # no index of the result would find a key exactly as it is
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
    not_changed = sa.func.coalesce(kept.image_updated_at, kept.processed_at) >= listing.updated_at
    return [*conditions, sa.or_(listing.updated_at.is_(None), not_changed)]


def _in_duckdb(
    connection: sa.Connection, listing: Listing, result: sa.FromClause
) -> list[sa.ColumnElement[bool]] | None:
    kept = result.c
    (key, updated_at), (_, _, *seen) = _types(connection, listing, result)
    if key not in _DUCKDB_KEYS:
        return None
    # By their bytes, whatever the collations of the columns are.
    conditions = [
        sa.func.encode(kept.image_key) == sa.func.encode(sa.cast(listing.key, sa.Text)),
        sa.func.encode(kept.card_side) == sa.func.encode(listing.card_side),
    ]
    if listing.updated_at is None:
        return conditions
    if not {updated_at, *seen} <= _DUCKDB_MOMENTS.keys():
        return None
    seen_at = sa.func.coalesce(
        *(
            _DUCKDB_MOMENTS[kind](column)
            for kind, column in zip(seen, (kept.image_updated_at, kept.processed_at), strict=True)
        )
    )
    not_changed = seen_at >= _DUCKDB_MOMENTS[updated_at](listing.updated_at)
    return [*conditions, sa.or_(listing.updated_at.is_(None), not_changed)]


def _epoch(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.epoch_us(column)


def _epoch_in_utc(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.epoch_us(sa.cast(column, sa.DateTime()))


def _in_sqlite(
    _connection: sa.Connection, listing: Listing, result: sa.FromClause
) -> list[sa.ColumnElement[bool]]:
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


_DUCKDB_MOMENTS: Final[dict[str, Callable[[sa.ColumnElement[Any]], sa.ColumnElement[Any]]]] = {
    "TIMESTAMP WITH TIME ZONE": _epoch,
    "TIMESTAMP": _epoch_in_utc,
    "DATE": _epoch_in_utc,
}
_FINDERS: Final = {
    "postgresql": _in_postgresql,
    "sqlite": _in_sqlite,
    "mysql": _in_mysql,
    "mariadb": _in_mysql,
    "duckdb": _in_duckdb,
}
