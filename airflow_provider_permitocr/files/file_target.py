"""A file in place of the result table: answers are kept in parts beside it, and merged into it at the end."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

from airflow_provider_permitocr.core.columns import COLUMNS, Column
from airflow_provider_permitocr.core.errors import PermitOcrError
from airflow_provider_permitocr.core.models import Previous, Record, RowKey
from airflow_provider_permitocr.files.errors import FileError, file_errors
from airflow_provider_permitocr.files.merge import Merge
from airflow_provider_permitocr.files.parts import Parts
from airflow_provider_permitocr.files.store import StoredFile

if TYPE_CHECKING:
    import pandas as pd

Result = TypeVar("Result")

_ATTEMPTS: Final = 5


class FileResultTarget:
    """The result of a run as one file; what a reader sees of it is always a whole one.

    Each batch becomes a part beside the file as soon as it is answered, so that a run that dies at any
    moment leaves what it paid for to the next one. The rows of file and parts are known by key in memory:
    about 400 MB for a million.

    Two runs at a time lose nothing, but pay for the same images twice, as with a table.

    :param run: which run this is, the same for all its tries.
    """

    def __init__(self, file: StoredFile, *, run: str | None = None) -> None:
        self._file = file
        self._parts = Parts(file, run=run)
        self._columns: Sequence[Column] = COLUMNS
        self._known: dict[RowKey, Previous] = {}

    def prepare(self, columns: Sequence[Column] = COLUMNS) -> None:
        """Make sure that the file can be written, and read what is known.

        :param columns: of the result.
        :raises ConfigurationError: when a package is missing.
        :raises TargetError: naming what to change.
        :raises FileError: when the store cannot be reached.
        """
        self._columns = columns
        self.check()
        with file_errors(f"writing beside {self._file.named}"):
            self._parts.try_out()
            self._file.store.clean(self._file.path)
        self._again_if_merged_meanwhile(self._read_known)

    def look(self, columns: Sequence[Column] = COLUMNS) -> None:
        """Check and read what ``prepare`` would, without writing anything; a file that is missing is empty.

        :param columns: of the result.
        :raises ConfigurationError, TargetError, FileError: as ``prepare``.
        """
        self._columns = columns
        self.check()
        self._again_if_merged_meanwhile(self._read_known)

    def check(self) -> bool:
        """Check that the file can be written as far as that is known without writing.

        :return: whether there is one already.
        :raises ConfigurationError, TargetError, FileError: as ``prepare``.
        """
        self._file.row_format.check()
        with file_errors(f"looking at {self._file.named}"):
            self._file.store.check_place(self._file.path)
            if not self._file.store.exists(self._file.path):
                return False
            with self._file.store.open(self._file.path) as stream:
                self._file.row_format.require_columns(stream, self._columns)
        return True

    def previous(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Previous]:
        """Return what file and parts say of these rows already."""
        return {key: known for key in row_keys if (known := self._known.get(key))}

    def write(self, frame: pd.DataFrame) -> Mapping[int, str]:
        """Keep the frame's rows as a part, which is there as a whole once this returns.

        :return: nothing, as a file refuses no row.
        :raises FileError: when the store cannot take it.
        """
        from airflow_provider_permitocr.core.frame import to_rows

        rows = to_rows(frame, self._columns)
        with file_errors(f"writing {len(frame)} rows beside {self._file.named}"):
            self._parts.add(partial(self._write_rows, rows))
        return {}

    def finish(self) -> None:
        """Merge the parts into the file.

        :raises FileError: when the store cannot take it; file and parts are then as they were.
        """
        self._known = {}  # Only memory from here on.
        with file_errors(f"merging the parts of {self._file.named}"):
            if not self._parts.names() and self._file.store.exists(self._file.path):
                self._parts.sweep()
                return
            with self._parts.merging() as is_alone:
                merged = self._again_if_merged_meanwhile(self._merge)
                if is_alone():
                    self._parts.remove(merged)

    def _write_rows(self, rows: Sequence[Record], stream: BinaryIO) -> None:
        with self._file.row_format.writer(stream, self._columns) as writer:
            writer.write(rows)

    def _read_known(self) -> None:
        self._known = {}
        row_format = self._file.row_format
        with file_errors(f"reading {self._file.named}"):
            if self._file.store.exists(self._file.path):
                with self._file.store.open(self._file.path) as stream:
                    self._known.update(row_format.known(stream))
        for name in self._parts.names():
            with file_errors(f"reading the part {name} of {self._file.named}"):
                part = self._parts.read(name)
                row_format.require_columns(io.BytesIO(part), self._columns)
                self._known.update(row_format.known(io.BytesIO(part)))

    def _merge(self) -> list[str]:
        with Merge(self._file, self._parts, self._columns) as merge:
            self._file.store.put(self._file.path, merge.write)
            return merge.names

    def _again_if_merged_meanwhile(self, do: Callable[[], Result]) -> Result:
        """Repeat what found a part gone: another run has put its rows into the file."""
        for _ in range(_ATTEMPTS):
            names = self._parts.names()
            try:
                return do()
            except (OSError, PermitOcrError):
                if set(names) <= set(self._parts.names()):
                    raise
        raise FileError(f"other runs keep merging the parts of {self._file.named}; run again when they ended")
