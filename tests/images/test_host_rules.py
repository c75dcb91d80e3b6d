from __future__ import annotations

from importlib.metadata import version
from ipaddress import ip_address

import pytest
from packaging.version import Version

from airflow_provider_permitocr.errors import ConfigurationError, ImageRejectedError, ImageUnavailableError
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
    with pytest.raises(ConfigurationError, match=r"fetch_hosts.*cannot be a host"):
        HostRules((named,))


@pytest.mark.parametrize("named", [None, ("metadata.tencentyun.com",), (".tencentyun.com",)])
def test_the_metadata_of_tencent_cloud_is_never_permitted_by_its_name(named: tuple[str, ...] | None) -> None:
    assert not HostRules(named).permits_host("metadata.tencentyun.com")


@pytest.mark.parametrize(
    ("url", "passed_on"),
    [
        ("HTTPS://Images.Example.com:443/a b.jpg#x", "https://images.example.com/a%20b.jpg"),
        ("http://8.8.4.4:8080/a.jpg", "http://8.8.4.4:8080/a.jpg"),
        # What is checked and what is passed on is one text, so that no two parsers see two hosts.
        ("http://good.example\\@169.254.169.254/", "http://good.example/%5C@169.254.169.254/"),
        ("http://good.example#@169.254.169.254/", "http://good.example/"),
    ],
)
def test_a_url_of_a_public_host_is_passed_on_in_one_form(url: str, passed_on: str) -> None:
    assert HostRules(None).passed_on(url) == passed_on


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://a@169.254.169.254/",
            "http://169.254.169.254@good.example/",
            "http://good.example:a@10.0.0.7/",
        ),
        *("http://127。0。0。1/", "http://１２７.０.０.１/", "http://①②⑦.⓪.⓪.①/", "http://ⓛocalhost/"),
        *("http://metadata。tencentyun。com/", "http://local\u200bhost/", "http://exa\u00admple.com/"),
        *("http://good.example:99999/", "http://good.example:-1/", "http://good.example:８０/"),
        *("http://127.0.0.1%00.example.com/", "http://127.0.0.1\t.example.com/", "http:///169.254.169.254/"),
        *("http://[v1.x]/", "http://[::1/", "http:169.254.169.254/", "gopher://good.example/", "file:///etc"),
    ],
)
def test_a_url_that_parsers_read_in_several_ways_is_refused(url: str) -> None:
    # Before urllib3 2.8, a host ends at a tab: here it is one of this machine.
    is_cut = "\t" in url and Version(version("urllib3")) < Version("2.8")
    with pytest.raises(ImageUnavailableError if is_cut else ImageRejectedError) as caught:
        HostRules(None).passed_on(url)
    assert caught.value.code == ("ImageHostRefused" if is_cut else "ImageReferenceUnknown")


def test_only_named_hosts_are_passed_on_where_there_is_a_list_of_them() -> None:
    rules = HostRules((".scans.example.com", "10.0.0.7"))
    assert rules.passed_on("http://a.scans.example.com/") == "http://a.scans.example.com/"
    assert rules.passed_on("http://10.0.0.7/") == "http://10.0.0.7/"
    with pytest.raises(ImageUnavailableError) as caught:
        rules.passed_on("http://images.example.com/")
    assert (caught.value.code, caught.value.is_outage) == ("ImageHostRefused", True)
