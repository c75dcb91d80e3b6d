"""The places that images may be read from: ``ImageAccess(roots=...)``. List values are untrusted input."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from airflow_provider_permitocr.errors import ImageRejectedError, ImageUnavailableError
from airflow_provider_permitocr.images.object_uri import ObjectUri

_FILE_URL: Final = "a file URL must be of the form file:///absolute/path"
#: Files in these directories expose the system and its processes; they contain no images.
_SYSTEM: Final = ("/proc", "/sys")
#: Of macOS, with its end.
_LONGEST_PATH: Final = 1024
_UPWARD: Final = frozenset({".", ".."})
_log = logging.getLogger(__name__)


class ImageRoots:
    """Places below which files and objects may be read.

    :param named: directories, and URL prefixes of object stores; None: anywhere but in the system's own
        file systems, with one warning in the log.
    """

    def __init__(self, named: Sequence[str] | None = None) -> None:
        self._anywhere = named is None
        given = named or ()
        self._directories = tuple(_normal(local_path(each)) for each in given if is_local(each))
        self._prefixes = tuple(ObjectUri.parse_root(each) for each in given if not is_local(each))
        self._warned = threading.Lock()

    def require_path(self, path: str) -> None:
        """Refuse a path that is not below a root as written, before accessing the file system.

        :raises ImageUnavailableError: ``ImagePathRefused``.
        """
        self._require(_normal(path), (*self._directories, *self._resolved()))
        if self._anywhere:
            self._warn()

    def require_file(self, descriptor: int) -> None:
        """Refuse an open file that is not below a root, whatever path or links led to it.

        :param descriptor: the open file itself is checked, so that no link can change in between.
        :raises ImageUnavailableError: ``ImagePathRefused``.
        """
        self._require(_path_of(descriptor), self._resolved())

    def require_object(self, place: ObjectUri) -> None:
        """Refuse an object that is not below a root.

        :raises ImageUnavailableError: ``ImagePathRefused``.
        """
        if not self._anywhere and not any(_holds(each, place) for each in self._prefixes):
            raise _refused()

    def _require(self, path: str, directories: Sequence[str]) -> None:
        is_permitted = not _is_below(path, _SYSTEM) if self._anywhere else _is_below(path, directories)
        if not is_permitted:
            raise _refused()

    def _resolved(self) -> tuple[str, ...]:
        # Each time: a root may be a link that its owner changes, or be mounted later.
        return tuple(os.path.realpath(each) for each in self._directories)

    def _warn(self) -> None:
        if self._warned.acquire(blocking=False):
            _log.warning(
                'Set ImageAccess(roots=["/..."]): without it, anyone who can write to the image list can have'
                " any image file of this worker sent to the API"
            )


def is_local(reference: str) -> bool:
    """Return whether a reference is a path or a ``file:`` URL."""
    return "://" not in reference or reference[:5].lower() == "file:"


def local_path(reference: str) -> str:
    """Return the path that a path or a ``file:`` URL names.

    :raises ImageRejectedError: when it names none on this machine.
    """
    if reference[:5].lower() != "file:":
        return reference
    try:
        parts = urlsplit(reference)
    except ValueError:
        raise ImageRejectedError("ImageReferenceUnknown", _FILE_URL) from None
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise ImageRejectedError("ImageReferenceUnknown", _FILE_URL)
    return unquote(parts.path)


def _normal(path: str) -> str:
    # POSIX lets two slashes in front mean something else; Linux does not.
    return os.path.normpath("/" + path.lstrip("/")) if path.startswith("/") else path


def _is_below(path: str, directories: Sequence[str]) -> bool:
    return any(path == each or path.startswith(each.rstrip("/") + "/") for each in directories)


def _holds(root: ObjectUri, place: ObjectUri) -> bool:
    if (place.scheme, place.conn_id, place.bucket) != (root.scheme, root.conn_id, root.bucket):
        return False
    # Some stores, such as SFTP, follow symbolic links.
    if _UPWARD.intersection(place.key.split("/")):
        return False
    folder = root.key.rstrip("/")
    return not folder or place.key.startswith(f"{folder}/")


def _path_of(descriptor: int) -> str:
    """Return the path of an open file, according to the system."""
    on_macos: int | None = getattr(fcntl, "F_GETPATH", None)
    if on_macos is not None:
        return os.fsdecode(fcntl.fcntl(descriptor, on_macos, bytes(_LONGEST_PATH)).rstrip(b"\0"))
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def _refused() -> ImageUnavailableError:
    # Never permanent: the DAG must be corrected, not the image.
    return ImageUnavailableError(
        "ImagePathRefused",
        "images are not read from this place; name the directory, or the URL that it begins with, in"
        " ImageAccess(roots=...)",
        is_outage=True,
    )
