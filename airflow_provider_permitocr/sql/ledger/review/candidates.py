"""Readings of a list that are still undecided and not part of another open question."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.deliveries import Delivered
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.engine.review.entries import Decision
from airflow_provider_permitocr.options.review import ReviewRule
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record
from airflow_provider_permitocr.permit.quality.flags import DOUBTS
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.standing.disclosure import Disclosure
from airflow_provider_permitocr.sql.ledger.standing.standings import Read, reading_pages
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables, is_same_image

#: Of readings to filter by their flags; few pass.
_PAGE: Final = 500


@dataclass(frozen=True)
class Candidate:
    """A reading to ask about.

    :param answer_id: the call that got the answer.
    :param shown: columns that the question shows.
    """

    row_key: RowKey
    answer_id: str
    flags: tuple[str, ...]
    permit_kind: str | None
    shown: Record = field(default_factory=dict, repr=False)


def flagged_readings(
    read: Read, tables: LedgerTables, rule: ReviewRule, disclosure: Disclosure
) -> Iterator[Candidate]:
    """Return readings to ask about, by key."""
    condition, most = _is_free(tables), _PAGE
    if rule.flags is None or set(rule.flags) <= DOUBTS:
        # An index finds them; the others' answers are not even read.
        condition, most = sa.and_(condition, _may_be_doubtful(tables)), rule.rows
    for found in reading_pages(read, condition, most, disclosure.reading):
        yield from filter(None, (_candidate(each, rule) for each in found))


def free_among(opened: OpenList, row_keys: Sequence[RowKey]) -> Mapping[RowKey, str]:
    """Return which of some readings may be asked about, with the answers in force."""
    images = opened.tables.images.c
    statement = sa.select(images.image_key, images.card_side, images.answer_id).where(
        images.list_id == opened.list_id,
        images.image_key.in_(sorted({key for key, _ in row_keys})),
        _is_free(opened.tables),
    )
    return {(key, CardSide(side)): answer_id for key, side, answer_id in opened.connection.execute(statement)}


def answers_in_force(
    opened: OpenList, row_keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], str | None]:
    """Return the answers in force of some images, by key and side."""
    images = opened.tables.images.c
    statement = sa.select(images.image_key, images.card_side, images.answer_id).where(
        images.list_id == opened.list_id, images.image_key.in_(sorted({key for key, _ in row_keys}))
    )
    return {(key, side): answer_id for key, side, answer_id in opened.connection.execute(statement)}


def _is_free(tables: LedgerTables) -> sa.ColumnElement[bool]:
    images, reviews = tables.images.c, tables.reviews.c
    # One of an older answer does not count.
    is_taken = sa.exists().where(
        is_same_image(tables.reviews, tables.images),
        reviews.answer_id == images.answer_id,
        sa.or_(reviews.decision.is_(None), reviews.decision != Decision.UNDECIDED.value),
    )
    return sa.and_(images.status == Status.RECOGNIZED.value, images.answer_id.is_not(None), ~is_taken)


def _may_be_doubtful(tables: LedgerTables) -> sa.ColumnElement[bool]:
    is_doubtful = tables.images.c.is_doubtful
    return sa.or_(is_doubtful == 1, is_doubtful.is_(None))  # NULL: not examined when it came


def _candidate(delivered: Delivered, rule: ReviewRule) -> Candidate | None:
    fields, answer_id = delivered.fields or {}, delivered.standing.answer_id
    flags = _flags(fields)
    is_wanted = bool(fields.get("is_doubtful")) if rule.flags is None else bool(set(rule.flags) & set(flags))
    if not is_wanted or answer_id is None:
        return None
    kind = fields.get("permit_kind")
    known = kind if isinstance(kind, str) else None
    return Candidate(delivered.row_key, answer_id, flags, known, shown_of(fields, rule))


def shown_of(fields: Record, rule: ReviewRule) -> Record:
    """Return what a question shows of an answer."""
    return {name: fields.get(name) for name in rule.show}


def _flags(fields: Record) -> tuple[str, ...]:
    text = fields.get("quality_flags")
    return tuple(map(str, json.loads(text))) if isinstance(text, str) else ()
