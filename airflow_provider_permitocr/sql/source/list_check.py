"""Counts an image list, and refuses a list whose rows are not unique."""

from __future__ import annotations

import logging
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.key_text import key_text, shown_key
from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable, NullKeys
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.source.listing import Listing

_EXAMPLES: Final = 3
_UNREADABLE: Final = "a value that the driver cannot read (a date out of range, text not in UTF-8)"
_log = logging.getLogger(__name__)
_SIDES: Final = tuple(side.value for side in CardSide)


def check_list(connection: sa.Connection, listing: Listing, described: ImageTable | ImageQuery) -> int:
    """Count the whole list in one pass, or in two if its database does not enforce unique keys.

    Rows whose keys no driver can read are left out and reported.

    :raises SourceError: for keys that are NULL or not unique, and sides other than FRONT and BACK.
    """
    unknown, plain = _count_sides(listing)
    changed = listing.read_updated_at
    counts = listing.select_all(
        *(sa.func.count(), sa.func.count(listing.key), unknown, plain),
        sa.func.sum(listing.read_key.is_unreadable),
        sa.func.sum(changed.is_unreadable) if changed else sa.literal_column("0"),
    )
    rows, keys, unknown_sides, plain_sides, *unreadable = connection.execute(counts).one()
    if unknown_sides:
        # Not which: a column named by mistake may hold people's data.
        raise SourceError(
            f"{many(unknown_sides, 'row holds', 'rows hold')} something other than FRONT, BACK or NULL in the"
            f" card side column {described.card_side!r}; correct them, or name another column"
        )
    if not _is_kept_unique(listing, described, plain_sides=plain_sides == rows):
        _refuse_duplicates(connection, listing, described)
    if keys < rows:
        if described.null_keys is not NullKeys.SKIP:
            raise SourceError(
                f"{rows - keys:,} of {rows:,} rows have NULL in the key column {described.key!r};"
                " leave these rows out of the list, set null_keys='skip', or choose another key"
            )
        _log.warning(
            "%d of %d rows of the image list are left out: NULL in the key column %r (null_keys='skip')",
            *(rows - keys, rows, described.key),
        )
    without_key, without_time = (int(each or 0) for each in unreadable)
    if without_key:
        _log.warning(
            "%d of %d rows of the image list are left out: %s in the key column %r; correct them",
            *(without_key, rows, _UNREADABLE, described.key),
        )
    if without_time:
        _log.warning(
            "%d of %d rows of the image list have %s in the updated_at column %r; they count as unchanged",
            *(without_time, rows, _UNREADABLE, described.updated_at),
        )
    return int(keys) - without_key


def _count_sides(listing: Listing) -> tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]:
    """Count the unknown sides, and those that are written exactly as in the result."""
    if listing.side_column is None:
        return sa.literal_column("0"), sa.literal_column("0")
    written = sa.cast(listing.side_column, sa.String(64))
    exact = listing.database.exact_text  # collations may treat Ö as O
    return (
        sa.func.count(sa.case((exact(listing.card_side).not_in(_SIDES), 1))),
        sa.func.count(sa.case((exact(written).in_(_SIDES), 1))),
    )


def _is_kept_unique(listing: Listing, described: ImageTable | ImageQuery, *, plain_sides: bool) -> bool:
    # A side may be NULL, padded or in lower case, and so be distinct only for the database.
    sides_distinguish = plain_sides and listing.database.casts_compare_alike
    unique = listing.unique
    return {described.key} in unique or (sides_distinguish and {described.key, described.card_side} in unique)


def _refuse_duplicates(
    connection: sa.Connection, listing: Listing, described: ImageTable | ImageQuery
) -> None:
    key = listing.database.example_of(listing.key, listing.compared_key)
    twice = listing.select(key.label("listed_key"))
    twice = twice.group_by(*listing.row_key).having(sa.func.count() > 1)
    number = connection.execute(sa.select(sa.func.count()).select_from(twice.subquery("twice"))).scalar_one()
    if number:
        # A key is there once for each side of it that occurs more than once.
        found = connection.execute(twice.limit(2 * _EXAMPLES))
        shown = dict.fromkeys(shown_key(key_text(row[0])) for row in found)
        examples = ", ".join(list(shown)[:_EXAMPLES])
        raise SourceError(
            f"{number:,} {'key occurs' if number == 1 else 'keys occur'} more than once for the same card"
            f" side, for example {examples};"
            f" make {described.key!r} unique, or choose another key"
        )
