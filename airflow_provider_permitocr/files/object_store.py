"""Files in an object store, through an fsspec file system."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Final, cast

from airflow_provider_permitocr.files.store import IsAlone, WriteContent, write_nothing

#: Held in memory at a time; S3 takes parts from 5 MiB on, and 10,000 of them.
_BLOCK_BYTES: Final = 16 * 1024 * 1024
_COPY_BYTES: Final = 1024 * 1024
_MARK: Final = ".merging"
_TIME: Final = "%Y%m%dT%H%M%S"
_LONGEST_MERGE: Final = timedelta(days=1)


class ObjectStore:
    """Puts whole objects: what a store shows is the object before or the object after.

    An object is first written into a file without a name on this machine's disk, which vanishes with the
    process, then sent in blocks. One whose sending fails is discarded and never completed.

    :param filesystem: of fsspec, signed in.
    :param now: the time of day, in UTC.
    """

    def __init__(self, filesystem: Any, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._filesystem = filesystem
        self._now = now

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
        # Who may write objects may not be let look at their bucket.
        with suppress(PermissionError):
            self._filesystem.info(bucket)

    def exists(self, path: str) -> bool:
        """Tell whether there is such an object, as the store knows it now."""
        self._filesystem.invalidate_cache(path)
        try:
            # Not its exists(), which by default takes every fault for a no.
            self._filesystem.info(path)
        except FileNotFoundError:
            return False
        return True

    def open(self, path: str) -> BinaryIO:
        """Copy an object into a file without a name, and open that."""
        self._filesystem.invalidate_cache(path)
        copy = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  closed by whoever asked for it
        try:
            with self._filesystem.open(path, "rb", block_size=_BLOCK_BYTES) as stream:
                shutil.copyfileobj(stream, copy, _COPY_BYTES)
        except BaseException:
            copy.close()
            raise
        copy.seek(0)
        return copy

    def put(self, path: str, write: WriteContent) -> None:
        """Put an object in one piece."""
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

    def names(self, folder: str) -> Sequence[str]:
        """List the objects under a prefix, as the store knows them now."""
        self._filesystem.invalidate_cache(folder)
        try:
            found = self._filesystem.ls(folder, detail=False)
        except FileNotFoundError:
            return []
        return sorted(name for each in found if (name := each.rstrip("/").rpartition("/")[2]))

    def remove(self, path: str) -> None:
        """Remove an object, if it is there."""
        with suppress(FileNotFoundError):
            self._filesystem.rm_file(path)

    @contextmanager
    def merging(self, folder: str, run: str) -> Iterator[IsAlone]:
        """Mark that a run merges there, as long as it does.

        Stores have no locks. But marks are put before the parts are listed, and looked for when the whole is
        there, so of two runs at least one sees the other. Marks that tries of the same run have left over
        are no others, nor are those of runs that died a day ago.
        """
        mark = f"{folder}/{self._now().strftime(_TIME)}-{run}{_MARK}"
        self.put(mark, write_nothing)
        try:
            yield lambda: self._is_alone(folder, run)
        finally:
            self.remove(mark)

    def clean(self, path: str) -> None:
        """Remove nothing: objects that were not completed do not show, and the store's own rules end them."""

    def _is_alone(self, folder: str, run: str) -> bool:
        oldest = (self._now() - _LONGEST_MERGE).strftime(_TIME)
        marks = [name for name in self.names(folder) if name.endswith(_MARK)]
        dead = [name for name in marks if name < oldest or name.endswith(f"-{run}{_MARK}")]
        for name in dead:
            self.remove(f"{folder}/{name}")
        return len(dead) == len(marks)


def _discard(stream: Any) -> None:
    with suppress(Exception):
        stream.discard()
    with suppress(AttributeError):
        # Else closing it, at the latest when it is collected, would complete what is half there.
        stream.closed = True
