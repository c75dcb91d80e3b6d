"""A ledger and a result table in memory, as far as delivery needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.columns import ANSWER_COLUMNS, COLUMNS, Column
from airflow_provider_permitocr.core.frame import to_rows
from airflow_provider_permitocr.core.models import ImageFacts, Record, RowKey, Status
from airflow_provider_permitocr.core.ports import Delivered
from airflow_provider_permitocr.core.standing import Standing

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
    return Delivered((key, side), Standing(**(known | standing)), version, fields)


def answered(key: str, version: int, **standing: Any) -> Delivered:
    """One image that was recognized, by its key."""
    return image(key, version, fields={"name": f"name of {key}", "number": "1"}, **standing)


class FakeDeliveringLedger:
    """A ledger that remembers images and how far they were delivered.

    :param held: asked at each claim; while it is true another run delivers.
    """

    def __init__(self, *images: Delivered, delivered: int = 0) -> None:
        self.images: dict[RowKey, Delivered] = {}
        self.put(*images)
        self.version = delivered
        self.noted: list[int] = []
        self.held: Callable[[], bool] = lambda: False
        self.is_claimed = False
        self.before_note: Callable[[int], object] = lambda version: None

    def put(self, *images: Delivered) -> None:
        self.images |= {each.row_key: each for each in images}

    def changes(self, after: int, most: int) -> Sequence[Delivered]:
        later = sorted(
            (each for each in self.images.values() if each.version > after), key=lambda each: each.version
        )
        return [each for each in later if each.version <= later[:most][-1].version]

    def claim_delivery(self) -> int | None:
        if self.held():
            return None
        self.is_claimed = True
        return self.version

    def note_delivery(self, version: int) -> None:
        assert self.is_claimed
        self.before_note(version)
        self.version = version
        self.noted.append(version)

    def release_delivery(self) -> None:
        self.is_claimed = False


class FakeResultTable:
    """A result table that takes no row of a smaller version.

    :param before_write: called with the rows of each write; what it raises is the write's failure.
    :param refuses: gives the reason why a row is refused; None: it is taken.
    """

    def __init__(self, *, is_new: bool = True, version: int | None = None) -> None:
        self._is_new, self._version = is_new, version
        self.columns: Sequence[Column] = COLUMNS
        self.before_write: Callable[[list[dict[str, Any]]], object] = lambda rows: None
        self.refuses: Callable[[dict[str, Any]], str | None] = lambda row: None
        self.rows: dict[str, dict[str, Any]] = {}
        self.batches: list[list[str]] = []

    @property
    def is_filled_at_end(self) -> bool:
        return False

    def prepare(self, columns: Sequence[Column]) -> bool:
        self.columns = columns
        return self._is_new and not self.rows

    def highest_version(self) -> int | None:
        versions = [row["version"] for row in self.rows.values()]
        return max([*versions, *filter(None, [self._version])], default=None)

    def is_empty(self) -> bool:
        return self._is_new and not self.rows

    def write(self, frame: pd.DataFrame, *, with_answers: bool = True) -> Mapping[int, str]:
        rows = to_rows(frame, self.columns)
        self.before_write(rows)
        reasons = {place: self.refuses(row) for place, row in enumerate(rows)}
        refused = {place: reason for place, reason in reasons.items() if reason}
        taken = [row for place, row in enumerate(rows) if place not in refused]
        for row in taken:
            before = self.rows.get(row["image_key"])
            if before is None or before["version"] <= row["version"]:
                kept = {name: before[name] for name in ANSWER_COLUMNS if before and not with_answers}
                self.rows[row["image_key"]] = row | kept
        self.batches.append([row["image_key"] for row in taken])
        return refused
