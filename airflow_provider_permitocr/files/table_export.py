"""A file beside the result table, with the rows of a run's whole list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import BinaryIO

from airflow_provider_permitocr.core.columns import Column
from airflow_provider_permitocr.core.models import Record
from airflow_provider_permitocr.files.errors import file_errors
from airflow_provider_permitocr.files.store import StoredFile, try_out


class TableExport:
    """Writes one file, whole or not at all, in place of one that is there."""

    def __init__(self, file: StoredFile) -> None:
        self._file = file

    def prepare(self) -> None:
        """Make sure that the file can be written.

        :raises ConfigurationError: when a package is missing.
        :raises TargetError: naming what to change.
        :raises FileError: when the store cannot be reached.
        """
        self.check()
        store = self._file.store
        with file_errors(f"writing beside {self._file.named}"):
            store.clean(self._file.path)
            try_out(store, store.beside(self._file.path, f"_{self._file.path.rpartition('/')[2]}.trial"))

    def check(self) -> bool:
        """Check that the file can be written as far as that is known without writing.

        :return: whether there is one already.
        :raises ConfigurationError, TargetError, FileError: as ``prepare``.
        """
        self._file.row_format.check()
        with file_errors(f"looking at {self._file.named}"):
            self._file.store.check_place(self._file.path)
            return self._file.store.exists(self._file.path)

    def write(self, columns: Sequence[Column], rows: Iterable[Sequence[Record]]) -> None:
        """Write the file.

        :param rows: a bounded number at a time.
        :raises FileError: when the store cannot take it; the file is then as it was.
        """
        with file_errors(f"writing {self._file.named}"):
            self._file.store.put(self._file.path, partial(self._write_rows, columns, rows))

    def _write_rows(
        self, columns: Sequence[Column], rows: Iterable[Sequence[Record]], stream: BinaryIO
    ) -> None:
        with self._file.row_format.writer(stream, columns) as writer:
            for each in rows:
                writer.write(each)
