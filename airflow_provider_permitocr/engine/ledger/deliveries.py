"""What the ledger knows of a list's targets, and what they get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_permitocr.engine.ledger.standing import Standing
    from airflow_provider_permitocr.engine.models import RowKey
    from airflow_provider_permitocr.permit.columns import Record


@dataclass(frozen=True)
class Review:
    """What a person has decided about an answer.

    :param status: confirmed, corrected or rejected.
    :param corrections: corrected values, as text by column; None unless corrected.
    """

    status: str
    reviewed_at: datetime | None = None
    corrections: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Delivered:
    """One image as targets get it.

    :param version: of the ledger's change that produced it.
    :param fields: the flattened answer; None if the image is not recognized, or its answer is gone.
    :param first_version: of the change that first recorded the image.
    :param review: of the answer in force; None: undecided.
    """

    row_key: RowKey
    standing: Standing
    version: int
    fields: Record | None = field(default=None, repr=False)
    first_version: int = 0
    review: Review | None = None


@dataclass(frozen=True)
class Refusal:
    """A row that a target does not take.

    :param reason: without values.
    :param has_row: whether a row without its fields, or an older one, replaces it.
    """

    row_key: RowKey
    reason: str
    has_row: bool


@dataclass(frozen=True)
class DeliveryState:
    """How far a target has been filled.

    :param version: everything up to it is delivered, except refused rows.
    :param rows: rows that the target then had; of a history, how many is not known.
    :param highest: highest version among them.
    """

    version: int = 0
    rows: int = 0
    highest: int = 0


class Delivery(Protocol):
    """What the ledger knows of one target of a list. Called from one thread at a time."""

    @property
    def target(self) -> str:
        """The target's name."""
        ...

    def claim(self) -> DeliveryState | None:
        """Become the one that delivers to the target, or stay so, for the next minute.

        :return: None: another run delivers.
        """
        ...

    def note(
        self, state: DeliveryState, *, refused: Sequence[Refusal] = (), taken: Sequence[RowKey] = ()
    ) -> bool:
        """Write down how far the target has been filled.

        :param refused: rows that it does not take, to be tried again later.
        :param taken: rows that it has taken, which it may have refused before.
        :return: whether it was recorded: not if another process delivers meanwhile.
        """
        ...

    def release(self) -> None:
        """Let another run deliver."""
        ...

    def changes(self, after: int, most: int) -> Sequence[Delivered]:
        """Return images of the list that have changed after a version, by version.

        A version is never cut in two: all images that share one are there. Of a history, each recognition.

        :param most: about how many.
        """
        ...

    def rows_of(self, row_keys: Sequence[RowKey]) -> Sequence[Delivered]:
        """Return images by key; of a history, all their recognitions."""
        ...

    def rows_until(self, version: int) -> int:
        """Count the images up to this version."""
        ...

    def refusals(self, most: int) -> Sequence[Refusal]:
        """Return rows that the target has refused, those first that were tried longest ago."""
        ...

    def count_refusals(self) -> int:
        """Count the rows that the target has refused."""
        ...

    def count_undelivered(self) -> int:
        """Count the images whose latest result is missing from the target, by any run."""
        ...
