"""What a review asks of a ledger."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Protocol

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.engine.review.entries import Entry
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record


@dataclass(frozen=True)
class AskedReading:
    """A reading to be reviewed.

    :param review_id: a random name of this row of the question, which identifies the answer.
    :param flags: names of its quality flags.
    :param shown: columns that the question shows.
    """

    review_id: str
    row_key: RowKey
    flags: tuple[str, ...] = ()
    shown: Record = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Reviewed:
    """The outcome of a question, in numbers.

    :param open: readings without an entry; they are asked about again.
    :param changed: readings that were answered, but that a newer answer has replaced, which is asked about.
    :param unknown: entries that match no reading of this question, or one that was erased meanwhile: an
        erasure leaves no trace of what was asked.
    """

    confirmed: int = 0
    corrected: int = 0
    rejected: int = 0
    open: int = 0
    changed: int = 0
    unknown: int = 0

    def __str__(self) -> str:
        right = many(self.confirmed, "reading is", "readings are")
        return (
            f"{right} right, {self.corrected:,} corrected, {self.rejected:,} wrong; {self.open:,} left open"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values, fit for XCom."""
        decided = self.confirmed + self.corrected + self.rejected
        return {"asked": decided + self.open + self.changed, **asdict(self)}


class LedgerReview(Protocol):
    """One question about readings of one list, asked by one task of a DAG run."""

    def others_waiting(self) -> Collection[RunIdentity]:
        """Return the other tasks with an open question."""
        ...

    def retire(self, askers: Collection[RunIdentity]) -> None:
        """Close questions that will not be answered; their readings may be asked about again."""
        ...

    def pending(self) -> Sequence[AskedReading]:
        """Return the readings of this task's open question; empty once it is answered."""
        ...

    def is_over(self) -> bool:
        """Return whether this task has asked, and its question is over."""
        ...

    def ask(self) -> Sequence[AskedReading]:
        """Choose readings that are undecided and not asked about elsewhere, and claim them for this task."""
        ...

    def sides(self) -> Mapping[str, CardSide]:
        """Return the sides of all readings that this task has asked about, decided or not."""
        ...

    def answer(
        self, entries: Mapping[str, Entry | None], *, decided_by: str, decided_at: datetime
    ) -> Reviewed:
        """Write down decisions, and that the question is over. It may be done twice.

        :param entries: by ``review_id``; None: left open.
        """
        ...
