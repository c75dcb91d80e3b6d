"""A ledger and a result table in memory, as far as delivery needs them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_permitocr.engine.delivery.frame import to_rows
from airflow_provider_permitocr.engine.delivery.ports import Held
from airflow_provider_permitocr.engine.ledger.deliveries import Delivered, DeliveryState, Refusal
from airflow_provider_permitocr.engine.ledger.standing import Standing
from airflow_provider_permitocr.engine.models import ImageFacts, RowKey
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import ANSWER_COLUMNS, COLUMNS, Column, Record
from airflow_provider_permitocr.permit.status import Status

if TYPE_CHECKING:
    import pandas as pd

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def image(
    key: str,
    version: int,
    *,
    fields: Record | None = None,
    status: Status = Status.RECOGNIZED,
    side: CardSide = CardSide.FRONT,
    **standing: Any,
) -> Delivered:
    """One image of the ledger; recognized without fields is one whose answer was erased."""
    known: dict[str, Any] = {
        **{"status": status, "attempt_status": status, "processed_at": NOON, "attempted_at": NOON},
        **{"run": "dag/task/run-1", "tries": 1, "facts": ImageFacts("JPEG")},
    }
    return Delivered((key, side), Standing(**(known | standing)), version, fields, version)


def answered(key: str, version: int, **standing: Any) -> Delivered:
    """One image that was recognized, by its key."""
    return image(key, version, fields={"name": f"name of {key}", "number": "1"}, **standing)


class FakeDelivery:
    """A ledger that remembers images and how far one table was filled with them.

    :param held: asked at each claim; while it is true another run delivers.
    """

    target = "warehouse:permits"

    def __init__(self, *images: Delivered, delivered: int = 0, rows: int = 0, highest: int = 0) -> None:
        self.images: dict[RowKey, Delivered] = {}
        self.put(*images)
        self.state = DeliveryState(delivered, rows, highest)
        self.noted: list[int] = []
        self.held: Callable[[], bool] = lambda: False
        self.is_claimed = False
        self.released = threading.Event()
        self.before_note: Callable[[int], object] = lambda version: None
        self.refused: dict[RowKey, Refusal] = {}
        self._due: list[RowKey] | None = None

    def put(self, *images: Delivered) -> None:
        """Have images stand anywhere; what each was first stays."""
        for each in images:
            known = self.images.get(each.row_key)
            first = known.first_version if known else each.first_version
            self.images[each.row_key] = replace(each, first_version=first)

    @property
    def version(self) -> int:
        """The version up to which all is delivered."""
        return self.state.version

    def new_run(self) -> None:
        """What was refused is tried again from now on."""
        self._due = None

    def changes(self, after: int, most: int) -> Sequence[Delivered]:
        later = sorted(
            (each for each in self.images.values() if each.version > after), key=lambda each: each.version
        )
        return [each for each in later if each.version <= later[:most][-1].version]

    def claim(self) -> DeliveryState | None:
        if self.held():
            return None
        self.is_claimed = True
        self.released.clear()
        return self.state

    def note(
        self, state: DeliveryState, *, refused: Sequence[Refusal] = (), taken: Sequence[RowKey] = ()
    ) -> bool:
        assert self.is_claimed
        self.before_note(state.version)
        if state.version != self.state.version or state.version not in self.noted:
            self.noted.append(state.version)
        self.state = state
        for key in taken:
            self.refused.pop(key, None)
        self.refused |= {each.row_key: each for each in refused}
        return True

    def release(self) -> None:
        self.is_claimed = False
        self.released.set()

    def rows_of(self, row_keys: Sequence[RowKey]) -> Sequence[Delivered]:
        return [self.images[key] for key in row_keys if key in self.images]

    def rows_until(self, version: int) -> int:
        return sum(each.first_version <= version for each in self.images.values())

    def refusals(self, most: int) -> Sequence[Refusal]:
        if self._due is None:
            self._due = sorted(self.refused)
        some, self._due = self._due[:most], self._due[most:]
        return [self.refused[key] for key in some if key in self.refused]

    def count_refusals(self) -> int:
        return len(self.refused)

    def count_undelivered(self) -> int:
        return sum(each.version > self.state.version for each in self.images.values())


class FakeResultTable:
    """A result table that takes no row of a smaller version.

    :param before_write: called with the rows of each write; what it raises is the write's failure.
    :param refuses: gives the reason why a row is refused; None: it is taken.
    """

    keeps_history = False
    is_filled_at_end = False
    when_locked = "end its session"

    def __init__(self, *, is_new: bool = True, version: int | None = None, rows: int = 0) -> None:
        self._is_new, self._version, self._rows = is_new, version, rows
        self.columns: Sequence[Column] = COLUMNS
        self.before_write: Callable[[list[dict[str, Any]]], object] = lambda rows: None
        self.refuses: Callable[[dict[str, Any]], str | None] = lambda row: None
        self.rows: dict[str, dict[str, Any]] = {}
        self.batches: list[list[str]] = []
        self.forgotten: dict[RowKey, int] = {}

    def forget(self, versions: Mapping[RowKey, int]) -> None:
        self.forgotten |= versions

    def prepare(self, columns: Sequence[Column]) -> None:
        self.columns = columns

    def held(self) -> Held:
        if self.is_empty():
            return Held(0)
        versions = [row["version"] for row in self.rows.values()]
        highest = max([*versions, *filter(None, [self._version])], default=None)
        return Held(max(len(self.rows), self._rows, 1), highest)

    def is_empty(self) -> bool:
        return self._is_new and not self.rows

    def write(
        self,
        frame: pd.DataFrame,
        *,
        with_answers: bool = True,
        only_new: bool = False,
        most_refused: int | None = None,
    ) -> Mapping[int, str]:
        rows = to_rows(frame, self.columns)
        self.before_write(rows)
        refused: dict[int, str] = {}
        for place, row in enumerate(rows):
            if most_refused is not None and len(refused) >= most_refused:
                refused[place] = ""
            elif reason := self.refuses(row):
                refused[place] = reason
        taken = [row for place, row in enumerate(rows) if place not in refused]
        for row in taken:
            before = self.rows.get(row["image_key"])
            if before is None or (not only_new and before["version"] <= row["version"]):
                kept = {name: before[name] for name in ANSWER_COLUMNS if before and not with_answers}
                self.rows[row["image_key"]] = row | kept
        self.batches.append([row["image_key"] for row in taken])
        return refused
