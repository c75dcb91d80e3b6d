"""Erases images from a ledger, or rewrites them under a stricter policy, a few at a time.

Runs may go on meanwhile. An image that is erased stays known by its key, and calls that were under way for it
are closed without their answers.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import sqlalchemy as sa

from airflow_provider_permitocr.engine.erasure.ports import ErasedImages, Portraits
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.errors import RunStoppedError
from airflow_provider_permitocr.options.erasure import ErasureRule
from airflow_provider_permitocr.permit.answers import Reading
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.database.failures import database_errors
from airflow_provider_permitocr.sql.database.paging import chunks
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.database.rights import require_rights
from airflow_provider_permitocr.sql.ledger.erasure.pages import (
    PAGE_IMAGES,
    Page,
    images_of_keys,
    next_images,
    portraits_of,
    read_page,
)
from airflow_provider_permitocr.sql.ledger.erasure.rewriting import Rewriting
from airflow_provider_permitocr.sql.ledger.exchange.statements import (
    NOTHING_OF_IMAGE,
    next_version,
    write_images,
)
from airflow_provider_permitocr.sql.ledger.open_list import OpenList, Where, on_list
from airflow_provider_permitocr.sql.ledger.standing.decisions import delete_reviews
from airflow_provider_permitocr.sql.ledger.standing.disclosure import portrait_name
from airflow_provider_permitocr.sql.ledger.tables.clock import now

T = TypeVar("T")

_IDS_AT_ONCE: Final = 500
_DOING: Final = "erasing from the ledger"


@dataclass(frozen=True)
class Erasing:
    """Settings of an erasure.

    :param targets: names of the result tables that its task delivers to.
    :param erased_by: for the record.
    :param reading: examines answers, and applies a stricter policy to values.
    :param portraits: deletes stored portraits; None: there are none.
    """

    rule: ErasureRule
    targets: Sequence[str]
    erased_by: str
    reading: Reading = Reading()
    portraits: Portraits | None = None


class _Batch(NamedTuple):
    """Some of the images that the rule means, and what is known of it besides."""

    row_keys: frozenset[RowKey]
    besides: ErasedImages = ErasedImages()


class SqlErasure:
    """One erasure of one list, as ``engine/erasure/ports.py`` asks of one."""

    def __init__(
        self,
        engine: sa.Engine,
        where: Where,
        erasing: Erasing,
        *,
        patience: Patience = Patience(),
    ) -> None:
        self._engine, self._where, self._erasing, self._patience = engine, where, erasing, patience
        self._erasure_id = ""

    def count(self) -> ErasedImages:
        """Count what ``erase`` would do. Changes nothing."""
        return self._go_through(self._counted, None)

    def erase(self, stop: threading.Event) -> ErasedImages:
        """Erase, a few images at a time; safe to repeat after an error.

        :param stop: set it to end early; what was erased stays erased.
        :raises RunStoppedError: when asked to stop.
        :raises TargetError: naming the right that is missing.
        :raises DatabaseError: when the database cannot be reached.
        """
        tables, _ = self._where()
        with database_errors(_DOING), self._engine.connect() as connection:
            deleted_from = (tables.answers, tables.reviews)
            for table in (*deleted_from, tables.calls, tables.images, tables.erasures):
                named = f"the ledger's table {table.fullname!r}"
                require_rights(connection, table, named=named, with_delete=table in deleted_from)
        self._erasure_id = self._write(self._begin)
        return self._go_through(self._erased, stop)

    def other_targets(self) -> Sequence[str]:
        """Name the targets that the list has had, and that its task does not name."""
        tables, list_id = self._where()
        deliveries = tables.deliveries.c
        statement = sa.select(deliveries.target).where(deliveries.list_id == list_id)
        known = self._read(lambda opened: list(opened.connection.execute(statement).scalars()))
        return sorted(set(known).difference(self._erasing.targets))

    def unfinished_files(self) -> int:
        """Count the runs whose window is incomplete and that may have written part of it to files."""
        tables, list_id = self._where()
        runs = tables.runs.c
        statement = (
            sa.select(sa.func.count())
            .select_from(tables.runs)
            .where(
                runs.list_id == list_id,
                runs.files.is_not(None),
                sa.or_(runs.is_whole.is_(None), runs.is_whole == 0),
            )
        )
        return self._read(lambda opened: int(opened.connection.execute(statement).scalar_one()))

    def end(self, outcome: str) -> None:
        """Write down that the erasure has ended."""
        self._write(lambda opened: self._write_down(opened, ended_at=now(opened.connection), outcome=outcome))

    def _begin(self, opened: OpenList) -> str:
        """Write down that an erasure begins, without the erased data; return its id."""
        rule, erasure_id = self._erasing.rule, uuid.uuid4().hex
        row = {
            "erasure_id": erasure_id,
            "list_id": opened.list_id,
            "rule": str(rule),
            "keys_digest": rule.keys_digest,
            "erased_by": self._erasing.erased_by,
            "started_at": now(opened.connection),
        }
        opened.connection.execute(sa.insert(opened.tables.erasures), [row])
        return erasure_id

    def _write_down(self, opened: OpenList, **values: Any) -> None:
        erasures = opened.tables.erasures
        is_this = erasures.c.erasure_id == self._erasure_id
        opened.connection.execute(sa.update(erasures).where(is_this).values(values))

    def _go_through(
        self, take: Callable[[frozenset[RowKey]], ErasedImages], stop: threading.Event | None
    ) -> ErasedImages:
        done = ErasedImages()
        with database_errors(_DOING):
            for batch in self._batches():
                if stop is not None and stop.is_set():
                    raise RunStoppedError(
                        "The erasure was asked to stop. What was erased stays erased; run it again for the"
                        " rest."
                    )
                done += take(batch.row_keys) + batch.besides
                if stop is not None:
                    self._write(partial(self._write_down, images=done.images, answers=done.answers))
        return done

    def _batches(self) -> Iterator[_Batch]:
        """Find images that match the rule, a few at a time."""
        rule = self._erasing.rule
        if rule.keys is not None:
            for some in chunks(rule.wanted_keys, PAGE_IMAGES):
                yield self._read(partial(_of_keys, keys=some))
            return
        before = None
        if (days := rule.older_than_days) is not None:
            before = self._read(lambda opened: now(opened.connection)) - timedelta(days=days)
        last: RowKey | None = None
        while True:
            found = self._read(partial(next_images, before=before, after=last))
            if found:
                yield _Batch(frozenset(found))
            if len(found) < PAGE_IMAGES:
                return
            last = found[-1]

    def _counted(self, row_keys: frozenset[RowKey]) -> ErasedImages:

        def count(opened: OpenList) -> ErasedImages:
            if self._erasing.rule.policy:
                return self._rewriting(opened).count(row_keys)
            page = self._page(opened, row_keys)
            answers = opened.tables.answers.c.call_id
            there = sum(
                opened.connection.execute(sa.select(sa.func.count()).where(answers.in_(some))).scalar_one()
                for some in chunks(page.answers - page.kept, _IDS_AT_ONCE)
            )
            return ErasedImages(len(page.images), len(page.images.keys() - page.asked), there)

        return self._read(count)

    def _erased(self, row_keys: frozenset[RowKey]) -> ErasedImages:
        """Erase some images; portraits first, as nothing leads to them once answers are gone."""
        removed: set[str] = set()
        portraits = 0
        while True:
            if self._erasing.portraits is not None:
                found = self._read(partial(self._profiles, row_keys=row_keys))
                if new := found - removed:
                    portraits += self._erasing.portraits.remove(new)
                    removed |= new
            done = self._write(partial(self._erase_page, row_keys=row_keys, removed=removed))
            if done is not None:  # otherwise a newer answer has another portrait
                return replace(done, portraits=portraits)

    def _erase_page(
        self, opened: OpenList, row_keys: frozenset[RowKey], removed: set[str]
    ) -> ErasedImages | None:
        version = next_version(opened.connection, opened.tables)
        has_portraits = self._erasing.portraits is not None
        if has_portraits and self._profiles(opened, row_keys) - removed:
            return None
        if self._erasing.rule.policy:
            return self._rewriting(opened).rewrite(row_keys, version)
        page = self._page(opened, row_keys)
        moment = now(opened.connection)
        answers = _delete_answers(opened, page.answers - page.kept)
        _forget_calls(opened, page.calls | page.answers, page.kept)
        delete_reviews(opened, page.images)
        for image in page.images.values():
            image.put(image.standing.erased(order=version, now=moment), version)
        write_images(opened, [page.images[key] for key in sorted(page.images)])
        return ErasedImages(len(page.images), len(page.images.keys() - page.asked), answers)

    def _profiles(self, opened: OpenList, row_keys: frozenset[RowKey]) -> set[str]:
        """Return what leads to the portraits of the answers that go; of an answer that is gone, its name."""
        if self._erasing.rule.policy:
            return self._rewriting(opened).dropped_portraits(row_keys)
        page = self._page(opened, row_keys)
        going = page.answers - page.kept
        there = portraits_of(opened, going)
        return set().union(*(there.get(call_id, {portrait_name(call_id)}) for call_id in going))

    def _page(self, opened: OpenList, row_keys: frozenset[RowKey]) -> Page:
        return read_page(opened, row_keys, with_identical=self._erasing.rule.keys is not None)

    def _rewriting(self, opened: OpenList) -> Rewriting:
        return Rewriting(opened, self._erasing.reading)

    def _read(self, read: Callable[[OpenList], T]) -> T:
        return self._patience.read(self._engine, on_list(self._where, read), _DOING)

    def _write(self, do: Callable[[OpenList], T]) -> T:
        with database_errors(_DOING):
            return self._patience.write(self._engine, on_list(self._where, do), _DOING)


def _of_keys(opened: OpenList, keys: list[str]) -> _Batch:
    images = images_of_keys(opened, keys)
    left = {image.row_key for image in images if not _is_erased(image.standing)}
    unknown = set(keys) - {image.row_key[0] for image in images}
    besides = ErasedImages(erased_before=len(images) - len(left), unknown_keys=len(unknown))
    return _Batch(frozenset(left), besides)


def _is_erased(standing: Any) -> bool:
    return standing.status is standing.attempt_status is Status.ERASED


def _delete_answers(opened: OpenList, call_ids: set[str]) -> int:
    answers, deleted = opened.tables.answers, 0
    for some in chunks(call_ids, _IDS_AT_ONCE):
        done: Any = opened.connection.execute(sa.delete(answers).where(answers.c.call_id.in_(some)))
        deleted += int(done.rowcount)
    return deleted


def _forget_calls(opened: OpenList, call_ids: set[str], kept: set[str]) -> None:
    """Reduce calls to what sums need. A call whose answer another image keeps is found by its digest."""
    calls = opened.tables.calls
    nothing: dict[str, Any] = dict(NOTHING_OF_IMAGE)
    but_digest = {name: value for name, value in nothing.items() if name != "image_digest"}
    for ids, values in ((call_ids - kept, nothing), (call_ids & kept, but_digest)):
        for some in chunks(ids, _IDS_AT_ONCE):
            opened.connection.execute(sa.update(calls).where(calls.c.call_id.in_(some)).values(values))
