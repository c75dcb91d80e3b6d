from __future__ import annotations

from ipaddress import ip_address

import pytest

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.images.host_rules import HostRules

NAMED = (
    "images.example.com",
    ".cdn.example.com",
    "10.0.0.7",
    "::1",
    "[fd00::7]",
    "Bücher.example.",
    "intranet",
)


@pytest.mark.parametrize(
    "host",
    [
        *("images.example.com", "a.cdn.example.com", "a.b.cdn.example.com", "10.0.0.7", "::1", "fd00::7"),
        *("xn--bcher-kva.example", "intranet"),
    ],
)
def test_named_host_is_permitted(host: str) -> None:
    assert HostRules(NAMED).permits_host(host)


@pytest.mark.parametrize(
    "host",
    [
        *("example.com", "other.example.com", "cdn.example.com", "evilcdn.example.com", "10.0.0.8"),
        *("images.example.com.evil.example", "8.8.4.4", "localhost", "127.0.0.1"),
    ],
)
def test_host_that_is_not_named_is_not_permitted(host: str) -> None:
    assert not HostRules(NAMED).permits_host(host)


def test_named_host_may_have_a_private_address_but_none_of_metadata() -> None:
    rules = HostRules(("images.example.com",))
    assert rules.permits_address(ip_address("10.0.0.7"))
    assert not rules.permits_address(ip_address("169.254.169.254"))
    assert not HostRules(("169.254.169.254",)).permits_host("169.254.169.254")


@pytest.mark.parametrize("host", ["example.com", "8.8.4.4", "2400:cb00::1", "local.example.com"])
def test_without_a_list_every_public_host_is_permitted(host: str) -> None:
    assert HostRules(None).permits_host(host)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "localhost",
            "a.localhost",
            "printer.local",
            "metadata.google.internal",
            "nas.home.arpa",
            "intranet",
        ),
        *("127.0.0.1", "10.0.0.7", "::1", "fd00::7", "169.254.169.254", "::ffff:10.0.0.7"),
    ],
)
def test_without_a_list_no_inner_host_is_permitted(host: str) -> None:
    assert not HostRules(None).permits_host(host)


@pytest.mark.parametrize("named", ["a..b", "-", "1.2.3.4.5", "a" * 64])
def test_what_could_be_no_host_is_named(named: str) -> None:
    with pytest.raises(ConfigurationError, match=r"fetch_hosts.*could be no host"):
        HostRules((named,))
