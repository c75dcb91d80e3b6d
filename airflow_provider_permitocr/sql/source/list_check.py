"""Counts an image list, and refuses one whose rows could not be told apart."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.errors import SourceError
from airflow_provider_permitocr.core.shown_key import shown_key
from airflow_provider_permitocr.sql.source.compared import Form, in_bytes
from airflow_provider_permitocr.sql.source.driver_types import MYSQL
from airflow_provider_permitocr.sql.source.listed_row import key_text
from airflow_provider_permitocr.sql.source.listing import Listing
from airflow_provider_permitocr.sql.tables import ImageQuery, ImageTable

_EXAMPLES: Final = 3
_SIDES: Final = tuple(side.value for side in CardSide)


def check_list(connection: sa.Connection, listing: Listing, described: ImageTable | ImageQuery) -> int:
    """Count the whole list, in one pass over it, or two where its database does not keep the keys unique.

    :raises SourceError: for keys that are NULL or twice there, and sides other than FRONT and BACK.
    """
    unknown, plain = _count_sides(listing)
    counts = listing.select(sa.func.count(), sa.func.count(listing.key), unknown, plain)
    listed, keys, unknown_sides, plain_sides = connection.execute(counts).one()
    if unknown_sides:
        # Not which: a column named by mistake may hold people's data.
        raise SourceError(
            f"{unknown_sides:,} rows hold something else than FRONT, BACK or NULL in the card side column"
            f" {described.card_side!r}; correct them, or name another column"
        )
    if not _is_kept_unique(listing, described, plain_sides=plain_sides == listed):
        _refuse_duplicates(connection, listing, described)
    if keys < listed:
        raise SourceError(
            f"{listed - keys:,} of {listed:,} rows have NULL in the key column {described.key!r};"
            " leave these rows out of the list or choose another key"
        )
    return int(listed)


def _count_sides(listing: Listing) -> tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]:
    """Count the sides that are unknown, and those that are written as they are in the result."""
    if listing.side_column is None:
        return sa.literal_column("0"), sa.literal_column("0")
    written = sa.cast(listing.side_column, sa.String(64))
    # MySQL's collations take Ö for O.
    exact: Form = in_bytes if listing.dialect in MYSQL else lambda column: column
    return (
        sa.func.count(sa.case((exact(listing.card_side).not_in(_SIDES), 1))),
        sa.func.count(sa.case((exact(written).in_(_SIDES), 1))),
    )


def _is_kept_unique(listing: Listing, described: ImageTable | ImageQuery, *, plain_sides: bool) -> bool:
    # A side may be NULL, padded or in lower case, and so differ for the database alone. MySQL compares what
    # is cast by other rules than the column.
    sides_tell = plain_sides and listing.dialect in ("postgresql", "sqlite", "duckdb")
    unique = listing.unique
    return {described.key} in unique or (sides_tell and {described.key, described.card_side} in unique)


def _refuse_duplicates(
    connection: sa.Connection, listing: Listing, described: ImageTable | ImageQuery
) -> None:
    # In MySQL keys are told apart by their bytes, which are no example.
    key = sa.func.min(listing.key) if listing.dialect in MYSQL else listing.row_key[0]
    twice = listing.select(key.label("listed_key")).where(listing.key.is_not(None))
    twice = twice.group_by(*listing.row_key).having(sa.func.count() > 1)
    number = connection.execute(sa.select(sa.func.count()).select_from(twice.subquery("twice"))).scalar_one()
    if number:
        examples = ", ".join(
            shown_key(key_text(row[0])) for row in connection.execute(twice.limit(_EXAMPLES))
        )
        raise SourceError(
            f"{number:,} {'key occurs' if number == 1 else 'keys occur'} more than once for the same card"
            f" side, for example {examples};"
            f" make {described.key!r} unique, or choose another key"
        )
