"""Downloads images: bounded in time and size, and from nowhere that the user has not opened."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr import __version__
from airflow_provider_permitocr.errors import ImageUnavailableError
from airflow_provider_permitocr.images.host_rules import HostRules, host_refused
from airflow_provider_permitocr.images.http_url import HttpUrl, read_listed_url
from airflow_provider_permitocr.log_privacy import silenced
from airflow_provider_permitocr.net.body import read_body
from airflow_provider_permitocr.net.connection_pool import (
    is_forwarded,
    pool_manager,
    proxy_and_authorities,
    tls_context,
)
from airflow_provider_permitocr.net.guarded_connection import AddressRefusedError, BoundedTlsSocket, guarded
from airflow_provider_permitocr.net.network_faults import NetworkError, NetworkFault, network_errors
from airflow_provider_permitocr.net.timed_connection import TimeLimits, seconds_left, timed, within
from airflow_provider_permitocr.options.lists.image_access import ImageAccess

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

_MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CODES: Final = {
    401: "ImageAccessDenied",
    403: "ImageAccessDenied",
    404: "ImageNotFound",
    410: "ImageNotFound",
}
_TOO_MANY_REQUESTS: Final = 429
#: Faults of the server's response for this image, rather than of reaching the server.
_BAD_ANSWERS: Final = frozenset(
    {NetworkFault.ANSWER_TRUNCATED, NetworkFault.NOT_HTTP, NetworkFault.NOT_DECOMPRESSED}
)
#: Of a redirect's own body; with more of it, another connection is the smaller expense.
_READ_OF_REDIRECT: Final = 16 * 1024
#: Hosts, and connections per host, that are kept for reuse; bounded by a process's file descriptors.
_HOSTS_KEPT: Final = 8
_CONNECTIONS_KEPT: Final = 32
#: No compression is asked for: an image is compressed already.
_HEADERS: Final = {"Accept": "*/*", "User-Agent": f"airflow_provider_permitocr/{__version__}"}


class Downloader:
    """Downloads images over HTTP and HTTPS, from any number of threads, which share its connections.

    No cookies, no credentials from netrc files. Errors and logs, at any level, never contain the URL or its
    host, because these are values of the image list.

    Proxies and certificate authorities come from the environment. With a proxy, only the proxy resolves the
    host's name: this side can only check names, and addresses in URLs.

    :raises ConfigurationError: when the certificate authorities cannot be read.
    """

    def __init__(self, options: ImageAccess) -> None:
        self._rules = HostRules(options.fetch_hosts)
        self._limits = TimeLimits(options.fetch_seconds, options.fetch_seconds)
        self._tls = tls_context(proxy_and_authorities("https://any.host/")[1])
        self._tls.sslsocket_class = BoundedTlsSocket
        self._managers: dict[str, PoolManager] = {}
        self._lock = threading.Lock()

    def read(self, url: str, max_bytes: int) -> bytes:
        """Download from a URL, following redirects, in ``fetch_seconds`` at most.

        Looking up a host's name cannot be timed; the system's resolver has its own limit.

        :param max_bytes: at most one byte more than this is read, which shows that there are more.
        :raises ImageRejectedError: when no image can be downloaded from there, ever:
            ``ImageReferenceUnknown``.
        :raises ImageUnavailableError: when none came: ``ImageHostRefused``, ``ImageNotFound``,
            ``ImageAccessDenied``, ``ImageDownloadFailed``.
        :raises ConfigurationError: when the environment's proxy cannot be used.
        """
        try:
            with silenced(), within(self._limits), network_errors():
                return self._follow(read_listed_url(url), max_bytes)
        except AddressRefusedError:
            raise host_refused() from None
        except NetworkError as error:
            hint = (
                "; ImageAccess(fetch_seconds=...) allows more"
                if error.fault is NetworkFault.TIMED_OUT
                else ""
            )
            raise _failed(
                f"no complete response from its server: {error}{hint}",
                is_outage=error.fault not in _BAD_ANSWERS,
            ) from None

    def close(self) -> None:
        """Close all connections that are not in use, and those in use once their download ends."""
        with self._lock:
            for each in self._managers.values():
                each.clear()

    def _follow(self, url: HttpUrl, max_bytes: int) -> bytes:
        for _ in range(_MOST_REDIRECTS + 1):
            if not self._rules.permits_host(url.host):
                raise host_refused()
            with self._response(url) as response:
                location = response.headers.get("Location")
                if response.status not in _REDIRECTS or location is None:
                    return _content(response, max_bytes)
                url = _redirected(url, location)
                response.read(_READ_OF_REDIRECT, decode_content=False)
        raise _failed(f"it was redirected more than {_MOST_REDIRECTS} times")

    @contextmanager
    def _response(self, url: HttpUrl) -> Iterator[BaseHTTPResponse]:
        from urllib3.exceptions import ProtocolError

        try:
            response = self._send(url)
        except ProtocolError as error:
            if not any(isinstance(each, ConnectionError) for each in error.args):
                raise
            # Most likely the server closed a kept connection just when it was used again.
            response = self._send(url)
        try:
            yield response
        finally:
            # Closes the connection, unless all was read: then it is back in the pool already.
            response.close()
            response.release_conn()

    def _send(self, url: HttpUrl) -> BaseHTTPResponse:
        from urllib3 import Timeout

        pool = self._manager(url).connection_from_host(url.host, url.port, url.scheme)
        return pool.urlopen(
            "GET",
            url.whole if is_forwarded(pool, url.scheme) else url.target,
            headers=_HEADERS,
            retries=False,
            redirect=False,
            assert_same_host=False,
            # For connections that urllib3 opens itself, to a proxy; all others use ``within``.
            timeout=Timeout(connect=seconds_left(), read=seconds_left()),
            preload_content=False,
        )

    def _manager(self, url: HttpUrl) -> PoolManager:
        proxy, _ = proxy_and_authorities(url.origin)
        with self._lock:
            if proxy not in self._managers:
                self._managers[proxy] = pool_manager(
                    proxy,
                    self._tls,
                    hosts=_HOSTS_KEPT,
                    kept=_CONNECTIONS_KEPT,
                    # Through a proxy the peer is the proxy.
                    derive=timed if proxy else guarded(self._rules.permits_address),
                )
            return self._managers[proxy]


def _content(response: BaseHTTPResponse, max_bytes: int) -> bytes:
    if response.status != 200:
        code = _CODES.get(response.status, "ImageDownloadFailed")
        raise ImageUnavailableError(
            code,
            f"the image's server answered with HTTP status {response.status}",
            is_outage=response.status >= 500 or response.status == _TOO_MANY_REQUESTS,
        )
    return read_body(response, max_bytes)


def _redirected(url: HttpUrl, location: str) -> HttpUrl:
    try:
        target = url.joined(location)
    except ValueError as error:
        raise _failed(f"it was redirected to a URL that {error}") from None
    if (url.scheme, target.scheme) == ("https", "http"):
        raise _failed("it was redirected from https to http")
    return target


def _failed(why: str, *, is_outage: bool = False) -> ImageUnavailableError:
    return ImageUnavailableError(
        "ImageDownloadFailed", f"the image could not be downloaded: {why}", is_outage=is_outage
    )
