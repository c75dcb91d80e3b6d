"""A file on a disk or in an object store, with the rows of a run's whole list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from airflow_provider_permitocr.engine.run.window import DueFile
from airflow_provider_permitocr.files.errors import file_errors
from airflow_provider_permitocr.files.store import StoredFile
from airflow_provider_permitocr.permit.columns import Column

if TYPE_CHECKING:
    import pandas as pd


class StoredRowsFile:
    """Writes one file, completely or not at all, and replaces an existing one.

    :param due: its description, with which a later run can write it.
    :param publishes_parts: also write it if its window is incomplete.
    """

    def __init__(self, file: StoredFile, due: DueFile, *, publishes_parts: bool = False) -> None:
        self._file, self._due, self._publishes_parts = file, due, publishes_parts

    @property
    def due(self) -> DueFile:
        """Its description, with which a later run can write it."""
        return self._due

    @property
    def publishes_parts(self) -> bool:
        """Whether it is also written if its window is incomplete."""
        return self._publishes_parts

    def prepare(self) -> None:
        """Make sure that the file can be written, by writing an empty one beside it and removing that.

        :raises ConfigurationError: when a package is missing.
        :raises TargetError: naming what to change.
        :raises FileError: when the store cannot be reached.
        """
        self.check()
        store, path = self._file.store, self._file.path
        # The same name in all runs, so that the next run removes what a killed one left.
        trial = store.beside(path, f"_{path.rpartition('/')[2]}.trial")
        with file_errors(f"writing beside {self._file.named}"):
            for each in (path, trial):
                store.clean(each)
            store.put(trial, _write_nothing)
            store.remove(trial)

    def check(self) -> bool:
        """Check that the file can be written, as far as possible without writing.

        :return: whether it already exists.
        :raises ConfigurationError, TargetError, FileError: as ``prepare``.
        """
        self._file.row_format.check()
        with file_errors(f"looking at {self._file.named}"):
            self._file.store.check_place(self._file.path)
            return self._file.store.exists(self._file.path)

    def write(self, columns: Sequence[Column], frames: Iterable[pd.DataFrame]) -> None:
        """Write the file; after any error, one of ``frames`` included, it is as it was.

        :param frames: of ``to_frame`` for these columns, a bounded number of rows in each.
        :raises TargetError: naming what to change.
        :raises FileError: when the store does not take it.
        """
        with file_errors(f"writing {self._file.named}"):
            self._file.store.put(self._file.path, partial(self._write_frames, columns, frames))

    def _write_frames(
        self, columns: Sequence[Column], frames: Iterable[pd.DataFrame], stream: BinaryIO
    ) -> None:
        with self._file.row_format.writer(stream, columns) as writer:
            for frame in frames:
                writer.write(frame)


def _write_nothing(_stream: BinaryIO) -> None:
    """Write the content of an empty file."""
