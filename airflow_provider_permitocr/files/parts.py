"""The parts of a file that is not complete yet: small files in a folder beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from hashlib import blake2b
from typing import Final
from uuid import uuid4

from airflow_provider_permitocr.files.store import IsAlone, StoredFile, WriteContent, try_out

_PART: Final = re.compile(r"(\d{9,})-[0-9a-f]{8}\.part")


class Parts:
    """The folder ``_<name>.parts`` beside a file.

    Readers of whole folders pass over what begins with an underscore (Spark, Hive, Trino, pyarrow), and the
    parts have another suffix than the file.

    :param run: which run this is, the same for all its tries.
    """

    def __init__(self, file: StoredFile, *, run: str | None = None) -> None:
        self._store = file.store
        name = file.path.rpartition("/")[2]
        self._folder = file.store.beside(file.path, f"_{name}.parts")
        self.run = blake2b(run.encode(), digest_size=4).hexdigest() if run else uuid4().hex[:8]
        self._next = 1

    def names(self) -> list[str]:
        """List the parts, the oldest first."""
        names = [name for name in self._store.names(self._folder) if _PART.fullmatch(name)]
        if names:
            self._next = max(self._next, int(names[-1].partition("-")[0]) + 1)
        return names

    def try_out(self) -> None:
        """Learn whether parts may be written and removed."""
        path = self._path("write.trial")
        self._store.clean(path)
        try_out(self._store, path)

    def add(self, write: WriteContent) -> None:
        """Write another part."""
        self._store.put(self._path(f"{self._next:09}-{self.run}.part"), write)
        self._next += 1

    def read(self, name: str) -> bytes:
        """Read a part."""
        with self._store.open(self._path(name)) as stream:
            return stream.read()

    def merging(self) -> AbstractContextManager[IsAlone]:
        """Merge within this; what it gives tells afterwards whether the parts may go."""
        return self._store.merging(self._folder, self.run)

    def sweep(self) -> None:
        """Remove what a run has left that was killed when all of its parts were gone."""
        if self._store.names(self._folder):
            with self.merging():
                pass

    def remove(self, names: Sequence[str]) -> None:
        """Remove parts, the oldest first: one that stays must never be older than one that went."""
        for name in names:
            self._store.remove(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"
