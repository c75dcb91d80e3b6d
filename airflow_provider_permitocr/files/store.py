"""Where files are kept: what the writers of result files need of a disk or an object store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeAlias

if TYPE_CHECKING:
    from airflow_provider_permitocr.files.row_format import RowFormat

#: Writes a file's whole content into a stream.
WriteContent: TypeAlias = "Callable[[BinaryIO], object]"
#: Tells whether no other run was merging.
IsAlone: TypeAlias = "Callable[[], bool]"


class Store(Protocol):
    """A disk or an object store. Paths are its own."""

    def beside(self, path: str, name: str) -> str:
        """Return the path of another name in the same place."""
        ...

    def check_place(self, path: str) -> None:
        """Make sure that files can be written beside this path, as far as that is known without writing.

        :raises OSError: when not.
        """
        ...

    def exists(self, path: str) -> bool:
        """Tell whether there is such a file."""
        ...

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading; what is written in its place meanwhile does not show in it."""
        ...

    def put(self, path: str, write: WriteContent) -> None:
        """Write a file, or replace it: whole or not at all, for readers and after any fault."""
        ...

    def names(self, folder: str) -> Sequence[str]:
        """List the files in a folder by name, in order; none where there is no such folder."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file, if it is there; a folder that this leaves empty goes with it."""
        ...

    def merging(self, folder: str, run: str) -> AbstractContextManager[IsAlone]:
        """Begin to merge what is in a folder, so that two runs that do so at a time lose nothing.

        What was merged may be removed only if the run is alone, asked when the whole is there: another run
        may be about to put a whole in its place that was begun before, and lacks some of it.

        :param run: which run this is, the same for all its tries.
        """
        ...

    def clean(self, path: str) -> None:
        """Remove what writers of this file that were killed have left over."""
        ...


@dataclass(frozen=True)
class StoredFile:
    """A file, with all that is needed to write it.

    :param named: how messages name it.
    """

    store: Store
    path: str
    row_format: RowFormat
    named: str


def write_nothing(_stream: BinaryIO) -> None:
    """Write the content of an empty file."""


def try_out(store: Store, path: str) -> None:
    """Write an empty file and remove it: whether that may be done is learnt now, not after hours of calls.

    :param path: the same for all runs, so that the next one removes what a killed one has left.
    """
    store.put(path, write_nothing)
    store.remove(path)
