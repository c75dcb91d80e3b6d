"""A file on a disk or in an object store, with the rows of a run's whole list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from airflow_provider_permitocr.engine.run.window import DueFile
from airflow_provider_permitocr.files.errors import file_errors
from airflow_provider_permitocr.files.row_format import RowFormat
from airflow_provider_permitocr.files.store import Store
from airflow_provider_permitocr.permit.columns import Column

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class StoredRowsFile:
    """Writes one file, completely or not at all, and replaces an existing one.

    :param path: in the store.
    :param named: how messages name it.
    :param due: its description, with which a later run can write it.
    :param publishes_parts: whether it is also written if its window is incomplete.
    """

    store: Store
    path: str
    row_format: RowFormat
    named: str
    due: DueFile
    publishes_parts: bool = False

    def prepare(self) -> None:
        """Make sure that the file can be written, by writing an empty one beside it and removing that.

        :raises ConfigurationError: when a package is missing.
        :raises TargetError: naming what to change.
        :raises FileError: when the store cannot be reached.
        """
        self.check()
        store, path = self.store, self.path
        # The same name in all runs, so that the next run removes what a killed one left.
        trial = store.beside(path, f"_{path.rpartition('/')[2]}.trial")
        with file_errors(f"writing beside {self.named}"):
            for each in (path, trial):
                store.clean(each)
            store.put(trial, lambda _stream: None)
            store.remove(trial)

    def check(self) -> bool:
        """Check that the file can be written, as far as possible without writing.

        :return: whether it already exists.
        :raises ConfigurationError, TargetError, FileError: as ``prepare``.
        """
        self.row_format.check()
        with file_errors(f"looking at {self.named}"):
            self.store.check_place(self.path)
            return self.store.exists(self.path)

    def write(self, columns: Sequence[Column], frames: Iterable[pd.DataFrame]) -> None:
        """Write the file; after any error, one of ``frames`` included, it is as it was.

        :param frames: of ``to_frame`` for these columns, a bounded number of rows in each.
        :raises TargetError: naming what to change.
        :raises FileError: when the store does not take it.
        """
        with file_errors(f"writing {self.named}"):
            self.store.put(self.path, partial(self._write_frames, columns, frames))

    def _write_frames(
        self, columns: Sequence[Column], frames: Iterable[pd.DataFrame], stream: BinaryIO
    ) -> None:
        with self.row_format.writer(stream, columns) as writer:
            for frame in frames:
                writer.write(frame)
