"""People's decisions about answers, and later changes to corrections."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.deliveries import Delivered, Review
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.corrections import protected_corrections, shown_corrections
from airflow_provider_permitocr.permit.privacy import Protection
from airflow_provider_permitocr.permit.replacement import Method
from airflow_provider_permitocr.sql.database.paging import chunks
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.standing.images import to_json
from airflow_provider_permitocr.sql.ledger.tables.clock import read_moment

#: As many as a page of answers has.
_KEYS_AT_ONCE: Final = 500
#: Columns that a policy hides with a fact.
_HIDDEN_BY: Final = {"type": "permit_kind", "quality_flags": "flags"}


def with_decisions(
    opened: OpenList, delivered: Sequence[Delivered], protection: Protection = Protection()
) -> list[Delivered]:
    """Return images with the latest decision about their answers."""
    keys = {each.row_key[0] for each in delivered if each.standing.answer_id is not None}
    last: dict[tuple[RowKey, str], Any] = {}
    for row in _decided(opened, keys):
        of = (row.image_key, CardSide(row.card_side)), row.answer_id
        if of not in last or row.version > last[of].version:
            last[of] = row
    if not last:
        return list(delivered)
    reviews = {of: _review(row, protection) for of, row in last.items()}
    return [
        replace(each, review=reviews.get((each.row_key, each.standing.answer_id or ""))) for each in delivered
    ]


def delete_reviews(opened: OpenList, row_keys: Collection[RowKey]) -> None:
    """Delete all that was asked and decided about images."""
    for side in CardSide:
        for of_side in _of_side(opened, side, row_keys):
            opened.connection.execute(sa.delete(opened.tables.reviews).where(of_side))


def protect_reviews(
    opened: OpenList, row_keys: Collection[RowKey], protection: Protection, *, is_written: bool
) -> set[RowKey]:
    """Apply a stricter policy to corrections, and clear the flags and kinds that it hides.

    :param is_written: False: only look.
    :return: the images whose corrections change.
    """
    changed: set[RowKey] = set()
    reviews = opened.tables.reviews
    for row in _decided(opened, {key for key, _ in row_keys}):
        row_key = row.image_key, CardSide(row.card_side)
        if row.corrections is None or row_key not in row_keys:
            continue
        kept = json.loads(row.corrections)
        text = to_json(protected_corrections(kept, protection))
        if json.loads(text) == kept:
            continue
        changed.add(row_key)
        if is_written:
            is_it = reviews.c.review_id == row.review_id
            opened.connection.execute(sa.update(reviews).where(is_it).values(corrections=text))
    hidden = [column for fact, column in _HIDDEN_BY.items() if protection.method(fact) is not Method.KEEP]
    if hidden and is_written:
        for side in CardSide:
            for of_side in _of_side(opened, side, row_keys):
                opened.connection.execute(sa.update(reviews).where(of_side).values(dict.fromkeys(hidden)))
    return changed


def _decided(opened: OpenList, keys: Collection[str]) -> Iterable[Any]:
    reviews = opened.tables.reviews.c
    statement = sa.select(
        *(reviews.review_id, reviews.image_key, reviews.card_side, reviews.answer_id),
        *(reviews.decision, reviews.corrections, reviews.decided_at, reviews.version),
    ).where(reviews.list_id == opened.list_id, reviews.version.is_not(None))
    for is_one in _any_of(opened.connection, reviews.image_key, keys):
        yield from opened.connection.execute(statement.where(is_one)).all()


def _of_side(
    opened: OpenList, side: CardSide, row_keys: Collection[RowKey]
) -> Iterable[sa.ColumnElement[bool]]:
    reviews = opened.tables.reviews.c
    for is_one in _any_of(opened.connection, reviews.image_key, {key for key, of in row_keys if of is side}):
        yield sa.and_(reviews.list_id == opened.list_id, reviews.card_side == side.value, is_one)


def _any_of(
    connection: sa.Connection, column: sa.ColumnElement[Any], keys: Collection[str]
) -> Iterable[sa.ColumnElement[bool]]:
    database = database_of(connection)
    for some in chunks(keys, min(_KEYS_AT_ONCE, database.keys_at_once)):
        yield database.is_any_of(column, some)


def _review(row: Any, protection: Protection) -> Review:
    corrections = None
    if row.corrections is not None:
        corrections = shown_corrections(json.loads(row.corrections), protection)
    return Review(row.decision, read_moment(row.decided_at), corrections)
