"""Portraits as files in a folder or under a prefix, a name each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import BinaryIO, Final

from airflow_provider_permitocr.errors import UnreachableError
from airflow_provider_permitocr.files.errors import FileError, file_errors
from airflow_provider_permitocr.files.store import Store

#: A store takes about 50 ms for each.
_AT_ONCE: Final = 16
_SUFFIXES: Final = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png"}
_OTHER: Final = ".bin"
_TRIAL: Final = "permitocr.trial"


class PortraitFiles:
    """Writes portraits, completely or not at all; an existing one is replaced by the same content.

    :param folder: its path or URL as it appears in rows, without a trailing slash.
    :param folder_in_store: its name in the store.
    """

    def __init__(self, store: Store, folder: str, folder_in_store: str) -> None:
        self._store, self._folder, self._folder_in_store = store, folder, folder_in_store

    def prepare(self) -> None:
        """Make sure that portraits can be written, by writing an empty file and removing it.

        :raises TargetError: naming what to change.
        :raises UnreachableError: when the store cannot be reached.
        """
        trial = f"{self._folder_in_store}/{_TRIAL}"
        self.check()
        self._do(partial(self._put, trial, b""))
        self._do(partial(self._store.remove, trial))

    def check(self) -> None:
        """Make sure that portraits can be written, as far as possible without writing.

        :raises TargetError, UnreachableError: as ``prepare``.
        """
        self._do(partial(self._store.check_place, f"{self._folder_in_store}/{_TRIAL}"))

    def put(self, portraits: Mapping[str, bytes]) -> dict[str, str]:
        """Write portraits; it may be repeated after an error.

        :param portraits: by name.
        :return: the path or URL of each, by name.
        :raises TargetError: naming what to change.
        :raises UnreachableError: when a retry may succeed.
        """
        files = {name: f"{name}{_suffix(content)}" for name, content in portraits.items()}
        with ThreadPoolExecutor(min(_AT_ONCE, len(portraits) or 1), "permit-ocr-portraits") as pool:
            writes = [
                pool.submit(self._do, partial(self._put, f"{self._folder_in_store}/{file}", portraits[name]))
                for name, file in files.items()
            ]
        for each in writes:
            each.result()
        return {name: f"{self._folder}/{file}" for name, file in files.items()}

    def remove(self, files: Collection[str]) -> None:
        """Delete portraits; one that is already gone is not an error.

        :param files: names of files in the folder.
        :raises TargetError, UnreachableError: as ``put``.
        """
        for file in files:
            self._do(
                partial(self._store.remove, f"{self._folder_in_store}/{file}"), "removing portraits from"
            )

    def _put(self, path: str, content: bytes) -> None:
        def write(stream: BinaryIO) -> None:
            stream.write(content)

        self._store.put(path, write)

    def _do(self, do: Callable[[], object], doing: str = "writing portraits to") -> None:
        try:
            with file_errors(f"{doing} {self._folder!r}"):
                do()
        except FileError as error:
            raise UnreachableError(str(error)) from None


def files_named(name: str) -> list[str]:
    """Return the files that a portrait may be in, by its name."""
    return [f"{name}{suffix}" for suffix in (*_SUFFIXES.values(), _OTHER)]


def _suffix(content: bytes) -> str:
    return next((suffix for start, suffix in _SUFFIXES.items() if content.startswith(start)), _OTHER)
