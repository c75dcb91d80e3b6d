"""One exchange with the ledger: a short transaction behind one locked row.

Answers are written first, because no one else has them. Then the row is locked, and at most four statements
follow: one that reads, and one each for calls, images and counters.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import (
    NOT_SENT,
    OK,
    Attempt,
    CallIntent,
    ClosedCall,
    Grant,
)
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.engine.run.selection import is_wanted
from airflow_provider_permitocr.options.budget import NearCap
from airflow_provider_permitocr.options.ledger import UnknownCalls
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.exchange.caller import Allowance, Caller, day_period
from airflow_provider_permitocr.sql.ledger.exchange.statements import (
    NOTHING_OF_IMAGE,
    closing_columns,
    count_calls,
    empty_answers,
    lock,
    read_under_lock,
    write_answers,
    write_calls,
    write_counters,
    write_images,
)
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.standing.images import LedgerImage, read_image
from airflow_provider_permitocr.sql.ledger.tables.clock import read_clock, read_moment
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

#: How often the time of the last exchange is recorded, which is how outages are detected.
_MARK_SECONDS: Final = 5.0
#: A longer gap between exchanges means an outage: live runs exchange many times a minute.
_OUTAGE_SECONDS: Final = 60.0
#: How long holds that ran out during an outage stay in force after it, for their holders to close them.
_AFTER_OUTAGE_SECONDS: Final = 30.0


class LedgerEmptiedError(Exception):
    """The row that is locked is not there."""


@dataclass(frozen=True)
class OpenCall:
    """A call that was granted and is not closed yet.

    :param row: its row in the table of calls.
    """

    row: Mapping[str, Any]

    @property
    def row_key(self) -> RowKey:
        """The image that it is for."""
        return self.row["image_key"], CardSide(self.row["card_side"])

    @property
    def day(self) -> datetime:
        """When it was intended."""
        intended_at: datetime = self.row["intended_at"]
        return intended_at


@dataclass
class _State:
    """State that is read under the lock.

    :param task_try: that has the run; None if the run is not registered.
    """

    version: int
    now: datetime
    exchanged_at: datetime | None
    outage_from: datetime | None
    outage_until: datetime | None
    task_try: int | None
    counted: dict[str, int]
    images: dict[RowKey, LedgerImage] = field(default_factory=dict)

    is_first_after_outage: bool = False

    @property
    def silent_seconds(self) -> float:
        """Time since the last recorded exchange."""
        return math.inf if self.exchanged_at is None else (self.now - self.exchanged_at).total_seconds()

    def note_outage(self) -> None:
        """Record an outage if no one has exchanged for a long time."""
        if self.exchanged_at is not None and self.silent_seconds > _OUTAGE_SECONDS:
            self.is_first_after_outage = True
            self.outage_from = self.exchanged_at
            self.outage_until = self.now + timedelta(seconds=_AFTER_OUTAGE_SECONDS)

    def is_held(self, image: LedgerImage, session_id: str) -> bool:
        """Whether another process may be calling for an image."""
        if image.held_by is None or image.held_session == session_id or image.held_until is None:
            return False
        if image.held_until > self.now:
            return True
        if self.outage_from is None or self.outage_until is None:
            return False
        return image.held_until > self.outage_from and self.now < self.outage_until


class Exchange:
    """Performs one exchange in an open transaction.

    :param open_calls: calls of this process by ``call_id``.
    :param day: the current day, as known before reading the ledger's clock.
    """

    def __init__(
        self,
        connection: sa.Connection,
        tables: LedgerTables,
        caller: Caller,
        open_calls: Mapping[str, OpenCall],
        day: str,
    ) -> None:
        self._connection, self._tables, self._caller = connection, tables, caller
        self._open_calls, self._day = open_calls, day
        self.opened: dict[str, OpenCall] = {}
        self.near: list[NearCap] = []
        self.now: datetime | None = None

    def run(
        self,
        intents: Sequence[CallIntent],
        closed: Sequence[ClosedCall],
        attempts: Sequence[Attempt],
        *,
        is_repeated: bool = False,
    ) -> list[Grant]:
        """Write everything, and return a grant for each intent.

        :param is_repeated: an earlier transaction whose commit was not confirmed may have written the same.
        :raises LedgerEmptiedError: when the row to lock is gone.
        """
        closed = list({each.call_id: each for each in closed}.values())
        write_answers(self._connection, self._tables, closed)
        lock(self._connection, self._tables)
        # A call that was not made may have been given back already, by a run that found it in the journal.
        is_unclear = is_repeated or any(each.code == NOT_SENT for each in closed)
        written = self._written(intents, closed) if is_unclear else {}
        unsent = [
            self._open_calls[each.call_id]
            for each in closed
            if each.code == NOT_SENT and each.call_id in self._open_calls
        ]
        keys = {intent.row_key for intent in intents}
        keys |= {
            self._open_calls[each.call_id].row_key for each in closed if each.call_id in self._open_calls
        }
        keys |= {attempt.row_key for attempt in attempts}
        keys |= {source for attempt in attempts if (source := _taken_from(attempt))}
        days = {day_period(call.day, self._caller.timezone) for call in unsent}
        state = self._read(keys, days)
        self.now = state.now
        allowance = Allowance(self._caller.budget, self._caller.run_period, state.counted)
        calls, changed = self._close(state, closed, written)
        for call in unsent:
            if written.get(call.row["call_id"]) is None:
                allowance.give_back(day_period(call.day, self._caller.timezone))
        for attempt in attempts:
            is_gone = self._is_answer_erased(state, attempt)
            self._attempt(state, attempt.without_answer() if is_gone else attempt, state.version)
            changed.add(attempt.row_key)
        self.near = allowance.near
        grants = [self._grant(state, intent, allowance, written) for intent in intents]
        changed |= {call.row_key for call in self.opened.values()}
        calls += [dict(call.row) for call in self.opened.values()]
        self._write(calls, [state.images[key] for key in sorted(changed)], allowance.counted)
        self._mark(state)
        return grants

    def _written(self, intents: Sequence[CallIntent], closed: Sequence[ClosedCall]) -> dict[str, str | None]:
        """Return the codes of the calls that are written already, None for those that are open."""
        calls = self._tables.calls.c
        asked = [*(intent.call_id for intent in intents), *(each.call_id for each in closed)]
        statement = sa.select(calls.call_id, calls.code).where(calls.call_id.in_(asked))
        return {row.call_id: row.code for row in self._connection.execute(statement)}

    def _read(self, keys: Collection[RowKey], days: set[str]) -> _State:
        """Read everything that the exchange depends on, in one statement."""
        periods = {*days, self._day, self._caller.run_period}
        rows = read_under_lock(self._connection, self._tables, self._caller, keys, periods)
        if not rows:
            raise LedgerEmptiedError
        first = rows[0]
        now = read_clock(first["clock"])
        counted = {period: first[f"counted_{number}"] or 0 for number, period in enumerate(sorted(periods))}
        today = day_period(now, self._caller.timezone)
        if today not in counted:
            counted |= count_calls(self._connection, self._tables, self._caller.account, [today])
        images = (read_image(row) for row in rows if row["image_key"] is not None)
        found = {image.row_key: image for image in images if image.row_key in keys}
        state = _State(
            version=first["state_version"],
            now=now,
            exchanged_at=read_moment(first["exchanged_at"]),
            outage_from=read_moment(first["outage_from"]),
            outage_until=read_moment(first["outage_until"]),
            task_try=first["task_try"],
            counted=counted,
            images={key: found.get(key) or LedgerImage(key) for key in keys},
        )
        state.note_outage()
        return state

    def _close(
        self, state: _State, closed: Sequence[ClosedCall], written: Mapping[str, str | None]
    ) -> tuple[list[dict[str, Any]], set[RowKey]]:
        """Close calls of this process; return their rows and the images that change."""
        rows, changed = [], set()
        for each in closed:
            call = self._open_calls.get(each.call_id)
            if call is None or written.get(each.call_id) is not None:
                continue
            image, place = state.images[call.row_key], int(call.row["place"])
            rows.append(dict(call.row) | closing_columns(each, state.now, state.version))
            if image.standing.has_erased(place):
                rows[-1] |= NOTHING_OF_IMAGE
                empty_answers(self._connection, self._tables, [each.call_id])
            if each.attempt:
                self._attempt(state, own_answer(each, call.row_key), place)
            image.release(each.call_id)
            changed.add(call.row_key)
        return rows, changed

    def _is_answer_erased(self, state: _State, attempt: Attempt) -> bool:
        """Whether an identical image was erased, and its answer, while a run had it in memory."""
        source = _taken_from(attempt)
        if source is None or state.images[source].standing.status is not Status.ERASED:
            return False
        answers = self._tables.answers.c
        kept = sa.select(answers.call_id).where(answers.call_id == attempt.answer_id, answers.answer != "")
        return self._connection.execute(kept).first() is None

    def _attempt(self, state: _State, attempt: Attempt, order: int) -> None:
        image = state.images[attempt.row_key]
        image.change(attempt, order=order, now=state.now, run=self._caller.run_name, version=state.version)

    def _grant(
        self,
        state: _State,
        intent: CallIntent,
        allowance: Allowance,
        written: Mapping[str, str | None],
    ) -> Grant:
        if intent.call_id in written:
            self._open(state, intent)
            return Grant.GRANTED
        grant = self._against(state, intent)
        if grant is None:
            grant = allowance.take(day_period(state.now, self._caller.timezone))
        if grant is Grant.GRANTED:
            self._open(state, intent)
        return grant

    def _against(self, state: _State, intent: CallIntent) -> Grant | None:
        """Return why a call is not allowed, apart from caps."""
        caller, image = self._caller, state.images[intent.row_key]
        # A DAG run that was deleted and made again counts its tries from 1 again: a smaller one fences, too.
        if state.task_try not in (None, caller.run.try_number):
            return Grant.FENCED
        if state.is_held(image, caller.session_id):
            return Grant.HELD
        if not is_wanted(intent.updated_at, image.standing.previous(caller.run_name)):
            return Grant.SETTLED
        if caller.unknown_calls is UnknownCalls.KEEP and self._is_unknown(image, intent):
            return Grant.UNKNOWN
        return None

    def _is_unknown(self, image: LedgerImage, intent: CallIntent) -> bool:
        """Whether a call for this very image was left open by a process that is gone."""
        if image.held_by is None or image.held_session == self._caller.session_id:
            return False
        calls = self._tables.calls.c
        statement = sa.select(calls.code, calls.image_digest).where(calls.call_id == image.held_by)
        call = self._connection.execute(statement).first()
        if call is None or call.code is not None:
            return False
        digests = {call.image_digest, intent.image_digest}
        return None in digests or len(digests) == 1

    def _open(self, state: _State, intent: CallIntent) -> None:
        caller = self._caller
        held_until = state.now + caller.hold
        price = caller.budget.price
        row = {
            "call_id": intent.call_id,
            "list_id": caller.list_id,
            "image_key": intent.row_key[0],
            "card_side": intent.row_key[1].value,
            "image_digest": intent.image_digest,
            "account": caller.account,
            **caller.run_columns,
            "task_try": caller.run.try_number,
            "session_id": caller.session_id,
            "intended_at": state.now,
            "held_until": held_until,
            "place": state.version,
            **dict.fromkeys(
                ("answered_at", "code", "billed", "request_id", "permit_kind", "reason", "attempt", "version")
            ),
            "unit_price": price and f"{price.per_call:f}",
            "currency": price and price.currency,
        }
        self.opened[intent.call_id] = OpenCall(row)
        state.images[intent.row_key].hold(intent.call_id, caller.session_id, held_until)

    def _write(
        self,
        calls: Sequence[dict[str, Any]],
        images: Sequence[LedgerImage],
        counted: Mapping[str, int],
    ) -> None:
        write_calls(self._connection, self._tables, calls)
        write_images(OpenList(self._connection, self._tables, self._caller.list_id), images)
        write_counters(self._connection, self._tables, self._caller.account, counted)

    def _mark(self, state: _State) -> None:
        """Write down when this was, every few seconds, and an outage that ends with it."""
        if not state.is_first_after_outage and 0 <= state.silent_seconds < _MARK_SECONDS:
            return
        values = {"exchanged_at": state.now}
        if state.is_first_after_outage:
            assert state.outage_from is not None
            assert state.outage_until is not None
            values |= {"outage_from": state.outage_from, "outage_until": state.outage_until}
        self._connection.execute(sa.update(self._tables.state).values(values))


def _taken_from(attempt: Attempt) -> RowKey | None:
    """Return the identical image whose answer an attempt has reused."""
    if attempt.reused_from is None or attempt.answer_id is None:
        return None
    return attempt.reused_from, attempt.row_key[1]


def own_answer(closed: ClosedCall, row_key: RowKey) -> Attempt:
    """Return the attempt of a closed call, about the image that the call was for."""
    assert closed.attempt is not None
    answer_id = closed.call_id if closed.code == OK else None
    return replace(closed.attempt, row_key=row_key, answer_id=answer_id, request_id=closed.request_id)
