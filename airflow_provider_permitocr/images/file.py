"""Reads images from files that the worker can see."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from airflow_provider_permitocr.errors import ImageRejectedError, ImageUnavailableError
from airflow_provider_permitocr.images.roots import ImageRoots, is_local, local_path

#: Error numbers caused by a share, a disk or this process, not by the file.
_OUTAGES: Final = frozenset(
    {
        *(errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.EREMOTEIO),
        *(errno.ENOTCONN, errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT),
        *(errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH),
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN),
    }
)
#: A pipe or a device that takes the place of the file is never waited for.
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
#: On Linux a file is found without being opened: opening some devices has effects.
_LOOK: Final = getattr(os, "O_PATH", 0) | os.O_CLOEXEC if hasattr(os, "O_PATH") else _READ
_ANYWHERE: Final = ImageRoots()


def read_file(uri: str, max_bytes: int, roots: ImageRoots = _ANYWHERE) -> bytes:
    """Read a file.

    :param uri: a path or a ``file:`` URL.
    :param max_bytes: at most one more byte is read, to detect a longer file.
    :param roots: where the file must be; by default anywhere.
    :raises ImageRejectedError: when the reference is not to a file.
    :raises ImageUnavailableError: when there is no file, or it cannot or may not be read.
    """
    if not is_local(uri):
        raise ImageRejectedError("ImageReferenceUnknown", "only files can be read without Airflow")
    path = local_path(uri)
    roots.require_path(path)
    try:
        return _read_regular(path, max_bytes + 1, roots)
    except FileNotFoundError:
        raise ImageUnavailableError(
            "ImageNotFound", "there is no file at the path in the image list"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ImageUnavailableError(
            "ImageUnreadable",
            f"the file could not be read: {reason}",
            is_outage=getattr(error, "errno", None) in _OUTAGES,
        ) from None


def _read_regular(path: str, size: int, roots: ImageRoots) -> bytes:
    with _opened(path, roots) as descriptor:
        before = os.fstat(descriptor)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            # Kernel files report a size of 0, and contain what the system or the worker knows.
            content = file.read(size) if before.st_size else b""
        after = os.fstat(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ImageUnavailableError("ImageTruncated", "the file was being written while it was read")
    return content


@contextmanager
def _opened(path: str, roots: ImageRoots) -> Iterator[int]:
    """Open a file for reading once it is known to be a regular file in a permitted place."""
    with _descriptor(path, _LOOK) as found:
        roots.require_file(found)
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise ImageUnavailableError("ImageUnreadable", "the path is not a regular file")
        if _LOOK == _READ:
            yield found
            return
        with _descriptor(f"/proc/self/fd/{found}", _READ) as descriptor:
            yield descriptor


@contextmanager
def _descriptor(path: str, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
