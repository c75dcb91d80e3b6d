"""SSRF guard: which addresses a URL from the image list may reach. List values are untrusted input."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

#: Reached under no circumstances: no image is there, but a cloud hands out credentials.
_NEVER: Final = tuple(
    ip_network(each)
    for each in (
        "0.0.0.0/8",  # this machine, on Linux
        "169.254.0.0/16",  # link-local, where most clouds have their metadata
        "224.0.0.0/4",  # multicast
        "255.255.255.255/32",
        "::/128",
        "fe80::/10",
        "ff00::/8",
        "100.100.100.200/32",  # metadata of Alibaba Cloud
        "168.63.129.16/32",  # Azure's wire server
        "192.0.0.192/32",  # metadata of Oracle Cloud at Work
        "fd00:ec2::254/128",  # metadata of AWS
        "fd20:ce::254/128",  # metadata of Google Cloud
    )
)
#: All that IANA has given out for the public internet (RFC 4291, section 2.4).
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
#: RFC 6052: a gateway makes of these the IPv4 address in their last four bytes.
_NAT64: Final = IPv6Network("64:ff9b::/96")
#: Not public, but with an IPv4 address in their last four bytes, too: NAT64 for local use with a prefix of 96
#: bits (RFC 8215), SIIT (RFC 2765), and IPv4-compatible addresses (RFC 4291), but for ``::`` and ``::1``.
_INNER_WITH_IPV4: Final = tuple(IPv6Network(each) for each in ("64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96"))
_FIRST_COMPATIBLE: Final = IPv6Address("::1:0")
#: RFC 4380: the IPv4 address of a client is in their last four bytes, inverted.
_TEREDO: Final = IPv6Network("2001::/32")


def may_be_reached(address: Address) -> bool:
    """Return whether an address is not one of cloud metadata, link-local, multicast or unspecified."""
    meant = (*_meant(address), *_meant_within(address))
    return not any(each in network for each in meant for network in _NEVER)


def is_public(address: Address) -> bool:
    """Return whether an address, and every one that is wrapped in it, belongs to the public internet."""
    *_, innermost = _meant(address)
    if isinstance(innermost, IPv6Address) and innermost not in _GLOBAL_UNICAST:
        return False
    return innermost.is_global and may_be_reached(address)


def is_this_machine(host: str) -> bool:
    """Return whether data sent to a host stays on this machine.

    :param host: a name or an address, with a port if need be.
    """
    name = host.rpartition(":")[0] if host.count(":") == 1 else host
    address = literal_address(name)
    return address.is_loopback if address else name.lower().removesuffix(".") == "localhost"


def literal_address(host: str) -> Address | None:
    """Read a host that is an address, in every spelling that a resolver takes: ``127.1``, ``0x7f000001`` …

    :return: None for a name.
    """
    import socket

    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError, ValueError):
        return None


def _meant(address: Address) -> Iterator[Address]:
    """Yield an address, and the IPv4 address that a gateway or the system makes of it, if any."""
    yield address
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            yield IPv4Address(int(address) & 0xFFFFFFFF)
        elif wrapped := address.ipv4_mapped or address.sixtofour:
            yield wrapped


def _meant_within(address: Address) -> Iterator[Address]:
    """Yield the IPv4 address that a local network may derive from an address that is not public."""
    if isinstance(address, IPv6Address) and address >= _FIRST_COMPATIBLE:
        last = int(address) & 0xFFFFFFFF
        if any(address in each for each in _INNER_WITH_IPV4):
            yield IPv4Address(last)
        elif address in _TEREDO:
            yield IPv4Address(last ^ 0xFFFFFFFF)
