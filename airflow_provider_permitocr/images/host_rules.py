"""SSRF guard: which hosts a URL of the image list may name. List values are untrusted input."""

from __future__ import annotations

from typing import Final

from airflow_provider_permitocr.errors import ConfigurationError, ImageUnavailableError
from airflow_provider_permitocr.images.http_url import read_listed_url, read_url
from airflow_provider_permitocr.net.address_rules import Address, is_public, literal_address, may_be_reached

#: Domains of no public host: RFC 6761, 6762, 8375, and ICANN's of 2024. A proxy would look them up inside.
_INNER: Final = ("localhost", "local", "home.arpa", "internal")
#: Names of a cloud's metadata, which hands out credentials, on public domains. Others are among ``_INNER``.
_METADATA: Final = frozenset({"metadata.tencentyun.com"})


class HostRules:
    """What ``ImageAccess(fetch_hosts=...)`` permits.

    :param named: the only hosts, a leading dot for all below a domain; None: all public ones.
    :raises ConfigurationError: for an invalid host.
    """

    def __init__(self, named: tuple[str, ...] | None) -> None:
        self._any_public = named is None
        self._hosts = {_comparable(each) for each in named or () if not each.startswith(".")}
        self._domains = tuple(f".{_comparable(each[1:])}" for each in named or () if each.startswith("."))

    def permits_host(self, host: str) -> bool:
        """Return whether an image may be requested from a host, judged by the name or address in the URL.

        :param host: as ``HttpUrl`` has it.
        """
        address = literal_address(host)
        if address is not None:
            return self.permits_address(address) and (self._any_public or host in self._hosts)
        if host in _METADATA:
            return False
        if self._any_public:
            return "." in host and not f".{host}".endswith(tuple(f".{each}" for each in _INNER))
        return host in self._hosts or host.endswith(self._domains)

    def passed_on(self, url: str) -> str:
        """Return a list's URL in the form that the API gets to fetch the image itself.

        The host's name is not resolved, because the API is in another network.

        :raises ImageRejectedError: ImageReferenceUnknown, when it is not a fetchable URL.
        :raises ImageUnavailableError: ImageHostRefused, when its host is not permitted.
        """
        read = read_listed_url(url)
        if not self.permits_host(read.host):
            raise host_refused()
        return read.whole

    def permits_address(self, address: Address) -> bool:
        """Return whether a permitted host may have this address."""
        return is_public(address) if self._any_public else may_be_reached(address)


def host_refused() -> ImageUnavailableError:
    """Return the refusal of a URL for its host."""
    # Never permanent: the DAG must be corrected, not the image.
    return ImageUnavailableError(
        "ImageHostRefused",
        "images are not fetched from the host of this URL, or of one that it redirects to; name hosts within"
        " your network in ImageAccess(fetch_hosts=...), and every host once that is set",
        is_outage=True,
    )


def _comparable(named: str) -> str:
    host = f"[{named}]" if named.count(":") > 1 and not named.startswith("[") else named
    try:
        return read_url(f"http://{host}/").host
    except ValueError:
        raise ConfigurationError(
            f"ImageAccess(fetch_hosts=...) names {named!r}, which cannot be a host"
        ) from None
