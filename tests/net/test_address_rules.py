from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.net.address_rules import is_public, literal_address, may_be_reached

PUBLIC = ["8.8.4.4", "1.1.1.1", "203.205.254.1", "2400:cb00::1", "::ffff:8.8.4.4", "64:ff9b::808:404"]
PRIVATE = [
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "198.18.0.1", "240.0.0.1"),
    *("127.0.0.1", "127.9.9.9", "192.0.2.1", "::1", "fc00::1", "fd12::1", "fec0::1", "2001:db8::1"),
    *(
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::808:404",
        "::808:404",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2002:7f00:1::",
        "2002:a00:1::1",
    ),
]
NEVER = [
    *("169.254.169.254", "169.254.0.23", "169.254.170.2", "fe80::1", "fe80::1%2", "febf::1"),
    *("0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1"),
    *("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
    # By NAT64 for local use, SIIT, an IPv4-compatible address, and Teredo.
    *("64:ff9b:1::a9fe:a9fe", "::ffff:0:a9fe:a9fe", "::a9fe:a9fe", "2001:0:1:1:1:1:5601:5601"),
    *("::ffff:100.100.100.200", "64:ff9b::169.254.0.23", "fe80::a9fe:a9fe%eth0", "fd00:ec2::254%1"),
    *("::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "::ffff:0.0.0.0"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))
    assert may_be_reached(ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_address_of_a_network_or_machine_is_not_public_but_may_be_reached(address: str) -> None:
    assert not is_public(ip_address(address))
    assert may_be_reached(ip_address(address))


@pytest.mark.parametrize("address", NEVER)
def test_address_of_metadata_or_of_no_host_is_never_reached(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not may_be_reached(ip_address(address))


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_makes_nothing_public_or_reachable(address: IPv4Address) -> None:
    number = int(address)
    for wrapped in (
        IPv6Address((0xFFFF << 32) | number),
        IPv6Address((0x64FF9B << 96) | number),
        IPv6Address((0x2002 << 112) | (number << 80)),
    ):
        assert is_public(wrapped) is is_public(address)
        assert may_be_reached(wrapped) is may_be_reached(address)


@given(st.ip_addresses())
def test_public_address_may_be_reached(address: IPv4Address | IPv6Address) -> None:
    assert may_be_reached(address) or not is_public(address)


@pytest.mark.parametrize(
    "spelling",
    ["127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001"],
)
def test_every_spelling_of_an_address_is_read_as_a_resolver_does(spelling: str) -> None:
    assert literal_address(spelling) == IPv4Address("127.0.0.1")


@pytest.mark.parametrize("name", ["images.example.com", "localhost", "256.256.256.256", "1.2.3.4.5", "", "ü"])
def test_name_is_no_address(name: str) -> None:
    assert literal_address(name) is None
