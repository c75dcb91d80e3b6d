"""Images in files and object stores, through the file systems of Airflow and their connections."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.errors import (
    ConfigurationError,
    ImageUnavailableError,
)
from airflow_provider_permitocr.images.file import read_file
from airflow_provider_permitocr.images.object_uri import ObjectUri
from airflow_provider_permitocr.images.roots import ImageRoots, is_local
from airflow_provider_permitocr.log_privacy import silenced
from airflow_provider_permitocr.wiring.connections.stores import KNOWN_STORES, connection_exists, opened
from airflow_provider_permitocr.wiring.connections.tencentcloud import DEFAULT_CONN_ID, LOOKUP

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

#: These would open pipes and devices, which ``read_file`` never does.
_LOCAL: Final = ("local",)
#: Longest time for one object; the stores' clients wait, and repeat what failed, for up to half an hour.
_READ_SECONDS: Final = 120
#: For how long a store that could not be opened is not asked again.
_ASK_AGAIN_SECONDS: Final = 60.0
#: In the message of a store that has no byte of an empty object to give.
_NO_SUCH_RANGE: Final = re.compile(r"\b416\b|range", re.IGNORECASE)
#: A longer scheme is not a scheme, but part of a row's own value.
_LONGEST_SCHEME: Final = 12
_log = logging.getLogger(__name__)


class ObjectStorage:
    """Reads files and objects, from any number of threads.

    A store's file system is opened at its first object and kept; opening looks up its connection.

    :param conn_id: connection for all stores. By default each store's own, such as ``aws_default``, or if
        there is none, the machine's credentials, such as an instance's role. A connection in the URL, as in
        ``s3://conn_id@bucket/key``, takes precedence.
    :param cos_conn_id: the default for ``cos://``.
    :param roots: where files and objects must be; by default anywhere.
    :raises ConfigurationError: when there is no connection ``conn_id``.
    """

    def __init__(
        self,
        conn_id: str | None = None,
        *,
        cos_conn_id: str = DEFAULT_CONN_ID,
        roots: ImageRoots | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if conn_id and not connection_exists(conn_id):
            raise ConfigurationError(
                f"there is no connection {conn_id!r}; add it under Admin > Connections, or correct"
                " storage_conn_id"
            )
        self._conn_id = conn_id
        self._clock = clock
        self._cos_conn_id = cos_conn_id
        self._roots = roots or ImageRoots()
        self._stores: dict[tuple[str, str | None], AbstractFileSystem | _Missing] = {}
        self._told: set[tuple[str, str]] = set()

    def read(self, uri: str, max_bytes: int) -> bytes:
        """Read a file or an object, with one ranged request.

        :param uri: a path, or a URL of any scheme that Airflow has a file system for.
        :param max_bytes: at most one more byte is read, to detect longer files.
        :raises ImageRejectedError: when the reference is not to an image.
        :raises ImageUnavailableError: when there is no such image, or it cannot be read. An unknown scheme
            or a wrong store connection counts as an outage: any row may contain such a URL, and is left
            until that is corrected.
        """
        if is_local(uri):
            return read_file(uri, max_bytes, self._roots)
        place = ObjectUri.parse(uri)
        self._roots.require_object(place)
        store = self._store(place)
        try:
            with silenced():
                return _read_start(store, place.url, max_bytes + 1)
        except FileNotFoundError:
            raise ImageUnavailableError(
                "ImageNotFound", "there is no object, or no bucket, at the URL in the image list"
            ) from None
        except PermissionError:
            raise ImageUnavailableError(
                "ImageAccessDenied",
                "the store denies access to the object; correct the connection's credentials or their rights."
                " Some stores also deny it if there is no object",
            ) from None
        except Exception as error:  # noqa: BLE001  the stores' clients have their own error trees
            raise ImageUnavailableError(
                "ImageUnreadable",
                f"the object could not be read: {type(error).__name__}",
                # All else is of the store or of the way to it.
                is_outage=not isinstance(error, ValueError | IsADirectoryError | NotADirectoryError),
            ) from None

    def _store(self, place: ObjectUri) -> AbstractFileSystem:
        name = place.scheme, place.conn_id
        store = self._stores.get(name)
        if store is None or self._may_be_back(store):
            store = opened(lambda: self._opened_once(place))
        if isinstance(store, _Missing):
            raise ImageUnavailableError(store.code, store.message, is_outage=True)
        return store

    def _opened_once(self, place: ObjectUri) -> AbstractFileSystem | _Missing:
        name = place.scheme, place.conn_id
        # By one thread at a time. It looks the connection up, so no other may hold the lock for it.
        with LOOKUP:
            store = self._stores.get(name)
            if store is None or self._may_be_back(store):
                store = self._stores[name] = self._opened(place)
        return store

    def _opened(self, place: ObjectUri) -> AbstractFileSystem | _Missing:
        store = self._opened_or_missing(place)
        if isinstance(store, _Missing) and (place.scheme, store.message) not in self._told:
            # Once for all rows: each of them has it in its error_message, too.
            self._told.add((place.scheme, store.message))
            _log.warning(
                "images with %s URLs cannot be read: %s; they keep the status retry, and each run tries them"
                " again until this is fixed",
                *(_shown(place.scheme), store.message),
            )
        return store

    def _opened_or_missing(self, place: ObjectUri) -> AbstractFileSystem | _Missing:
        try:
            return self._file_system(place)
        except ConfigurationError as error:
            # Don't name it if the row does: row values never appear in messages.
            return _Missing(
                "the connection that the image's URL names is wrong; correct it, or the URL"
                if place.conn_id
                else str(error)
            )
        except ImportError:
            known = KNOWN_STORES.get(place.scheme)
            advice = known.install if known else "install what its provider needs"
            return _Missing(f"the worker lacks a package for these URLs: {advice}")
        except Exception as error:  # noqa: BLE001  as in ``read``
            message = f"the object store could not be opened: {type(error).__name__}"
            return _Missing(message, "ImageUnreadable", self._clock() + _ASK_AGAIN_SECONDS)

    def _file_system(self, place: ObjectUri) -> AbstractFileSystem | _Missing:
        from airflow.sdk.io import get_fs, has_fs

        known = KNOWN_STORES.get(place.scheme)
        if place.scheme in _LOCAL or not (known or has_fs(place.scheme)):
            return _Missing(
                f"no installed provider has a file system for {_shown(place.scheme)}; install one that"
                " has, or correct the image list"
            )
        if known and not has_fs(place.scheme):
            return _Missing(f"the worker has no file system for these URLs: {known.install}")
        if place.conn_id and not connection_exists(place.conn_id):
            return _Missing("the image's URL names a missing connection; add it, or correct the URL")
        conn_id = place.conn_id or self._conn_id or self._default_conn_id(place.scheme)
        return get_fs(place.scheme, conn_id)

    def _may_be_back(self, store: AbstractFileSystem | _Missing) -> bool:
        return isinstance(store, _Missing) and self._clock() >= store.until

    def _default_conn_id(self, scheme: str) -> str | None:
        known = KNOWN_STORES.get(scheme)
        if known is None:
            return None
        conn_id = self._cos_conn_id if scheme == "cos" else known.default_conn_id
        return conn_id if connection_exists(conn_id) else None


@dataclass(frozen=True)
class _Missing:
    """Replaces a store that cannot be opened, so that later images fail without trying again."""

    message: str
    code: str = "ImageStoreMissing"
    until: float = math.inf


def _shown(scheme: str) -> str:
    return f"{scheme}://" if len(scheme) <= _LONGEST_SCHEME else "of an unknown scheme"


def _read_start(store: AbstractFileSystem, url: str, size: int) -> bytes:
    # ``open`` would request the size first and read ahead by megabytes; Airflow's paths would also record
    # each URL for lineage.
    limits = {"timeout": _READ_SECONDS} if store.async_impl else {}
    try:
        return bytes(store.cat_file(url, start=0, end=size, **limits)[:size])
    except FileNotFoundError:
        raise
    except Exception as error:
        if _NO_SUCH_RANGE.search(str(error)) and store.info(url, **limits)["size"] == 0:
            return b""
        raise
