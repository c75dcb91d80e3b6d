"""Adopts what a ledger does not know: renamed lists, and tables filled by another ledger.

No call is made. Afterwards a run of the list skips what is settled, as if this ledger had recorded it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import new_call_id
from airflow_provider_permitocr.engine.ledger.deliveries import DeliveryState
from airflow_provider_permitocr.engine.ledger.standing import Standing, has_changed
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.permit.answers import AnswerForm, KeptAnswer, Reading
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.privacy import Protection
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.database.failures import database_errors
from airflow_provider_permitocr.sql.database.paging import is_after
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.deliveries import deliveries
from airflow_provider_permitocr.sql.ledger.exchange.statements import lock, next_version, write_images
from airflow_provider_permitocr.sql.ledger.lists.adopted_rows import PAGE_ROWS, AdoptedRow, AdoptedRows
from airflow_provider_permitocr.sql.ledger.lists.lists import ListIdentity
from airflow_provider_permitocr.sql.ledger.lists.renaming import take_list
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.standing.images import LedgerImage, read_image, to_json
from airflow_provider_permitocr.sql.ledger.standing.standings import count_until
from airflow_provider_permitocr.sql.ledger.tables.keys import key_fault
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables


@dataclass(frozen=True)
class Adoption:
    """What was adopted.

    :param known_as: the list's former name; None: it was not renamed.
    :param read_from: its former source, in words; None: unchanged.
    :param taken: images adopted from the table.
    :param recognized: those of them that have an answer.
    :param known: images of the table that the ledger already had.
    :param left_out: rows with a side or status that this package does not write, or with a key that the
        ledger cannot store.
    """

    list_name: str
    known_as: str | None = None
    read_from: str | None = None
    taken: int = 0
    recognized: int = 0
    known: int = 0
    left_out: int = 0


def adopt(
    engine: sa.Engine,
    tables: LedgerTables,
    identity: ListIdentity,
    rows: Mapping[str, AdoptedRows],
    protection: Protection = Protection(),
) -> Adoption:
    """Adopt a list, and the rows of its result tables in turn.

    Safe to repeat, for instance after an error.

    :param engine: of the ledger, which is prepared.
    :param identity: the list as it is described now.
    :param rows: of its result tables, by their names as targets.
    :param protection: how their values are stored in the ledger.
    :raises TargetError: naming the obstacle.
    :raises DatabaseError: when a database cannot be reached.
    """
    with database_errors("taking over the result table"):
        rows = {target: each for target, each in rows.items() if each.find()}
        highest = max((each.highest_version() or 0 for each in rows.values()), default=0)
        with engine.begin() as connection:
            lock(connection, tables)
            taken = take_list(connection, tables, identity)
            state = tables.state
            # Adopted rows must be newer than the table's.
            connection.execute(
                sa.update(state).where(state.c.id == 1, state.c.version < highest).values(version=highest)
            )
        adoption = Adoption(identity.name, taken.known_as, taken.read_from)
        for target, each in rows.items():
            adoption = _Adopter(engine, tables, taken.list_id, target, protection).take(
                each, adoption, highest
            )
        return adoption


class _Adopter:
    """Takes over the rows of one table, as the process that delivers to it."""

    def __init__(
        self, engine: sa.Engine, tables: LedgerTables, list_id: int, target: str, protection: Protection
    ) -> None:
        self._engine, self._tables, self._list_id = engine, tables, list_id
        self._protection = protection
        self._deliverer = deliveries.Deliverer(target, uuid.uuid4().hex)
        self._versions: list[int] = []
        self._ahead: set[RowKey] = set()

    def take(self, rows: AdoptedRows, adoption: Adoption, highest: int) -> Adoption:
        """Take over all rows, and note that the table has them."""
        delivered = self._claim()
        try:
            for page in rows.pages():
                adoption = self._take_page(page, adoption)
            is_filled = adoption.taken + adoption.known + adoption.left_out > 0
            if adoption.taken or (is_filled and not highest <= delivered > 0):
                self._note(delivered)
        finally:
            with self._begin() as opened:
                deliveries.release(opened, self._deliverer)
        return adoption

    @contextmanager
    def _begin(self) -> Iterator[OpenList]:
        with self._engine.begin() as connection:
            yield OpenList(connection, self._tables, self._list_id)

    def _claim(self) -> int:
        with self._begin() as opened:
            state = deliveries.claim(opened, self._deliverer)
        if state is None:
            raise TargetError(
                f"a run delivers to {self._deliverer.target!r} now; adopt the table after it ends"
            )
        return state.version

    def _take_page(self, page: Sequence[AdoptedRow | None], adoption: Adoption) -> Adoption:
        database = database_of(self._engine)
        found = [row for row in page if row is not None and key_fault(database, row.row_key[0]) is None]
        with self._begin() as opened:
            version = next_version(opened.connection, self._tables)
            known = _known(opened, [row.row_key for row in found])
            wanted = [row for row in found if _is_wanted(row, known.get(row.row_key))]
            images = [_taken(row, known.get(row.row_key), version) for row in wanted]
            answers = [
                _answer_row(
                    image,
                    KeptAnswer(row.fields, AnswerForm.ADOPTED).protected(
                        Reading(protection=self._protection)
                    ),
                )
                for image, row in zip(images, wanted, strict=True)
                if row.fields is not None
            ]
            if answers:
                database_of(opened.connection).upsert(opened.connection, self._tables.answers, answers)
            write_images(opened, images)
            deliveries.claim(opened, self._deliverer)
        if images:
            self._versions.append(version)
        self._ahead.update(row.row_key for row in found if _is_ahead(row, known.get(row.row_key)))
        return replace(
            adoption,
            taken=adoption.taken + len(wanted),
            recognized=adoption.recognized + len(answers),
            known=adoption.known + len(found) - len(wanted),
            left_out=adoption.left_out + len(page) - len(found),
        )

    def _note(self, delivered: int) -> None:
        """Record that the table has the adopted rows; other images of the ledger still need delivery."""
        with self._begin() as opened:
            last = self._versions[-1] if self._versions else next_version(opened.connection, self._tables)
        self._restamp(delivered, last)
        with self._begin() as opened:
            deliveries.note(opened, self._deliverer, DeliveryState(last, count_until(opened, last)))

    def _restamp(self, after: int, last: int) -> None:
        """Raise the version of images that the table does not have from this ledger, so they get delivered.

        Images whose row in the table is later keep their version: older data would overwrite that row.

        :param after: the version delivered so far.
        :param last: the version recorded as delivered afterwards.
        """
        images = self._tables.images.c
        first = self._versions[0] if self._versions else last + 1
        own = set(self._versions)
        between = [version for version in range(first, last + 1) if version not in own]
        is_behind = sa.and_(
            images.list_id == self._list_id,
            images.version > after,
            sa.or_(images.version < first, images.version.in_(between)),
        )
        order = (images.image_key, images.card_side)
        some = sa.select(*order).where(is_behind).order_by(*order).limit(PAGE_ROWS)
        is_next: sa.ColumnElement[bool] = sa.true()
        while True:
            with self._begin() as opened:
                version = next_version(opened.connection, self._tables)
                keys = opened.connection.execute(some.where(is_next)).all()
                self._stamp(opened, [(key, CardSide(side)) for key, side in keys], version)
            if len(keys) < PAGE_ROWS:
                return
            is_next = is_after(list(zip(order, keys[-1], strict=True)))

    def _stamp(self, opened: OpenList, row_keys: Sequence[RowKey], version: int) -> None:
        images = self._tables.images
        for side in CardSide:
            of_side = [key for key, each in row_keys if each is side and (key, each) not in self._ahead]
            if of_side:
                is_one = sa.and_(
                    images.c.list_id == self._list_id,
                    images.c.image_key.in_(of_side),
                    images.c.card_side == side.value,
                )
                opened.connection.execute(sa.update(images).where(is_one).values(version=version))


def _known(opened: OpenList, row_keys: Sequence[RowKey]) -> dict[RowKey, LedgerImage]:
    images = opened.tables.images
    keys = sorted({image_key for image_key, _ in row_keys})
    statement = sa.select(images).where(images.c.list_id == opened.list_id, images.c.image_key.in_(keys))
    found = (read_image(dict(row)) for row in opened.connection.execute(statement).mappings())
    return {image.row_key: image for image in found}


def _taken(row: AdoptedRow, known: LedgerImage | None, version: int) -> LedgerImage:
    image = known or LedgerImage(row.row_key)
    standing = replace(
        row.standing,
        answer_id=None if row.fields is None else new_call_id(),
        # Answers of calls before the one that it replaces may yet come from a journal.
        answer_order=max(row.standing.answer_order, image.standing.answer_order),
    )
    image.put(standing, version)
    return image


def _answer_row(image: LedgerImage, answer: KeptAnswer) -> dict[str, Any]:
    return {
        "call_id": image.standing.answer_id,
        "form": answer.form.value,
        "answer": to_json(answer.values),
    }


def _is_wanted(row: AdoptedRow, known: LedgerImage | None) -> bool:
    """Whether a row is newer than the ledger: only a newer answer replaces the one in force."""
    if known is None or known.standing.attempt_status is None:
        return True
    standing = known.standing
    if row.standing.status is not Status.RECOGNIZED or _is_of_erased(row, known):
        return False
    if standing.status is Status.RECOGNIZED and not _is_newer(row.standing, standing):
        return False
    return not has_changed(standing.attempt_updated_at, row.standing.updated_at or row.standing.processed_at)


def _is_ahead(row: AdoptedRow, known: LedgerImage | None) -> bool:
    """Whether the table keeps its row of a later version, unless the ledger's answer is newer."""
    if known is None or row.version <= (known.version or 0) or _is_of_erased(row, known):
        return False
    return known.standing.status is not Status.RECOGNIZED or not _is_newer(known.standing, row.standing)


def _is_of_erased(row: AdoptedRow, known: LedgerImage) -> bool:
    """Whether a row is from before its image was erased."""
    erased_at = known.standing.processed_at
    return known.standing.status is Status.ERASED and not has_changed(row.standing.processed_at, erased_at)


def _is_newer(one: Standing, other: Standing) -> bool:
    """Whether what is in force for one came later, by change times of the image where both are known."""
    if one.updated_at is not None and other.updated_at is not None:
        return one.updated_at > other.updated_at
    return has_changed(one.processed_at, other.processed_at)
