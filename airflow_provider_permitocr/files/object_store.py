"""Files in an object store, through an fsspec file system."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO, Final, cast

#: Held in memory at a time; S3 takes parts from 5 MiB on, and 10,000 of them.
_BLOCK_BYTES: Final = 16 * 1024 * 1024
_COPY_BYTES: Final = 1024 * 1024


class ObjectStore:
    """Writes whole objects: readers see either the previous object or the new one.

    An object is first written to an unnamed file on this machine's disk, which vanishes with the process,
    then uploaded in blocks. A failed upload is discarded and never completed.

    :param filesystem: of fsspec, signed in.
    """

    def __init__(self, filesystem: Any) -> None:
        self._filesystem = filesystem

    def beside(self, path: str, name: str) -> str:
        """Return the path of another name under the same prefix."""
        return f"{path.rpartition('/')[0]}/{name}"

    def check_place(self, path: str) -> None:
        """Make sure that the bucket answers.

        :raises OSError: when not.
        """
        self.exists(path)
        bucket = path.strip("/").partition("/")[0]
        self._filesystem.invalidate_cache(bucket)
        # Credentials that may write objects may not be allowed to look at their bucket.
        with suppress(PermissionError):
            self._filesystem.info(bucket)

    def exists(self, path: str) -> bool:
        """Return whether there is such an object, as the store knows it now."""
        self._filesystem.invalidate_cache(path)
        try:
            # Not its exists(), which by default treats every error as "no".
            self._filesystem.info(path)
        except FileNotFoundError:
            return False
        return True

    def put(self, path: str, write: Callable[[BinaryIO], object]) -> None:
        """Put an object in one piece.

        :param write: writes the whole content into a stream.
        """
        with tempfile.TemporaryFile() as content:
            write(cast(BinaryIO, content))
            content.seek(0)
            stream = self._filesystem.open(path, "wb", block_size=_BLOCK_BYTES)
            try:
                shutil.copyfileobj(content, stream, _COPY_BYTES)
                stream.close()
            except BaseException:
                _discard(stream)
                raise

    def remove(self, path: str) -> None:
        """Remove an object, if it exists."""
        with suppress(FileNotFoundError):
            self._filesystem.rm_file(path)

    def clean(self, path: str) -> None:
        """Remove nothing: objects that were not completed do not show, and the store's own rules end them."""


def _discard(stream: Any) -> None:
    with suppress(Exception):
        stream.discard()
    with suppress(AttributeError):
        # Otherwise closing it, at the latest by garbage collection, would complete a partial file.
        stream.closed = True
