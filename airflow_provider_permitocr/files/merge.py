"""Merges a file and its parts, row by row: of rows with one key the last that was written stays."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO, Self, cast

from airflow_provider_permitocr.core.columns import Column
from airflow_provider_permitocr.core.models import RowKey
from airflow_provider_permitocr.files.parts import Parts
from airflow_provider_permitocr.files.store import StoredFile


class Merge:
    """One merge: the keys first, then the rows, each where its last version stands.

    The keys are in memory; the rows never are, but a few at a time.

    :param parts: those that are there when the merge begins.
    :param columns: of the whole.
    """

    def __init__(self, file: StoredFile, parts: Parts, columns: Sequence[Column]) -> None:
        self._file = file
        self._parts = parts
        self._columns = columns
        self.names = parts.names()
        self._last: dict[RowKey, int] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._whole: BinaryIO | None = None
            if self._file.store.exists(self._file.path):
                self._whole = stack.enter_context(self._file.store.open(self._file.path))
            # Without a name, so that it vanishes with the process: each part is asked of its store once.
            self._copies = stack.enter_context(cast(BinaryIO, tempfile.TemporaryFile()))
            self._sizes = [self._copies.write(self._parts.read(name)) for name in self.names]
            self._close = stack.pop_all()
        for number, stream in enumerate(self._sources()):
            known = self._file.row_format.known(stream)
            self._last.update((row_key, number) for row_key, _ in known)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close.close()

    def write(self, stream: BinaryIO) -> None:
        """Write the whole."""
        with self._file.row_format.writer(stream, self._columns) as writer:
            for number, source in enumerate(self._sources()):
                writer.copy(source, self._is_last_in(number))

    def _is_last_in(self, number: int) -> Callable[[RowKey], bool]:
        def is_last(row_key: RowKey) -> bool:
            if self._last.get(row_key) != number:
                return False
            del self._last[row_key]
            return True

        return is_last

    def _sources(self) -> Iterator[BinaryIO]:
        if self._whole is not None:
            self._whole.seek(0)
            yield self._whole
        at = 0
        for size in self._sizes:
            self._copies.seek(at)
            yield io.BytesIO(self._copies.read(size))
            at += size
