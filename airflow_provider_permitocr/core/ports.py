"""What the pipeline asks of the outside, so that it runs without SQL, network or Airflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_permitocr.core.api import CardSide
    from airflow_provider_permitocr.core.calls import CallIntent, CallResult, Grant
    from airflow_provider_permitocr.core.columns import Column
    from airflow_provider_permitocr.core.image_loader import ImageLoader
    from airflow_provider_permitocr.core.models import (
        ImageRow,
        ListedImage,
        PermitRequest,
        PermitResponse,
        Previous,
        Record,
        RowKey,
    )
    from airflow_provider_permitocr.core.same_image import Answer


#: Makes the call, and returns the answer's fields or raises ``CallError``; each time it is called, anew.
Call: TypeAlias = "Callable[[], PermitResponse]"


class ImageSource(Protocol):
    """The image list."""

    def check(self) -> int:
        """Look the list over before anything is paid for, and count it.

        :raises SourceError: naming what to change, e.g. a missing column or keys that are NULL.
        """
        ...

    def carried(self) -> Sequence[Column]:
        """Name the columns of the list that go along into the result; asked after ``check``."""
        ...

    def settled(self) -> int:
        """Count the rows that ``pages`` leaves out, as they surely need no call; 0 where it leaves out none.

        Asked once the result table is there.
        """
        ...

    def pages(self) -> Iterator[Sequence[ListedImage]]:
        """Stream the list without its images, a bounded number of rows at a time."""
        ...

    def images(self, listed: Sequence[ListedImage]) -> Iterator[ImageRow]:
        """Fetch the images of some rows of a page, a bounded number of bytes at a time.

        Rows that are no longer in the list are left out.
        """
        ...


class PermitClient(Protocol):
    """The API. Called from several threads at once."""

    def prepare(self, request: PermitRequest) -> Call:
        """Do what a call needs time for, so that its turn is spent on sending alone."""
        ...


class KnownResults(Protocol):
    """What a result says already."""

    def previous(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Previous]:
        """Return what is already known of these rows."""
        ...


class ReadOnlyResults(KnownResults, Protocol):
    """A result that is looked at and not written."""

    def look(self, columns: Sequence[Column]) -> None:
        """Make sure, without changing anything, that a run can write it; one that is missing is empty.

        :param columns: of the result.
        :raises TargetError: naming what to change.
        """
        ...


class ResultTarget(KnownResults, Protocol):
    """The result table."""

    def prepare(self, columns: Sequence[Column]) -> None:
        """Create what is missing.

        :param columns: of the result.
        :raises TargetError: naming what to change.
        """
        ...

    def write(self, frame: pd.DataFrame) -> Mapping[int, str]:
        """Insert or replace rows by ``(image_key, card_side)``.

        :return: the reason, without values, for each row that was refused for what it holds, by its place in
            the frame. All other rows are written.
        """
        ...

    def finish(self) -> None:
        """Complete the result; asked once, at the end of a run that reached the end of its list."""
        ...


class LedgerTable(Protocol):
    """Where calls are written down before they are made. Called from one thread at a time."""

    def prepare(self) -> None:
        """Create what is missing.

        :raises TargetError: naming what to change.
        """
        ...

    def exchange(self, intents: Sequence[CallIntent], results: Sequence[CallResult]) -> Sequence[Grant]:
        """Write results of earlier calls, and intents as far as they are granted, in one transaction.

        :return: a grant for each intent, in their order.
        """
        ...


class SameImages(Protocol):
    """Answers that a result already holds, by picture. Called from several threads at once."""

    def prepare(self) -> None:
        """Make looking fast, where that takes anything; asked once the result is there."""
        ...

    def find(self, image_digest: str, card_side: CardSide) -> Answer | None:
        """Return the last answer that an image of this digest got; None where there is none to take.

        Changes nothing, and may be asked without ``prepare``, also where there is no result yet.

        :raises PermitOcrError: when it cannot be looked for.
        """
        ...


class Spill(Protocol):
    """Where answers go that are paid for and that the result does not take."""

    def save(self, columns: Sequence[Column], records: Sequence[Record]) -> str:
        """Keep records until a later run loads them, all or none.

        :return: where, in words for an error.
        :raises PermitOcrError: when they cannot be kept either; it says where that was tried.
        """
        ...

    def pending(self, columns: Sequence[Column]) -> Iterator[tuple[str, Sequence[Record]]]:
        """Read what earlier runs have kept for this result, as a name and its records each.

        :param columns: which the records are to have, whichever they had.
        """
        ...

    def discard(self, name: str) -> None:
        """Let go of what has been loaded."""
        ...


class ResultRows(Protocol):
    """What the result table holds."""

    def read(self, row_keys: Sequence[RowKey], columns: Sequence[Column]) -> Mapping[RowKey, Record]:
        """Read rows by key, as plain values; the latest of each key, and those that are there."""
        ...


class Export(Protocol):
    """A copy of a result's rows."""

    def prepare(self) -> None:
        """Make sure, before anything is paid for, that it can be written.

        :raises TargetError: naming what to change.
        """
        ...

    def write(self, columns: Sequence[Column], rows: Iterable[Sequence[Record]]) -> None:
        """Write it, whole or not at all.

        :param rows: a bounded number at a time.
        """
        ...


@dataclass(frozen=True)
class Ports:
    """Everything outside that a run uses.

    :param ledger: where each call is written down before it is made.
    :param spill: where answers go that the target does not take.
    :param same_images: answers that the target holds already, by picture.
    """

    source: ImageSource
    image_loader: ImageLoader
    client: PermitClient
    target: ResultTarget
    ledger: LedgerTable | None = None
    spill: Spill | None = None
    same_images: SameImages | None = None
