"""Reads images from files that the worker can see."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from airflow_provider_permitocr.errors import ImageRejectedError, ImageUnavailableError

#: What a share, a disk or this process is at fault for, and no file of theirs.
_OUTAGES: Final = frozenset(
    {
        *(errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.EREMOTEIO),
        *(errno.ENOTCONN, errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT),
        *(errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH),
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN),
    }
)
_FILE_URL: Final = "a file URL must be of the form file:///absolute/path"


def read_file(uri: str, max_bytes: int) -> bytes:
    """Read a file.

    :param uri: a path or a ``file:`` URL.
    :param max_bytes: no more than one byte above this is read, which tells that there are more.
    :raises ImageRejectedError: when the reference could never lead to a file.
    :raises ImageUnavailableError: when there is no file, or it cannot be read.
    """
    path = _path(uri)
    try:
        return _read_regular(path, max_bytes + 1)
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


def _read_regular(path: Path, size: int) -> bytes:
    # Opening a pipe or a device would wait, and so would reading some files of /proc.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise ImageUnavailableError("ImageUnreadable", "there is no regular file at the path")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            # Files of /proc say that they are empty, and hold what the system or the worker knows.
            content = file.read(size) if before.st_size else b""
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ImageUnavailableError("ImageTruncated", "the file was being written while it was read")
    return content


def _path(reference: str) -> Path:
    if not reference.lower().startswith("file:"):
        if "://" in reference:
            raise ImageRejectedError("ImageReferenceUnknown", "without Airflow only files can be read")
        return Path(reference)
    try:
        parts = urlsplit(reference)
    except ValueError:
        raise ImageRejectedError("ImageReferenceUnknown", _FILE_URL) from None
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise ImageRejectedError("ImageReferenceUnknown", _FILE_URL)
    return Path(unquote(parts.path))
