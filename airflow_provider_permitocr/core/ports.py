"""What the pipeline asks of the outside, so that it runs without SQL, network or Airflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_permitocr.core.columns import Column
    from airflow_provider_permitocr.core.models import (
        ImageRow,
        ListedImage,
        PermitRequest,
        PermitResponse,
        Previous,
        Record,
        RowKey,
    )


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


class ResultTarget(Protocol):
    """The result table."""

    def prepare(self, columns: Sequence[Column]) -> None:
        """Create what is missing.

        :param columns: of the result.
        :raises TargetError: naming what to change.
        """
        ...

    def previous(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Previous]:
        """Return what is already known of these rows."""
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
