"""The pipeline's interfaces to the outside, so that it runs without SQL, network or Airflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from airflow_provider_permitocr.engine.models import UnfitImage
from airflow_provider_permitocr.engine.observer import NOBODY, Observers
from airflow_provider_permitocr.permit.answers import Reading

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.delivery.ports import ResultTarget, RowsFile
    from airflow_provider_permitocr.engine.ledger.ports import Journal, Ledger, PortraitStore
    from airflow_provider_permitocr.engine.models import (
        ImageRow,
        ListedImage,
        PermitRequest,
        PermitResponse,
        RowKey,
    )
    from airflow_provider_permitocr.engine.run.window import DueFile, LeftRun, Window
    from airflow_provider_permitocr.permit.columns import Column


#: Makes the call, and returns the answer's fields or raises ``CallError``; again each time it is called.
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
        """Name the type of the keys, such as ``integer``; None if the list is empty."""
        ...

    def settled(self) -> int:
        """Count the rows that ``pages`` leaves out because they certainly need no call.

        Called once the ledger is prepared.
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

    def holds(self, image_key: str) -> bool:
        """Return whether an image is of the shard that is read here."""
        ...

    @property
    def window(self) -> Window:
        """Which part of the list is read here."""
        ...

    @property
    def is_ordered(self) -> bool:
        """Whether the list's author chose an order."""
        ...

    @property
    def finds_all(self) -> bool:
        """Whether ``find`` not returning an image means that it is no longer in the list."""
        ...

    def find(self, row_keys: Sequence[RowKey]) -> Sequence[ListedImage]:
        """Look up images regardless of this window; images that are not found are left out."""
        ...

    def within(
        self,
        windows: Sequence[Window],
        *,
        besides: ImageSource | None = None,
        found: Sequence[ListedImage] = (),
        settled_too: bool = False,
    ) -> ImageSource:
        """Return the same list, read within other windows that all belong to one shard.

        :param windows: empty: this shard's whole part of the list.
        :param besides: rows that it reads are left out here.
        :param found: additional rows to read, as returned by ``find``.
        :param settled_too: also read rows that certainly need no call.
        """
        ...


class RequestBuilder(Protocol):
    """Opens and checks images. Called from several threads at once."""

    def build(self, row: ImageRow) -> PermitRequest | UnfitImage:
        """Return a request, image included, that the API would accept, or why there is none."""
        ...


class PermitClient(Protocol):
    """The API. Called from several threads at once."""

    def prepare(self, request: PermitRequest) -> Call:
        """Prepare a call, so that its turn is spent only on sending."""
        ...


@dataclass(frozen=True, kw_only=True)
class TargetPorts:
    """What targets are filled from, and the targets.

    :param tables: result tables, by their names in the ledger.
    :param files: get the rows of the run's window once it is complete.
    :param open_file: opens a file that an earlier run has left unwritten.
    :param reading: examines answers, and protects them before anything else sees them.
    :param portraits: where portraits are stored; None: they stay in the answers, or there are none.
    :param observers: are notified of events.
    """

    source: ImageSource
    ledger: Ledger
    tables: Mapping[str, ResultTarget] = field(default_factory=dict)
    files: Sequence[RowsFile] = ()
    open_file: Callable[[DueFile], RowsFile] | None = None
    reading: Reading = Reading()
    portraits: PortraitStore | None = None
    observers: Observers = NOBODY

    def files_of(self, left: LeftRun) -> list[RowsFile]:
        """Open the files of an earlier run, but for those that this run replaces."""
        assert self.open_file is not None
        return [self.open_file(due) for due in self.due_of(left)]

    def due_of(self, left: LeftRun) -> list[DueFile]:
        """Describe the files of an earlier run, except those that this run replaces."""
        own = {file.due.place for file in self.files}
        return [due for due in left.files if due.place not in own]


@dataclass(frozen=True, kw_only=True)
class Ports(TargetPorts):
    """Everything outside that a run uses."""

    request_builder: RequestBuilder
    client: PermitClient
    journal: Journal
