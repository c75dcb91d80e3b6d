"""A ledger and a journal in memory, with the rules of the real ones."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from airflow_provider_permitocr.engine.ledger.calls import (
    NOT_SENT,
    OK,
    Attempt,
    CallIntent,
    ClosedCall,
    Exchanged,
    Grant,
)
from airflow_provider_permitocr.engine.ledger.deliveries import Delivered, DeliveryState, Refusal
from airflow_provider_permitocr.engine.ledger.ports import KeptAnswers
from airflow_provider_permitocr.engine.ledger.standing import Standing
from airflow_provider_permitocr.engine.models import Answer, Previous, RowKey
from airflow_provider_permitocr.engine.run.selection import is_wanted
from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.engine.run.window import Leftovers, LeftRun
from airflow_provider_permitocr.errors import JournalError
from airflow_provider_permitocr.options.lists.redo import Redo
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status

NOW = datetime(2026, 1, 31, tzinfo=UTC)


@dataclass
class FakeLedger:
    """A ledger in memory; each run is the DAG run ``run``.

    :param cap: most calls.
    :param held_keys: keys that another run calls for, for so many times of asking.
    :param unknown: keys over which a worker died.
    :param refused: keys of images, ``*`` for all, whose intents the database refuses.
    :param refused_answers: keys of images whose answers the database does not take.
    :param unfit: keys that the ledger cannot hold.
    :param failing: raised by each exchange while it is there.
    :param before_exchange: called at the start of each exchange.
    """

    cap: int = 1_000_000
    held_keys: dict[str, int] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    refused_answers: set[str] = field(default_factory=set)
    unfit: set[str] = field(default_factory=set)
    fenced: bool = False
    failing: Exception | None = None
    before_exchange: Callable[[], object] = lambda: None
    run: str = "dag/task/run 1"
    now: datetime = NOW
    ledger_id: str = "ledger"
    intents: dict[str, CallIntent] = field(default_factory=dict)
    closed: dict[str, ClosedCall] = field(default_factory=dict)
    standings: dict[RowKey, Standing] = field(default_factory=dict)
    versions: dict[RowKey, int] = field(default_factory=dict)
    handed_in: list[ClosedCall] = field(default_factory=list)
    first_versions: dict[RowKey, int] = field(default_factory=dict)
    deliveries: dict[str, FakeDelivery] = field(default_factory=dict)
    prepared: int = 0
    exchanges: int = 0
    ended: list[tuple[RunSummary, bool]] = field(default_factory=list)
    left: list[LeftRun] = field(default_factory=list)
    whole: list[LeftRun] = field(default_factory=list)
    unread: int = 0
    tried: set[RowKey] = field(default_factory=set)
    _state: threading.RLock = field(default_factory=threading.RLock)
    _places: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _place_of: dict[str, int] = field(default_factory=dict)

    def prepare(self, key_type: str | None, listed: int = 0) -> None:
        self.prepared += 1
        self.tried = set()

    def look(self, key_type: str | None) -> None:
        self.prepare(key_type)

    def key_fault(self, image_key: str) -> str | None:
        return "it is too long" if image_key in self.unfit else None

    def exchange(
        self, intents: Sequence[CallIntent], closed: Sequence[ClosedCall], attempts: Sequence[Attempt]
    ) -> Exchanged:
        self.before_exchange()
        with self._state:
            if self.failing:
                raise self.failing
            self.exchanges += 1
            version = next(self._places)
            refused = [each for each in closed if self._refuses(each)]
            for each in closed:
                self._close(each, version)
            for attempt in attempts:
                self._attempt(attempt, version, version)
            grants = tuple(self._grant(intent, version) for intent in intents)
            return Exchanged(grants, tuple(replace(each, reason="too long") for each in refused))

    def _refuses(self, closed: ClosedCall) -> bool:
        return closed.attempt is not None and closed.attempt.row_key[0] in self.refused_answers

    def _close(self, closed: ClosedCall, version: int) -> None:
        before = self.closed.get(closed.call_id)
        if before and not before.reason:
            return
        if self._refuses(closed):
            closed = replace(closed, answer=None, attempt=None, reason="too long")
        else:
            closed = replace(closed, reason=None)
        self.closed[closed.call_id] = closed
        if closed.attempt:
            answer_id = closed.call_id if closed.code == OK else None
            attempt = replace(closed.attempt, answer_id=answer_id, request_id=closed.request_id)
            self._attempt(attempt, self._place_of.get(closed.call_id, version), version)

    def _attempt(self, attempt: Attempt, order: int, version: int) -> None:
        standing = self.standings.get(attempt.row_key, Standing())
        self.standings[attempt.row_key] = standing.after(attempt, order=order, now=self.now, run=self.run)
        self.versions[attempt.row_key] = version
        self.first_versions.setdefault(attempt.row_key, version)
        self.tried.add(attempt.row_key)

    def _grant(self, intent: CallIntent, version: int) -> Grant:
        key = intent.row_key[0]
        standing = self.standings.get(intent.row_key, Standing())
        is_settled = not is_wanted(intent.updated_at, standing.previous(self.run))
        refusals = {
            Grant.FENCED: self.fenced,
            Grant.HELD: self.held_keys.get(key, 0) > 0,
            Grant.UNKNOWN: key in self.unknown,
            Grant.REFUSED: bool({key, "*"} & self.refused),
            Grant.SETTLED: is_settled,
            Grant.CAPPED: self.made >= self.cap,
        }
        grant = next((grant for grant, applies in refusals.items() if applies), Grant.GRANTED)
        if grant is Grant.HELD:
            self.held_keys[key] -= 1
        elif grant is Grant.GRANTED:
            self.intents[intent.call_id] = intent
            self._place_of[intent.call_id] = version
        return grant

    @property
    def made(self) -> int:
        """Calls that count: all that were granted, but those that were not sent."""
        return sum(
            call_id not in self.closed or self.closed[call_id].code != NOT_SENT for call_id in self.intents
        )

    @property
    def codes(self) -> list[str]:
        """Codes of all calls that were closed, in alphabetical order."""
        return sorted(self.closed[call_id].code for call_id in self.intents if call_id in self.closed)

    @property
    def statuses(self) -> dict[str, str]:
        """What is in force, by image key."""
        return {key: each.status.value for (key, _), each in self.standings.items() if each.status}

    def hand_in(self, closed: Sequence[ClosedCall]) -> Sequence[ClosedCall]:
        with self._state:
            taken = [each for each in closed if each.call_id in self.intents and not self._refuses(each)]
            version = next(self._places)
            for each in taken:
                self._close(each, version)
            self.handed_in += taken
            return [each for each in closed if each not in taken]

    def previous(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Previous]:
        with self._state:
            asked = {key: self.standings[key].previous(self.run) for key in row_keys if key in self.standings}
        return {key: previous for key, previous in asked.items() if previous}

    def held(self, row_keys: Sequence[RowKey]) -> Set[RowKey]:
        with self._state:
            held = {key for key in row_keys if self.held_keys.get(key[0], 0) > 0}
            for image_key, _ in held:
                self.held_keys[image_key] -= 1
            return held

    def find(self, image_digest: str, card_side: CardSide) -> Answer | None:
        for (image_key, side), standing in self.standings.items():
            is_same = side is card_side and standing.facts.digest == image_digest
            if is_same and standing.status is Status.RECOGNIZED and standing.answer_id:
                fields = self._fields(standing)
                assert fields is not None
                key = standing.reused_from or image_key
                return Answer(key, fields, standing.request_id, standing.answer_id)
        return None

    def delivered(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Delivered]:
        with self._state:
            return {key: self._delivered(key) for key in row_keys if key in self.standings}

    def _delivered(self, key: RowKey) -> Delivered:
        standing = self.standings[key]
        return Delivered(key, standing, self.versions[key], self._fields(standing), self.first_versions[key])

    def _fields(self, standing: Standing) -> Any:
        closed = self.closed.get(standing.answer_id or "")
        return closed.answer.record() if closed and closed.answer is not None else None

    def delivery(self, target: str, *, keeps_history: bool = False) -> FakeDelivery:
        return self.deliveries.setdefault(target, FakeDelivery(self, target))

    def leftovers(self) -> Leftovers:
        return Leftovers(tuple(self.left), self.unread)

    def unsettled(self, after: RowKey | None, most: int, *, only_redone: bool = False) -> Sequence[RowKey]:
        statuses = {Status.REDO} if only_redone else {Status.REDO, Status.RETRY}
        with self._state:
            keys = sorted(
                key
                for key, standing in self.standings.items()
                if standing.attempt_status in statuses and key not in self.tried
            )
        return [key for key in keys if after is None or key > after][:most]

    def mark_redone(self, redo: Redo) -> int:
        keys = [key for key in self.standings if key[0] in (redo.wanted_keys or ())]
        for key in keys:
            self.standings[key] = replace(self.standings[key], attempt_status=Status.REDO, tries=0)
        return len(keys)

    def redone(self, redo: Redo) -> int:
        return sum(key[0] in (redo.wanted_keys or ()) for key in self.standings)

    def close_left(self, left: LeftRun) -> None:
        self.left.remove(left)
        self.whole.append(left)

    def whole_runs(self) -> Sequence[LeftRun]:
        return [each for each in self.whole if each.files]

    @property
    def answers_table(self) -> str:
        return "public.permit_ocr_answers"

    def kept_answers(self) -> KeptAnswers:
        return KeptAnswers(readable=len(self.standings))

    def examine_again(self) -> int:
        return 0

    def keep_alive(self) -> None:
        pass

    def close_run(self, summary: RunSummary, *, whole: bool, left: int = 0) -> None:
        self.ended.append((summary, whole))

    def sums(self) -> None:
        return None

    def delete_delivered(self) -> None:
        pass


class FakeDelivery:
    """How far one target of a ``FakeLedger`` has been filled."""

    def __init__(self, ledger: FakeLedger, target: str) -> None:
        self._ledger, self.target = ledger, target
        self.state = DeliveryState()
        self.refused: dict[RowKey, Refusal] = {}

    def claim(self) -> DeliveryState | None:
        return self.state

    def note(
        self, state: DeliveryState, *, refused: Sequence[Refusal] = (), taken: Sequence[RowKey] = ()
    ) -> bool:
        self.state = state
        for key in taken:
            self.refused.pop(key, None)
        self.refused |= {each.row_key: each for each in refused}
        return True

    def release(self) -> None:
        pass

    def changes(self, after: int, most: int) -> Sequence[Delivered]:
        ledger = self._ledger
        with ledger._state:
            changed = sorted((version, key) for key, version in ledger.versions.items() if version > after)
            if len(changed) > most:
                last = changed[most - 1][0]
                changed = [each for each in changed if each[0] <= last]
            return [ledger._delivered(key) for _, key in changed]

    def rows_of(self, row_keys: Sequence[RowKey]) -> Sequence[Delivered]:
        return list(self._ledger.delivered(row_keys).values())

    def rows_until(self, version: int) -> int:
        return sum(each <= version for each in self._ledger.first_versions.values())

    def refusals(self, most: int) -> Sequence[Refusal]:
        return []

    def count_refusals(self) -> int:
        return len(self.refused)

    def count_undelivered(self) -> int:
        return sum(version > self.state.version for version in self._ledger.versions.values())


@dataclass
class FakeJournal:
    """A folder in memory, which all runs share.

    :param failing: raised by each append while it is there.
    """

    files: dict[str, list[ClosedCall]] = field(default_factory=dict)
    name: str = "/journal/1"
    ledger_id: str = ""
    failing: JournalError | None = None

    def use(self, ledger_id: str) -> None:
        self.ledger_id = ledger_id

    def append(self, closed: Sequence[ClosedCall], *, refused: bool = False) -> str:
        if self.failing:
            raise self.failing
        name = f"{self.name}-refused" if refused else self.name
        self.files.setdefault(name, []).extend(closed)
        return name

    def discard(self) -> None:
        self.files.pop(self.name, None)

    def pending(self) -> Iterator[tuple[str, Sequence[ClosedCall]]]:
        own = (self.name, f"{self.name}-refused")
        yield from [(name, calls) for name, calls in self.files.items() if name not in own]

    def remove(self, name: str) -> None:
        self.files.pop(name, None)
