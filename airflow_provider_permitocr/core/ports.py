"""What the pipeline asks of the outside, so that it runs without SQL, network or Airflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_permitocr.core.api import CardSide
    from airflow_provider_permitocr.core.calls import Attempt, CallIntent, ClosedCall, Exchanged
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
        RunSummary,
    )
    from airflow_provider_permitocr.core.same_image import Answer
    from airflow_provider_permitocr.core.standing import Standing


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
        """Name the columns of the list that are copied into the result; asked after ``check``."""
        ...

    def key_type(self) -> str | None:
        """Name the type of the keys, such as ``integer``; None where the list is empty."""
        ...

    def settled(self) -> int:
        """Count the rows that ``pages`` leaves out, as they surely need no call; 0 where it leaves out none.

        Asked once the ledger is prepared.
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


class KnownImages(Protocol):
    """What the ledger says of images already."""

    def key_fault(self, image_key: str) -> str | None:
        """Say why the ledger cannot hold a key, without quoting it; None where it can."""
        ...

    def previous(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Previous]:
        """Return what is already known of these images."""
        ...


class Answers(Protocol):
    """Answers that the ledger holds, by picture. Called from several threads at once."""

    def find(self, image_digest: str, card_side: CardSide) -> Answer | None:
        """Return the last answer that an image of this digest got; None where there is none to take.

        :raises PermitOcrError: when it cannot be looked for.
        """
        ...


@dataclass(frozen=True)
class Delivered:
    """One image as targets get it.

    :param version: which change of the ledger made it so.
    :param fields: the flattened answer; None where it is not recognized, or where its answer is gone.
    """

    row_key: RowKey
    standing: Standing
    version: int
    fields: Record | None = field(default=None, repr=False)


class Ledger(KnownImages, Answers, Protocol):
    """All that runs remember. ``exchange`` is called from one thread at a time, all others from any."""

    @property
    def ledger_id(self) -> str:
        """What journals know this ledger by; known once it is prepared."""
        ...

    def prepare(self, key_type: str | None) -> None:
        """Create what is missing, and make sure that this list, source, target and run may use it.

        :param key_type: of the list's keys; None where the list is empty.
        :raises TargetError: naming what to change.
        """
        ...

    def exchange(
        self,
        intents: Sequence[CallIntent],
        closed: Sequence[ClosedCall],
        attempts: Sequence[Attempt],
    ) -> Exchanged:
        """Write closed calls and attempts, and intents as far as they are granted, in one transaction.

        It may be repeated with the same values after an error, whether or not they were written.

        :raises LedgerUnreachableError: when it may be tried again.
        :raises LedgerError: when the database refuses for good.
        """
        ...

    def hand_in(self, closed: Sequence[ClosedCall]) -> Sequence[ClosedCall]:
        """Close calls of any run, as a journal has kept them; those that are closed already stay as they are.

        :return: those that the ledger does not know or does not take.
        :raises LedgerUnreachableError, LedgerError: as ``exchange``.
        """
        ...

    def held(self, row_keys: Sequence[RowKey]) -> Set[RowKey]:
        """Return the images that other runs or tries are calling for."""
        ...

    def changes(self, after: int, most: int) -> Sequence[Delivered]:
        """Return images of this list that have changed after a version, by version.

        A version is never cut in two: all images that share one are there.

        :param most: about how many.
        """
        ...

    def delivered(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Delivered]:
        """Return images by key, those that stand anywhere."""
        ...

    def claim_delivery(self) -> int | None:
        """Become the one that delivers to this run's target, or stay so, for the next minute.

        :return: the version that has been delivered; None: another run delivers.
        """
        ...

    def note_delivery(self, version: int) -> None:
        """Write down that everything up to a version is delivered."""
        ...

    def release_delivery(self) -> None:
        """Let another run deliver."""
        ...

    def close_run(self, summary: RunSummary, *, whole: bool) -> None:
        """Write down how the run has ended.

        :param whole: every image of its window was dealt with.
        """
        ...


class LedgerView(KnownImages, Answers, Protocol):
    """A ledger that is looked at and not written; one that is missing is empty."""

    def look(self, key_type: str | None) -> None:
        """Make sure, without changing anything, that a run can use it.

        :param key_type: of the list's keys; None where the list is empty.
        :raises TargetError: naming what to change.
        """
        ...


class TargetView(Protocol):
    """A result table that is looked at and not written."""

    def look(self, columns: Sequence[Column]) -> None:
        """Make sure, without changing anything, that a run can write it.

        :param columns: of the result.
        :raises TargetError: naming what to change.
        """
        ...


class ResultTarget(Protocol):
    """The result table."""

    @property
    def is_filled_at_end(self) -> bool:
        """Whether it wants one large delivery rather than many small ones."""
        ...

    def prepare(self, columns: Sequence[Column]) -> bool:
        """Create what is missing.

        :param columns: of the result.
        :return: whether it is new, or holds no row.
        :raises TargetError: naming what to change.
        """
        ...

    def highest_version(self) -> int | None:
        """Return the highest version that a row has; None where none has any. May read the whole table."""
        ...

    def is_empty(self) -> bool:
        """Return whether it holds no row.

        :raises UnreachableError: when it may be tried again.
        """
        ...

    def write(self, frame: pd.DataFrame, *, with_answers: bool = True) -> Mapping[int, str]:
        """Insert or replace rows by ``(image_key, card_side)``, but none by one of a smaller version.

        :param with_answers: otherwise the columns of answers are left as they are.
        :return: the reason, without values, for each row that was refused for what it holds, by its place in
            the frame. All other rows are written.
        :raises UnreachableError: when it may be tried again.
        """
        ...


class Journal(Protocol):
    """A file for answers that cannot be written into the ledger at the moment. Called from any thread."""

    def use(self, ledger_id: str) -> None:
        """Keep calls of this ledger alone; said before anything else."""
        ...

    def append(self, closed: Sequence[ClosedCall], *, refused: bool = False) -> str:
        """Keep closed calls, safe from the end of this process once this returns.

        :param refused: the ledger's database does not take them.
        :return: where.
        :raises PermitOcrError: when they cannot be kept.
        """
        ...

    def discard(self) -> None:
        """Remove what this run has kept, as the ledger has it."""
        ...

    def pending(self) -> Iterator[tuple[str, Sequence[ClosedCall]]]:
        """Read what other runs have kept for this ledger, as a name and its calls each."""
        ...

    def remove(self, name: str) -> None:
        """Let go of what has been handed in."""
        ...


class RowsFile(Protocol):
    """A file that holds the rows of a run's list, whole or not there."""

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

    :param target: the result table; None where the result is a file alone.
    :param file: gets the rows of the whole list at the end of a run; None: no file.
    :param whole_list: the list without what is settled left out, to write the file by.
    """

    source: ImageSource
    image_loader: ImageLoader
    client: PermitClient
    ledger: Ledger
    journal: Journal
    target: ResultTarget | None = None
    file: RowsFile | None = None
    whole_list: ImageSource | None = None
