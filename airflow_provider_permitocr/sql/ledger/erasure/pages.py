"""Which images an erasure is about, a few at a time, with their calls and answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.database.paging import chunks
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.standing.answers import PORTRAIT, read_answer
from airflow_provider_permitocr.sql.ledger.standing.disclosure import stored_as
from airflow_provider_permitocr.sql.ledger.standing.images import LedgerImage, read_image
from airflow_provider_permitocr.sql.ledger.standing.standings import as_dicts
from airflow_provider_permitocr.sql.ledger.tables.schema import is_after_image

#: The ledger stays locked while this many images are erased.
PAGE_IMAGES: Final = 500
#: With more parameters, MySQL estimates from statistics instead of probing the index.
_DIGESTS_AT_ONCE: Final = 100
_IDS_AT_ONCE: Final = 500


@dataclass
class Page:
    """Images with everything the ledger keeps about them.

    :param asked: images that match the rule; the others have the same picture.
    :param calls: ids of their calls.
    :param answers: ids of their answers, which may belong to other images' calls.
    :param kept: those answers that images outside of the page have reused, and keep.
    """

    images: dict[RowKey, LedgerImage] = field(default_factory=dict)
    asked: set[RowKey] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    answers: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    digests: set[str] = field(default_factory=set)


def read_page(opened: OpenList, row_keys: Collection[RowKey], *, with_identical: bool) -> Page:
    """Read images with their calls.

    :param with_identical: include the same picture under other keys. Otherwise, such an image keeps the
        answer that it has reused.
    """
    page = Page(asked=set(row_keys))
    wanted = set(row_keys)
    while wanted:
        found = list(_images(opened, {key for key, _ in wanted}))
        page.images |= {image.row_key: image for image in found if image.row_key in wanted}
        _add_calls(opened, page, wanted)
        identical = list(_identical(opened, page))
        if not with_identical:
            page.kept = page.answers & {each.standing.answer_id or "" for each in identical}
            break
        wanted = {each.row_key for each in identical}
    return page


def next_images(opened: OpenList, before: datetime | None, after: RowKey | None) -> list[RowKey]:
    """Return some of the images that have a status and are not erased, by key.

    :param before: only images whose last result is older; None: all.
    :param after: the last image of those before.
    """
    images = opened.tables.images.c
    statement = sa.select(images.image_key, images.card_side).where(
        images.list_id == opened.list_id,
        images.status != Status.ERASED.value,
        is_after_image(opened.tables, after),
    )
    if before is not None:
        statement = statement.where(images.processed_at < before)
    statement = statement.order_by(images.image_key, images.card_side).limit(PAGE_IMAGES)
    return [(key, CardSide(side)) for key, side in opened.connection.execute(statement)]


def images_of_keys(opened: OpenList, keys: Sequence[str]) -> list[LedgerImage]:
    """Return the images of some keys, both sides of each."""
    return list(_images(opened, set(keys)))


def read_answers(opened: OpenList, call_ids: Collection[str]) -> Iterator[Any]:
    """Yield the call, the form and the text of answers, as far as they are there."""
    answers = opened.tables.answers.c
    statement = sa.select(answers.call_id, answers.form, answers.answer)
    for some in chunks(call_ids, _IDS_AT_ONCE):
        yield from opened.connection.execute(statement.where(answers.call_id.in_(some))).all()


def portraits_of(opened: OpenList, call_ids: Collection[str]) -> dict[str, set[str]]:
    """Return what leads to the portrait of each answer that is there, by call; empty: it has none."""
    found: dict[str, set[str]] = {}
    for call_id, form, text in read_answers(opened, call_ids):
        answer = read_answer(form, text)
        profile = answer and answer.record().get(PORTRAIT)
        found[call_id] = stored_as(call_id, profile) if isinstance(profile, str) else set()
    return found


def _images(opened: OpenList, keys: Collection[str]) -> Iterator[LedgerImage]:
    images = opened.tables.images
    statement = sa.select(images).where(images.c.list_id == opened.list_id)
    for some in chunks(keys, database_of(opened.connection).keys_at_once):
        is_one = database_of(opened.connection).is_any_of(images.c.image_key, some)
        for row in as_dicts(opened.connection.execute(statement.where(is_one))):
            yield read_image(row)


def _add_calls(opened: OpenList, page: Page, row_keys: Collection[RowKey]) -> None:
    """Add the calls of images to a page, and the answers and digests of both."""
    calls = opened.tables.calls.c
    statement = sa.select(calls.call_id, calls.image_key, calls.card_side, calls.image_digest).where(
        calls.list_id == opened.list_id
    )
    for some in chunks({key for key, _ in row_keys}, database_of(opened.connection).keys_at_once):
        found: Iterable[Any] = opened.connection.execute(
            statement.where(database_of(opened.connection).is_any_of(calls.image_key, some))
        )
        for call_id, key, side, digest in found:
            if (key, CardSide(side)) in row_keys:
                page.calls.add(call_id)
                page.digests |= {digest} - {None}
    for row_key in row_keys:
        if image := page.images.get(row_key):
            standing = image.standing
            page.answers |= {standing.answer_id or ""} - {""}
            page.digests |= {standing.facts.digest or ""} - {""}
    page.answers |= page.calls


def _identical(opened: OpenList, page: Page) -> Iterator[LedgerImage]:
    """Return the images outside of a page with the same picture as one in it, or one of earlier."""
    images = opened.tables.images
    statement = sa.select(images).where(
        images.c.list_id == opened.list_id, images.c.status != Status.ERASED.value
    )
    for some in chunks(page.digests, _DIGESTS_AT_ONCE):
        for row in as_dicts(opened.connection.execute(statement.where(images.c.image_digest.in_(some)))):
            image = read_image(row)
            if image.row_key not in page.images:
                yield image
