"""Which hosts images are downloaded from."""

from __future__ import annotations

from typing import Final

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.images.http_url import read_url
from airflow_provider_permitocr.net.address_rules import Address, is_public, literal_address, may_be_reached

#: Domains of no public host: RFC 6761, 6762, 8375, and ICANN's of 2024. A proxy would look them up inside.
_INNER: Final = ("localhost", "local", "home.arpa", "internal")


class HostRules:
    """What ``ImageAccess(fetch_hosts=...)`` permits.

    :param named: the only hosts, a leading dot for all below a domain; None: all public ones.
    :raises ConfigurationError: for what could be no host.
    """

    def __init__(self, named: tuple[str, ...] | None) -> None:
        self._any_public = named is None
        self._hosts = {_comparable(each) for each in named or () if not each.startswith(".")}
        self._domains = tuple(f".{_comparable(each[1:])}" for each in named or () if each.startswith("."))

    def permits_host(self, host: str) -> bool:
        """Tell whether a host may be asked for an image, as far as its name or address in the URL tells.

        :param host: as ``HttpUrl`` has it.
        """
        address = literal_address(host)
        if address is not None:
            return self.permits_address(address) and (self._any_public or host in self._hosts)
        if self._any_public:
            return "." in host and not f".{host}".endswith(tuple(f".{each}" for each in _INNER))
        return host in self._hosts or host.endswith(self._domains)

    def permits_address(self, address: Address) -> bool:
        """Tell whether a permitted host may have this address."""
        return is_public(address) if self._any_public else may_be_reached(address)


def _comparable(named: str) -> str:
    host = f"[{named}]" if named.count(":") > 1 and not named.startswith("[") else named
    try:
        return read_url(f"http://{host}/").host
    except ValueError:
        raise ConfigurationError(
            f"ImageAccess(fetch_hosts=...) names {named!r}, which could be no host"
        ) from None
