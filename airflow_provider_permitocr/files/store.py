"""Stores of files: the interface to a disk or an object store that a result file's writer needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Protocol, TypeAlias

#: Writes a file's whole content into a stream.
WriteContent: TypeAlias = "Callable[[BinaryIO], object]"


class Store(Protocol):
    """A disk or an object store. Paths are its own."""

    def beside(self, path: str, name: str) -> str:
        """Return the path of another name in the same place."""
        ...

    def check_place(self, path: str) -> None:
        """Make sure that files can be written beside this path, as far as possible without writing.

        :raises OSError: when not.
        """
        ...

    def exists(self, path: str) -> bool:
        """Return whether there is such a file."""
        ...

    def put(self, path: str, write: WriteContent) -> None:
        """Write or replace a file, completely or not at all, for readers and after any error."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file, if it exists."""
        ...

    def clean(self, path: str) -> None:
        """Remove what killed writers of this file have left."""
        ...
