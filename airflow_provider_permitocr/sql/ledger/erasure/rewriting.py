"""Rewrites answers and copied columns of a ledger in place, as a stricter privacy policy has them."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.erasure.ports import ErasedImages
from airflow_provider_permitocr.engine.ledger.standing import Standing
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.permit.answers import Reading
from airflow_provider_permitocr.permit.replacement import Method
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.database.paging import chunks
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.erasure.pages import Page, portraits_of, read_answers, read_page
from airflow_provider_permitocr.sql.ledger.exchange.statements import write_images
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.standing.answers import PORTRAIT, read_answer
from airflow_provider_permitocr.sql.ledger.standing.decisions import protect_reviews
from airflow_provider_permitocr.sql.ledger.standing.images import LedgerImage, to_json

_IDS_AT_ONCE: Final = 500
#: With more parameters, MySQL estimates from statistics instead of probing the index.
_DIGESTS_AT_ONCE: Final = 100


@dataclass
class _Changes:
    """What the policy changes about some images.

    :param answers: the rewritten rows of answers.
    :param images: images whose answer or copied columns change.
    :param calls: ids of calls whose recognition a history must get again.
    :param taken: ids of rewritten answers that images of other pages have reused.
    :param digests: of those answers' pictures.
    """

    answers: list[dict[str, Any]] = field(default_factory=list)
    images: dict[RowKey, LedgerImage] = field(default_factory=dict)
    calls: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    digests: set[str] = field(default_factory=set)
    unreadable: int = 0


class Rewriting:
    """Rewrites some images at a time.

    :param opened: its transaction holds the ledger's lock, if anything is changed.
    :param reading: examines answers, and applies the policy to values.
    """

    def __init__(self, opened: OpenList, reading: Reading) -> None:
        self._opened, self._connection, self._tables = opened, opened.connection, opened.tables
        self._reading, self._protection = reading, reading.protection

    def count(self, row_keys: frozenset[RowKey]) -> ErasedImages:
        """Count what ``rewrite`` would change."""
        return _counted(self._changes(self._page(row_keys)))

    def rewrite(self, row_keys: frozenset[RowKey], version: int) -> ErasedImages:
        """Rewrite them, and mark them for delivery again.

        :param version: of this exchange.
        """
        page = self._page(row_keys)
        changes = self._changes(page)
        if self._protection.method("type") is not Method.KEEP:
            self._forget_kinds(page.calls)
        if changes.answers:
            database_of(self._connection).upsert(self._connection, self._tables.answers, changes.answers)
        for image in changes.images.values():
            image.put(self._protected(image.standing), version)
        self._reviews(row_keys, is_written=True)
        images = [changes.images[key] for key in sorted(changes.images)]
        write_images(self._opened, images)
        self._stamp_takers(changes, version)
        calls = self._tables.calls
        for some in chunks(changes.calls, _IDS_AT_ONCE):
            is_delivered = sa.and_(calls.c.call_id.in_(some), calls.c.attempt.is_not(None))
            self._connection.execute(sa.update(calls).where(is_delivered).values(version=version))
        return _counted(changes)

    def dropped_portraits(self, row_keys: frozenset[RowKey]) -> set[str]:
        """Return what leads to the portraits that the policy drops."""
        if self._protection.method(PORTRAIT) is not Method.DROP:
            return set()
        return set().union(*portraits_of(self._opened, self._page(row_keys).answers).values())

    def _page(self, row_keys: Collection[RowKey]) -> Page:
        return read_page(self._opened, row_keys, with_identical=False)

    def _changes(self, page: Page) -> _Changes:
        changes, there = _Changes(), set()
        rewritten: set[str] = set()
        # For answers that are no longer in force, the image is unknown.
        subjects = {
            standing.answer_id: standing.subject(side)
            for (_, side), image in page.images.items()
            if (standing := image.standing).answer_id and standing.reused_from is None
        }
        for call_id, form, text in read_answers(self._opened, page.answers):
            answer = read_answer(form, text)
            if answer is None:
                continue
            there.add(call_id)
            protected = answer.protected(self._reading, subjects.get(call_id))
            row = {"call_id": call_id, "form": protected.form.value, "answer": to_json(protected.values)}
            if form != row["form"] or json.loads(row["answer"]) != json.loads(text):
                changes.answers.append(row)
                rewritten.add(call_id)
        reviewed = self._reviews(page.images, is_written=False)
        for row_key, image in page.images.items():
            standing = image.standing
            is_hidden = self._protected(standing) != standing
            if standing.answer_id in rewritten or is_hidden or row_key in reviewed:
                changes.images[row_key] = image
            is_recognized = standing.status is Status.RECOGNIZED
            changes.unreadable += is_recognized and standing.answer_id not in there
        changes.taken, changes.digests = page.kept & rewritten, page.digests
        changes.calls = page.calls if changes.images else page.calls & rewritten
        return changes

    def _protected(self, standing: Standing) -> Standing:
        """Return what the policy leaves of a standing: copied columns, and whether the answer was doubted."""
        drops_flags = self._protection.method("quality_flags") is Method.DROP
        return replace(
            standing,
            carried=self._protection.protect_carried(standing.carried),
            is_doubtful=None if drops_flags else standing.is_doubtful,
        )

    def _forget_kinds(self, call_ids: Collection[str]) -> None:
        calls = self._tables.calls
        for some in chunks(call_ids, _IDS_AT_ONCE):
            of_kind = sa.and_(calls.c.call_id.in_(some), calls.c.permit_kind.is_not(None))
            self._connection.execute(sa.update(calls).where(of_kind).values(permit_kind=None))

    def _reviews(self, row_keys: Collection[RowKey], *, is_written: bool) -> set[RowKey]:
        """Rewrite corrections, or look which ones would be; return their images."""
        return protect_reviews(self._opened, row_keys, self._protection, is_written=is_written)

    def _stamp_takers(self, changes: _Changes, version: int) -> None:
        """Have images of other pages delivered again that have taken one of the answers."""
        images = self._tables.images
        for some in chunks(changes.digests if changes.taken else (), _DIGESTS_AT_ONCE):
            took_one = sa.and_(
                images.c.list_id == self._opened.list_id,
                images.c.image_digest.in_(some),
                images.c.answer_id.in_(sorted(changes.taken)),
            )
            self._connection.execute(sa.update(images).where(took_one).values(version=version))


def _counted(changes: _Changes) -> ErasedImages:
    return ErasedImages(
        images=len(changes.images), answers=len(changes.answers), unreadable=changes.unreadable
    )
