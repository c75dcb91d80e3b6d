"""Files on a disk or a mounted share."""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, cast

from airflow_provider_permitocr.files.store import IsAlone, WriteContent

_TEMPORARY: Final = ".tmp"
_LOCK: Final = "merging.lock"


class LocalStore:
    """Writes into a temporary file beside the file, which then takes its place.

    A temporary file can be read by its owner alone. Its writer holds a lock on it, which the system lets go
    of when the writer dies: what is not locked was left over by a process that was killed, and is removed.

    :param private: files, and their directory where it is missing, are the owner's alone.
    """

    def __init__(self, *, private: bool = False) -> None:
        self._private = private

    def beside(self, path: str, name: str) -> str:
        """Return the path of another name in the same directory."""
        return str(Path(path).with_name(name))

    def check_place(self, path: str) -> None:
        """Make sure that the directory is there and may be written to.

        :raises OSError: when not.
        """
        if Path(path).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        directory = Path(path).parent
        if not directory.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def exists(self, path: str) -> bool:
        """Tell whether there is such a file."""
        try:
            Path(path).stat()
        except FileNotFoundError:
            return False
        return True

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading; it stays as it is when another takes its place."""
        return Path(path).open("rb")

    def put(self, path: str, write: WriteContent) -> None:
        """Write a file, or replace it, and have it on the disk when this returns."""
        file = Path(path)
        if self._private:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _temporary(file) as stream:
            write(stream)
            stream.flush()
            if not self._private:  # a temporary file is already
                os.fchmod(stream.fileno(), _mode(file))
            os.fsync(stream.fileno())
            Path(stream.name).replace(file)
        _sync_directory(file.parent)

    def names(self, folder: str) -> Sequence[str]:
        """List the files in a directory, without the temporary ones."""
        try:
            return sorted(each.name for each in Path(folder).iterdir() if each.suffix != _TEMPORARY)
        except FileNotFoundError:
            return []

    def remove(self, path: str) -> None:
        """Remove a file, and its directory if that was made for such files and is empty now."""
        file = Path(path)
        file.unlink(missing_ok=True)
        if _is_made_here(file.parent):
            with suppress(OSError):
                file.parent.rmdir()

    @contextmanager
    def merging(self, folder: str, run: str) -> Iterator[IsAlone]:
        """Wait until no other run merges there; the lock ends with its process."""
        del run
        directory = Path(folder)
        with _only_one(directory) as lock:
            yield lambda: True
            lock.unlink()
        with suppress(OSError):
            directory.rmdir()

    def clean(self, path: str) -> None:
        """Remove the temporary files of writers that were killed."""
        file = Path(path)
        own = "" if self._private or _is_made_here(file.parent) else file.name
        for each in file.parent.glob(f".{glob.escape(own)}*{_TEMPORARY}"):
            with suppress(FileNotFoundError, PermissionError), each.open("rb") as stream:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                each.unlink(missing_ok=True)


@contextmanager
def _only_one(directory: Path) -> Iterator[Path]:
    lock = directory / _LOCK
    while True:
        directory.mkdir(mode=0o700, exist_ok=True)
        with lock.open("ab") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            # The one who had it before may have removed it, so that another could lock a new one.
            if os.fstat(stream.fileno()).st_nlink:
                yield lock
                return


@contextmanager
def _temporary(file: Path) -> Iterator[BinaryIO]:
    if _is_made_here(file.parent):
        file.parent.mkdir(mode=0o700, exist_ok=True)
    stream = _locked(file)
    try:
        with stream:
            yield stream
    finally:
        Path(stream.name).unlink(missing_ok=True)


def _locked(file: Path) -> BinaryIO:
    while True:
        # Python creates it with mode 0600.
        made = tempfile.NamedTemporaryFile(  # noqa: SIM115  closed by whoever asked for it
            dir=file.parent, prefix=f".{file.name}.", suffix=_TEMPORARY, delete=False
        )
        stream = cast(BinaryIO, made)
        fcntl.flock(stream, fcntl.LOCK_EX)
        if os.fstat(stream.fileno()).st_nlink:
            return stream
        # Taken for a left-over one between being made and being locked.
        stream.close()


def _is_made_here(directory: Path) -> bool:
    """Tell whether a directory is one of those that hold the parts of a file."""
    return directory.name.startswith("_") and directory.name.endswith(".parts")


def _mode(file: Path) -> int:
    """Return the mode that a file has already, or else that the process gives to new files."""
    try:
        return file.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0o077)
        os.umask(mask)
        return 0o666 & ~mask


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
