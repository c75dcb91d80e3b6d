from __future__ import annotations

import base64
import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from airflow_provider_permitocr.core.errors import ConfigurationError
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.options import ClientOptions
from tests.tencent.recognition import fault, recognize

OptionsFor = Callable[..., ClientOptions]


class Proxy:
    """Forwards requests and opens tunnels, for one user; notes each request's first line."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.endpoint = ""

    def url(self, user: str = "me:pass%20word", scheme: str = "http") -> str:
        return f"{scheme}://{user}@{self.endpoint}"

    def treat(self, connection: Any) -> None:
        while head := connection.head():
            self.seen.append(head[0])
            expected = base64.b64encode(b"me:pass word").decode()
            if f"Proxy-Authorization: Basic {expected}" not in head:
                connection.send(b"HTTP/1.1 407 Log In First\r\nContent-Length: 0\r\n\r\n")
                return
            method, target, _ = head[0].split()
            if method == "CONNECT":
                connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
                _relay(connection.sock, _open(target))
                return
            self._forward(connection, target, head)

    def treat_socks(self, connection: Any) -> None:
        """Do the same by SOCKS5 (RFC 1928, RFC 1929)."""
        file = connection.file
        file.read(file.read(2)[1])
        connection.send(b"\x05\x02")
        user = file.read(file.read(2)[1]), file.read(file.read(1)[0])
        connection.send(b"\x01" + (b"\0" if user == (b"me", b"pass word") else b"\x01"))
        kind = file.read(4)[3]
        host = socket.inet_ntoa(file.read(4)) if kind == 1 else file.read(file.read(1)[0]).decode()
        target = f"{host}:{int.from_bytes(file.read(2))}"
        self.seen.append(f"SOCKS {target}")
        connection.send(b"\x05\0\0\x01" + bytes(6))
        _relay(connection.sock, _open(target))

    @staticmethod
    def _forward(connection: Any, target: str, head: list[str]) -> None:
        host = target.removeprefix("http://").rstrip("/")
        lines = [line for line in head[1:] if not line.startswith("Proxy-")]
        with _open(host) as onwards:
            onwards.sendall("\r\n".join(["POST / HTTP/1.0", *lines, "", ""]).encode())
            onwards.sendall(connection.body(head))
            answer = b"".join(iter(lambda: onwards.recv(65536), b""))
        connection.send(answer.replace(b"HTTP/1.0", b"HTTP/1.1", 1))


def _open(target: str) -> socket.socket:
    host, _, port = target.partition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def _relay(one: socket.socket, other: socket.socket) -> None:
    def copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    with other:
        back = threading.Thread(target=copy, args=(other, one))
        back.start()
        copy(one, other)
        back.join()


@pytest.fixture
def proxy(raw_server: Callable[..., Any]) -> Proxy:
    made = Proxy()
    made.endpoint = raw_server(made.treat).endpoint
    return made


@pytest.fixture
def socks_proxy(raw_server: Callable[..., Any]) -> Proxy:
    made = Proxy()
    made.endpoint = raw_server(made.treat_socks).endpoint
    return made


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
    assert (forwarded.code, tunneled.code) == ("ServerNetworkError", "ClientNetworkError")
    assert "HTTP status 407" in forwarded.message
    assert "the proxy did not connect (ProxyError, OSError: status 407)" in tunneled.message
    assert "wrong-password" not in told_by(forwarded) + told_by(tunneled)


def test_proxy_that_is_not_there_is_named_as_the_cause(
    emulator: RunningEmulator, options_for: OptionsFor, front: Specimen
) -> None:
    error = fault(options_for(emulator, proxy="http://127.0.0.1:1"), front)
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
