"""Files with results that are paid for and that their table did not take."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from typing import Final
from uuid import uuid4

from airflow_provider_permitocr.core.columns import Column
from airflow_provider_permitocr.core.errors import PermitOcrError
from airflow_provider_permitocr.core.models import Record
from airflow_provider_permitocr.files.errors import file_errors
from airflow_provider_permitocr.files.spill_format import read_rows, write_rows
from airflow_provider_permitocr.files.store import Store

_SUFFIX: Final = ".jsonl"
_log = logging.getLogger(__name__)


class FileSpill:
    """A folder of such files; each belongs to one result, which its name tells.

    :param folder: path in the store.
    :param named: how messages name the folder.
    :param result: what tells the result from all others.
    :param where: words for where the folder is, if others cannot see it.
    """

    def __init__(self, store: Store, folder: str, *, named: str, result: str, where: str = "") -> None:
        self._store, self._folder = store, folder.rstrip("/")
        self._named, self._where = named.rstrip("/"), where
        self._result = blake2b(result.encode(), digest_size=8).hexdigest()

    def save(self, columns: Sequence[Column], records: Sequence[Record]) -> str:
        """Keep rows in a file of their own, whole or not at all.

        :return: its path, in words.
        :raises FileError, TargetError: when the store does not take it; naming the path.
        """
        made_at = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        name = f"{self._result}-{made_at}-{uuid4().hex[:8]}{_SUFFIX}"
        place = f"{self._named}/{name}{self._where}"
        with file_errors(f"keeping them in {place}"):
            self._store.put(self._path(name), partial(write_rows, columns, records))
        return place

    def pending(self, columns: Sequence[Column]) -> Iterator[tuple[str, Sequence[Record]]]:
        """Read what has been kept for this result, the oldest first; what is unreadable is left, and told.

        :return: the path of each file, and its rows.
        :raises FileError, TargetError: when the folder cannot be looked at.
        """
        with file_errors(f"looking for results of earlier runs in {self._named}"):
            names = [name for name in self._store.names(self._folder) if self._is_ours(name)]
            if names:
                self._store.clean(self._path(names[0]))
        for name in names:
            place = f"{self._named}/{name}"
            try:
                with file_errors(f"reading {place}"):
                    try:
                        stream = self._store.open(self._path(name))
                    except FileNotFoundError:
                        continue  # another task has loaded it
                    with stream:
                        records = read_rows(columns, stream)
            except PermitOcrError as error:
                _log.warning("Results of an earlier run were not loaded, and are left there: %s", error)
                continue
            yield place, records

    def discard(self, name: str) -> None:
        """Remove a file, by its path in words."""
        with file_errors(f"removing {name}, which has been loaded,"):
            self._store.remove(self._path(name.rpartition("/")[2]))

    def _is_ours(self, name: str) -> bool:
        return re.fullmatch(rf"{self._result}-\w+-\w+{re.escape(_SUFFIX)}", name) is not None

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"
