"""Questions about readings in a ledger, and people's decisions.

A row of the reviews is a reading that one task of a DAG run asks about; it is made with the question, so two
questions never share a reading, and closed once with its answer.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.engine.review.entries import Decision, Entry
from airflow_provider_permitocr.engine.review.ports import AskedReading, Reviewed
from airflow_provider_permitocr.options.review import ReviewRule
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record
from airflow_provider_permitocr.permit.corrections import kept_corrections
from airflow_provider_permitocr.sql.database.failures import database_errors
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.ledger.exchange.caller import RUN_COLUMNS, is_run, run_columns
from airflow_provider_permitocr.sql.ledger.exchange.statements import lock, next_version
from airflow_provider_permitocr.sql.ledger.open_list import OpenList, Where, on_list
from airflow_provider_permitocr.sql.ledger.review.candidates import (
    Candidate,
    answers_in_force,
    flagged_readings,
    free_among,
    shown_of,
)
from airflow_provider_permitocr.sql.ledger.standing import standings
from airflow_provider_permitocr.sql.ledger.standing.disclosure import Disclosure
from airflow_provider_permitocr.sql.ledger.standing.images import to_json
from airflow_provider_permitocr.sql.ledger.tables.clock import now

T = TypeVar("T")

_DOING: Final = "writing reviews into the ledger"


class SqlReview:
    """One question about readings of one list: implements ``engine/review/ports.py``.

    :param asker: the task that asks.
    :param disclosure: which parts of answers leave the ledger, and how corrections are stored.
    """

    def __init__(
        self,
        engine: sa.Engine,
        where: Where,
        rule: ReviewRule,
        asker: RunIdentity,
        *,
        disclosure: Disclosure = Disclosure(),
        patience: Patience = Patience(),
    ) -> None:
        self._engine, self._where, self._rule, self._asker = engine, where, rule, asker
        self._disclosure, self._patience = disclosure, patience

    def others_waiting(self) -> Collection[RunIdentity]:
        """Return the other tasks with an open question."""
        tables, list_id = self._where()
        reviews = tables.reviews.c
        statement = sa.select(*(reviews[name] for name in RUN_COLUMNS)).where(
            reviews.list_id == list_id, reviews.decision.is_(None)
        )
        found = self._rows(statement.distinct())
        mine = tuple(run_columns(self._asker).values())
        return {RunIdentity(*row) for row in found if tuple(row) != mine}

    def retire(self, askers: Collection[RunIdentity]) -> None:
        """Close questions that will not be answered any more."""
        if askers:
            self._write(lambda opened: self._end(opened, askers))

    def pending(self) -> Sequence[AskedReading]:
        """Return the readings of this task's open question; empty once it is answered."""
        reviews = self._where()[0].reviews.c
        statement = (
            sa.select(
                reviews.review_id, reviews.image_key, reviews.card_side, reviews.flags, reviews.answer_id
            )
            .where(self._is_of(self._asker), reviews.decision.is_(None))
            .order_by(reviews.image_key, reviews.card_side)
        )
        rows = self._rows(statement)
        shown = self._shown([(row.image_key, CardSide(row.card_side)) for row in rows])
        return [
            AskedReading(
                row.review_id,
                row_key := (row.image_key, CardSide(row.card_side)),
                tuple(json.loads(row.flags or "[]")),
                shown.get((row_key, row.answer_id), {}),
            )
            for row in rows
        ]

    def is_over(self) -> bool:
        """Return whether this task has asked, and its question is over."""
        reviews = self._where()[0].reviews.c
        over = sa.select(reviews.review_id).where(self._is_of(self._asker), reviews.decision.is_not(None))
        return bool(self._rows(over.limit(1)))

    def ask(self) -> Sequence[AskedReading]:
        """Choose readings that are undecided and not asked about elsewhere, and claim them for this task."""
        self.retire([self._asker])  # left by a deleted DAG run of the same name
        candidates: Iterator[Candidate] = flagged_readings(
            self._read, self._where()[0], self._rule, self._disclosure
        )
        asked: list[AskedReading] = []
        while some := list(islice(candidates, self._rule.rows - len(asked))):
            review_ids = [uuid.uuid4().hex for _ in some]
            taken = self._write(lambda opened: self._take(opened, some, review_ids))  # noqa: B023
            asked += [
                AskedReading(review_id, each.row_key, each.flags, each.shown)
                for review_id, each in zip(review_ids, some, strict=True)
                if review_id in taken
            ]
        return asked

    def sides(self) -> Mapping[str, CardSide]:
        """Return the sides of all readings that this task has asked about, decided or not."""
        reviews = self._where()[0].reviews.c
        statement = sa.select(reviews.review_id, reviews.card_side).where(self._is_of(self._asker))
        return {review_id: CardSide(side) for review_id, side in self._rows(statement)}

    def answer(
        self, entries: Mapping[str, Entry | None], *, decided_by: str, decided_at: datetime
    ) -> Reviewed:
        """Write down decisions, and that the question is over. It may be done twice.

        :param entries: by ``review_id``; None: left open.
        """
        self._write(lambda opened: self._decide(opened, entries, decided_by, decided_at))
        return self._read(lambda opened: self._came_of(opened, entries))

    def _shown(self, row_keys: Sequence[RowKey]) -> dict[tuple[RowKey, str | None], Record]:
        """Return what a question shows of readings, by key and answer."""
        if not self._rule.show or not row_keys:
            return {}
        reading = self._disclosure.reading
        found = self._read(lambda opened: standings.delivered(opened, row_keys, reading))
        return {
            (row_key, each.standing.answer_id): shown_of(each.fields or {}, self._rule)
            for row_key, each in found.items()
        }

    def _take(self, opened: OpenList, some: Sequence[Candidate], review_ids: Sequence[str]) -> set[str]:
        """Make candidates this task's, but for those that another question has taken meanwhile."""
        connection, reviews = opened.connection, opened.tables.reviews
        lock(connection, opened.tables)
        known = sa.select(reviews.c.review_id).where(reviews.c.review_id.in_(review_ids))
        done = set(connection.execute(known).scalars())
        if done:  # the transaction before was cut off after its commit
            return done
        free = free_among(opened, [each.row_key for each in some])
        rows: list[dict[str, Any]] = [
            {
                "review_id": review_id,
                "list_id": opened.list_id,
                "image_key": each.row_key[0],
                "card_side": each.row_key[1].value,
                "answer_id": each.answer_id,
                "flags": json.dumps(each.flags),
                "permit_kind": each.permit_kind,
                **run_columns(self._asker),
                "asked_at": now(connection),
            }
            for review_id, each in zip(review_ids, some, strict=True)
            if free.get(each.row_key) == each.answer_id
        ]
        if rows:
            connection.execute(sa.insert(reviews), rows)
        return {row["review_id"] for row in rows}

    def _decide(
        self,
        opened: OpenList,
        entries: Mapping[str, Entry | None],
        decided_by: str,
        decided_at: datetime,
    ) -> None:
        connection, reviews, images = opened.connection, opened.tables.reviews, opened.tables.images
        version = next_version(connection, opened.tables)
        waiting = sa.select(
            reviews.c.review_id, reviews.c.image_key, reviews.c.card_side, reviews.c.answer_id
        ).where(self._is_of(self._asker), reviews.c.decision.is_(None))
        asked = connection.execute(waiting).all()
        in_force = answers_in_force(opened, [(row.image_key, row.card_side) for row in asked])
        decided: list[dict[str, Any]] = []
        touched: list[dict[str, Any]] = []
        for row in asked:
            entry = entries.get(row.review_id)
            if entry is None or in_force.get((row.image_key, row.card_side)) != row.answer_id:
                continue
            decided.append(
                {"of_review": row.review_id, **self._columns(entry)}
                | {"decided_by": decided_by, "decided_at": decided_at, "version": version}
            )
            touched.append({"of_key": row.image_key, "of_side": row.card_side})
        if decided:
            is_review = reviews.c.review_id == sa.bindparam("of_review")
            names = [name for name in decided[0] if name != "of_review"]
            values = {name: sa.bindparam(name, type_=reviews.c[name].type) for name in names}
            connection.execute(sa.update(reviews).where(is_review).values(values), decided)
            is_image = sa.and_(
                images.c.list_id == opened.list_id,
                images.c.image_key == sa.bindparam("of_key"),
                images.c.card_side == sa.bindparam("of_side"),
            )
            connection.execute(sa.update(images).where(is_image).values(version=version), touched)
        self._end(opened, [self._asker])

    def _columns(self, entry: Entry) -> dict[str, Any]:
        is_corrected = entry.decision is Decision.CORRECTED
        kept = kept_corrections(entry.corrections, self._disclosure.reading.protection)
        return {
            "decision": entry.decision.value,
            "corrections": to_json(kept) if is_corrected else None,
            "corrected_fields": json.dumps(entry.fields) if is_corrected else None,
        }

    def _came_of(self, opened: OpenList, entries: Mapping[str, Entry | None]) -> Reviewed:
        """Count from the current state, which a repeated transaction leaves unchanged."""
        reviews = opened.tables.reviews.c
        statement = sa.select(reviews.review_id, reviews.decision).where(self._is_of(self._asker))
        rows = opened.connection.execute(statement)
        became: dict[str, str] = {row.review_id: row.decision for row in rows}
        count = list(became.values()).count
        left = [review_id for review_id, decision in became.items() if decision == Decision.UNDECIDED.value]
        return Reviewed(
            confirmed=count(Decision.CONFIRMED.value),
            corrected=count(Decision.CORRECTED.value),
            rejected=count(Decision.REJECTED.value),
            open=sum(entries.get(review_id) is None for review_id in left),
            changed=sum(entries.get(review_id) is not None for review_id in left),
            unknown=len(entries.keys() - became.keys()),
        )

    def _end(self, opened: OpenList, askers: Collection[RunIdentity]) -> None:
        reviews = opened.tables.reviews
        for asker in askers:
            is_open = sa.and_(self._is_of(asker), reviews.c.decision.is_(None))
            ended = sa.update(reviews).where(is_open).values(decision=Decision.UNDECIDED.value)
            opened.connection.execute(ended)

    def _is_of(self, asker: RunIdentity) -> sa.ColumnElement[bool]:
        tables, list_id = self._where()
        reviews = tables.reviews
        return sa.and_(reviews.c.list_id == list_id, is_run(reviews, run_columns(asker)))

    def _rows(self, statement: sa.Select[Any]) -> Sequence[Any]:
        return self._read(lambda opened: opened.connection.execute(statement).all())

    def _read(self, read: Callable[[OpenList], T]) -> T:
        with database_errors("reading the ledger"):
            return self._patience.read(self._engine, on_list(self._where, read), "reading the ledger")

    def _write(self, do: Callable[[OpenList], T]) -> T:
        with database_errors(_DOING):
            return self._patience.write(self._engine, on_list(self._where, do), _DOING)
