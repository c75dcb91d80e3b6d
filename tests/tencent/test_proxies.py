from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.options import ClientOptions
from tests.net.proxy import Proxy
from tests.tencent.recognition import fault, recognize

OptionsFor = Callable[..., ClientOptions]


def test_plain_calls_are_forwarded_by_the_connections_proxy(
    emulator: RunningEmulator, options_for: OptionsFor, front: Specimen, proxy: Proxy
) -> None:
    recognize(options_for(emulator, proxy=proxy.url()), front)
    assert proxy.seen == [f"POST http://{emulator.endpoint}/ HTTP/1.1"]


def test_calls_over_tls_share_one_tunnel(
    tls_emulator: RunningEmulator, options_for: OptionsFor, front: Specimen, proxy: Proxy
) -> None:
    options = options_for(
        tls_emulator, protocol="https", ca_bundle=str(tls_emulator.ca_file), proxy=proxy.url()
    )
    recognize(options, front, times=3)
    assert [line.rpartition(" ")[0] for line in proxy.seen] == [f"CONNECT {tls_emulator.endpoint}"]


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_calls_go_through_a_socks_proxy(
    emulator: RunningEmulator, options_for: OptionsFor, front: Specimen, socks_proxy: Proxy, scheme: str
) -> None:
    recognize(options_for(emulator, proxy=socks_proxy.url(scheme=scheme)), front, times=2)
    assert socks_proxy.seen == [f"SOCKS {emulator.endpoint}"]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_proxy_of_the_environment_is_used_with_or_without_its_scheme(
    emulator: RunningEmulator,
    options_for: OptionsFor,
    front: Specimen,
    proxy: Proxy,
    environment: pytest.MonkeyPatch,
    name: str,
) -> None:
    environment.setenv(name, proxy.url())
    recognize(options_for(emulator), front)
    environment.setenv(name, proxy.url().removeprefix("http://"))
    recognize(options_for(emulator), front)
    assert len(proxy.seen) == 2


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize("value", ["127.0.0.1", "10.0.0.0/8,127.0.0.0/8", "*"])
def test_host_in_no_proxy_is_called_directly(
    emulator: RunningEmulator,
    options_for: OptionsFor,
    front: Specimen,
    proxy: Proxy,
    environment: pytest.MonkeyPatch,
    name: str,
    value: str,
) -> None:
    environment.setenv("HTTP_PROXY", proxy.url())
    environment.setenv(name, value)
    recognize(options_for(emulator), front)
    assert proxy.seen == []


def test_connections_own_proxy_goes_before_the_environment(
    emulator: RunningEmulator,
    options_for: OptionsFor,
    front: Specimen,
    proxy: Proxy,
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    environment.setenv("NO_PROXY", "*")
    recognize(options_for(emulator, proxy=proxy.url()), front)
    assert len(proxy.seen) == 1


def test_proxy_that_wants_another_password_is_told_by_its_status(
    emulator: RunningEmulator,
    tls_emulator: RunningEmulator,
    options_for: OptionsFor,
    front: Specimen,
    proxy: Proxy,
    told_by: Callable[[BaseException], str],
) -> None:
    wrong = proxy.url("me:wrong-password")
    forwarded = fault(options_for(emulator, proxy=wrong), front)
    tunneled = fault(
        options_for(tls_emulator, protocol="https", ca_bundle=str(tls_emulator.ca_file), proxy=wrong), front
    )
    assert (forwarded.code, tunneled.code) == ("ClientNetworkError.ProxyDenied",) * 2
    assert "HTTP status 407" in forwarded.message
    assert "the proxy did not connect (ProxyError, OSError: status 407)" in tunneled.message
    assert "wrong-password" not in told_by(forwarded) + told_by(tunneled)


def test_proxy_that_is_not_there_is_named_as_the_cause(
    emulator: RunningEmulator, options_for: OptionsFor, front: Specimen
) -> None:
    error = fault(options_for(emulator, proxy="http://127.0.0.1:1"), front)
    assert error.code == "ClientNetworkError.ProxyFailed"
    assert "the proxy did not connect" in error.message
    assert "Connection refused" in error.message


@pytest.mark.parametrize(
    "url",
    ["ftp://me:private@proxy:1", "http://me:private@proxy:port", "socks9://me:private@proxy", "http://"],
)
def test_proxy_that_cannot_be_one_is_refused_at_once_without_its_password(
    url: str, told_by: Callable[[BaseException], str]
) -> None:
    with pytest.raises(ConfigurationError, match="proxy") as caught:
        MainlandPermitClient(ClientOptions("AKID", "key", proxy=url))
    assert "private" not in told_by(caught.value)


def test_socks_without_its_package_says_what_to_install(environment: pytest.MonkeyPatch) -> None:
    from requests import adapters, exceptions

    def not_installed(*_args: Any, **_named: Any) -> None:
        raise exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    environment.setattr(adapters, "SOCKSProxyManager", not_installed)
    with pytest.raises(ConfigurationError, match="install PySocks"):
        MainlandPermitClient(ClientOptions("AKID", "key", proxy="socks5h://proxy:1080"))


def test_nothing_of_a_proxy_is_logged(
    emulator: RunningEmulator,
    options_for: OptionsFor,
    front: Specimen,
    proxy: Proxy,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    recognize(options_for(emulator, proxy=proxy.url()), front)
    assert "Starting new HTTP connection" in caplog.text
    assert not [secret for secret in ("pass%20word", "pass word", "Basic ") if secret in caplog.text]
