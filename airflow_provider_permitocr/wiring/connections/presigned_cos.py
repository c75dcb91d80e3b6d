"""``cos://`` images as presigned URLs, which the API downloads itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from airflow_provider_permitocr.errors import (
    ConfigurationError,
    ImageRejectedError,
    ImageUnavailableError,
)
from airflow_provider_permitocr.extras import install
from airflow_provider_permitocr.images.object_uri import ObjectUri
from airflow_provider_permitocr.options.lists.image_access import ImageAccess
from airflow_provider_permitocr.tencent.cos import cos_client, presigned_url
from airflow_provider_permitocr.wiring.connections.tencentcloud import LOOKUP, cos_connection

#: Signs a URL of a bucket's object, valid for the given seconds.
Sign: TypeAlias = Callable[[str, str, int], str]


class CosPresigner:
    """Signs URLs, from any number of threads, without network requests.

    :param conn_id: connection of type ``tencentcloud``, for URLs without a connection.
    :param seconds: how long a URL is valid.
    :raises ConfigurationError: when the connection is wrong, or the extra ``cos`` is not installed.
    """

    def __init__(self, conn_id: str, seconds: int) -> None:
        self._seconds = seconds
        self._signing: dict[str | None, Sign | None] = {None: _signing(conn_id)}

    def presign(self, uri: str) -> str | None:
        """Return an https URL for a ``cos://`` one, None for others.

        :raises ImageRejectedError: when there can be no such object.
        :raises ImageUnavailableError: when the URL names a connection that cannot be used.
        """
        if uri.partition("://")[0].lower() not in ("cos", "cosn"):
            return None
        place = ObjectUri.parse(uri)
        try:
            return self._sign(place.conn_id)(place.bucket, place.key, self._seconds)
        except ValueError:
            raise ImageRejectedError(
                "ImageReferenceUnknown",
                "a bucket's name has only letters, digits and -: name-appid",
            ) from None

    def _sign(self, conn_id: str | None) -> Sign:
        with LOOKUP:
            if conn_id not in self._signing:
                self._signing[conn_id] = _signing_or_none(conn_id or "")
            sign = self._signing[conn_id]
        if sign is None:
            # Not which: that is the row's own, and might be a key by mistake.
            raise ImageUnavailableError(
                "ImageStoreMissing",
                "the connection that the image's URL names is missing, wrong or not of type tencentcloud;"
                " correct it, or the URL",
                is_outage=True,
            )
        return sign


def presign_with(images: ImageAccess, tencentcloud_conn_id: str) -> Callable[[str], str | None]:
    """Return what presigns URLs according to ``images``, or a function that does nothing.

    :param tencentcloud_conn_id: connection for URLs without one, if ``storage_conn_id`` is not set.
    :raises ConfigurationError: see ``CosPresigner``.
    """
    if not images.presign_cos:
        return lambda _uri: None
    conn_id = images.storage_conn_id or tencentcloud_conn_id
    return CosPresigner(conn_id, images.presign_seconds).presign


def _signing_or_none(conn_id: str) -> Sign | None:
    try:
        return _signing(conn_id)
    except ConfigurationError:
        return None


def _signing(conn_id: str) -> Sign:
    options, endpoint = cos_connection(conn_id)
    try:
        return partial(presigned_url, cos_client(options, endpoint), options.token)
    except ImportError:
        raise ConfigurationError(f"presign_cos needs cos-python-sdk-v5: {install('cos')}") from None
