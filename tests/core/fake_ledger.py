"""A ledger and a journal in memory, with the rules of the real ones."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.calls import (
    NOT_SENT,
    OK,
    Attempt,
    CallIntent,
    ClosedCall,
    Exchanged,
    Grant,
)
from airflow_provider_permitocr.core.errors import JournalError
from airflow_provider_permitocr.core.flatten import flatten
from airflow_provider_permitocr.core.models import Previous, RowKey, RunSummary, Status
from airflow_provider_permitocr.core.ports import Delivered
from airflow_provider_permitocr.core.same_image import Answer
from airflow_provider_permitocr.core.selection import is_wanted
from airflow_provider_permitocr.core.standing import Standing

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
    delivered_version: int = 0
    prepared: int = 0
    exchanges: int = 0
    ended: list[tuple[RunSummary, bool]] = field(default_factory=list)
    _state: threading.RLock = field(default_factory=threading.RLock)
    _places: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _place_of: dict[str, int] = field(default_factory=dict)

    def prepare(self, key_type: str | None) -> None:
        self.prepared += 1

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

    def changes(self, after: int, most: int) -> Sequence[Delivered]:
        with self._state:
            changed = sorted((version, key) for key, version in self.versions.items() if version > after)
            if len(changed) > most:
                last = changed[most - 1][0]
                changed = [each for each in changed if each[0] <= last]
            return [self._delivered(key) for _, key in changed]

    def delivered(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Delivered]:
        with self._state:
            return {key: self._delivered(key) for key in row_keys if key in self.standings}

    def _delivered(self, key: RowKey) -> Delivered:
        standing = self.standings[key]
        return Delivered(key, standing, self.versions[key], self._fields(standing))

    def _fields(self, standing: Standing) -> Any:
        closed = self.closed.get(standing.answer_id or "")
        return flatten(closed.answer) if closed and closed.answer is not None else None

    def claim_delivery(self) -> int | None:
        return self.delivered_version

    def note_delivery(self, version: int) -> None:
        self.delivered_version = version

    def release_delivery(self) -> None:
        pass

    def close_run(self, summary: RunSummary, *, whole: bool) -> None:
        self.ended.append((summary, whole))


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
