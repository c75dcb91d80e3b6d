"""Files on a disk or a mounted share."""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, cast

from airflow_provider_permitocr.options.targets.result_file import PRIVATE

_TEMPORARY: Final = ".tmp"


class LocalStore:
    """Writes to a temporary file beside the target, which then replaces it.

    Only its owner can read a temporary file. The writer holds a lock on it, which the system releases when
    the writer dies. Unlocked temporary files are leftovers of killed processes, and are removed.

    :param file_mode: permissions of the files, including replaced ones, regardless of the process's umask.
    """

    def __init__(self, file_mode: int = PRIVATE) -> None:
        self._file_mode = file_mode

    def beside(self, path: str, name: str) -> str:
        """Return the path of another name in the same directory."""
        return str(Path(path).with_name(name))

    def check_place(self, path: str) -> None:
        """Make sure that the directory exists and may be written to.

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
        """Return whether there is such a file."""
        try:
            Path(path).stat()
        except FileNotFoundError:
            return False
        return True

    def put(self, path: str, write: Callable[[BinaryIO], object]) -> None:
        """Write a file, or replace it, and have it on the disk when this returns.

        :param write: writes the whole content into a stream.
        """
        file = Path(path)
        with _temporary(file) as stream:
            write(stream)
            stream.flush()
            os.fchmod(stream.fileno(), self._file_mode)
            os.fsync(stream.fileno())
            Path(stream.name).replace(file)
        _sync_directory(file.parent)

    def remove(self, path: str) -> None:
        """Remove a file, if it exists."""
        Path(path).unlink(missing_ok=True)

    def clean(self, path: str) -> None:
        """Remove the temporary files of writers that were killed."""
        file = Path(path)
        for each in file.parent.glob(f".{glob.escape(file.name)}.*{_TEMPORARY}"):
            with suppress(FileNotFoundError, PermissionError), each.open("rb") as stream:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                each.unlink(missing_ok=True)


@contextmanager
def _temporary(file: Path) -> Iterator[BinaryIO]:
    stream = _locked(file)
    try:
        with stream:
            yield stream
    finally:
        Path(stream.name).unlink(missing_ok=True)


def _locked(file: Path) -> BinaryIO:
    while True:
        # Python creates it with mode 0600.
        made = tempfile.NamedTemporaryFile(  # noqa: SIM115  the caller closes it
            dir=file.parent, prefix=f".{file.name}.", suffix=_TEMPORARY, delete=False
        )
        stream = cast(BinaryIO, made)
        fcntl.flock(stream, fcntl.LOCK_EX)
        if os.fstat(stream.fileno()).st_nlink:
            return stream
        # Another run took it for a left-over one before it was locked.
        stream.close()


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
