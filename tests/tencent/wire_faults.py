"""Every fault on the way, as real sockets, TLS and proxies have it."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.endpoints import AllowedEndpoints
from airflow_provider_permitocr.tencent.options import ClientOptions
from airflow_provider_permitocr.tencent.transport import MAX_ANSWER_BYTES
from tests.net.proxy import Proxy
from tests.net.raw_server import Connection

RETRY_AFTER = 60
#: More than the buffers in between hold.
_LARGE = bytes(24_000_000)


@dataclass
class World:
    """What clients can be led to.

    :ivar image: what they send.
    """

    raw_server: Callable[..., Any]
    emulator: RunningEmulator
    tls_emulator: RunningEmulator
    options_for: Callable[..., ClientOptions]
    proxy: Proxy
    stack: ExitStack
    image: bytes = field(repr=False)

    def client(self, endpoint: str, **options: Any) -> MainlandPermitClient:
        defaults: dict[str, Any] = {"endpoint": endpoint, "protocol": "http", "read_timeout": 5.0}
        return MainlandPermitClient(ClientOptions("AKID", "key", **(defaults | options)))

    def answering(self, answer: bytes) -> MainlandPermitClient:
        """Return a client of a server that answers so, and then ends the connection."""

        def treat(connection: Connection) -> None:
            connection.request()
            connection.send(answer)

        return self.client(self.raw_server(treat).endpoint)

    def saying(self, body: bytes, head: bytes = b"200 OK") -> MainlandPermitClient:
        # Said to end, as the next try might otherwise take the connection before its end arrives.
        headers = b"Connection: close\r\nContent-Length: %d" % len(body)
        return self.answering(b"HTTP/1.1 %s\r\n%s\r\n\r\n%s" % (head, headers, body))

    def treated(self, treat: Callable[[Connection], None], **options: Any) -> MainlandPermitClient:
        return self.client(self.raw_server(treat).endpoint, **options)


def _nobody_listens(world: World) -> MainlandPermitClient:
    reserved = world.stack.enter_context(socket.socket())
    reserved.bind(("127.0.0.1", 0))
    return world.client(f"127.0.0.1:{reserved.getsockname()[1]}")


def _nobody_accepts(world: World) -> MainlandPermitClient:
    listener = world.stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    address = listener.getsockname()
    for _ in range(3):  # of which one or two are let wait; the system ignores the others
        waiting = world.stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(address)
    return world.client(f"127.0.0.1:{address[1]}", connect_timeout=0.2)


def _tls(world: World, **options: Any) -> MainlandPermitClient:
    return MainlandPermitClient(world.options_for(world.tls_emulator, protocol="https", **options))


def _denied_tunnel(world: World) -> MainlandPermitClient:
    return _tls(world, ca_bundle=str(world.tls_emulator.ca_file), proxy=world.proxy.url("me:wrong-password"))


def _denied_forwarding(world: World) -> MainlandPermitClient:
    wrong = world.proxy.url("me:wrong-password")
    return MainlandPermitClient(world.options_for(world.emulator, proxy=wrong))


def _failing_proxy(status: bytes) -> Callable[[World], MainlandPermitClient]:
    def make(world: World) -> MainlandPermitClient:
        def refuse(connection: Connection) -> None:
            connection.head()
            connection.send(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status)

        return _tls(world, proxy=f"http://{world.raw_server(refuse).endpoint}")

    return make


def _silent_handshake(world: World) -> MainlandPermitClient:
    return world.treated(_never_speaks, protocol="https", connect_timeout=0.2)


def _never_speaks(connection: Connection) -> None:
    connection.closing.wait()


def _silent(connection: Connection) -> None:
    connection.request()
    connection.closing.wait()


def _reads_no_body(connection: Connection) -> None:
    connection.head()
    connection.closing.wait()


def _breaks_off_the_body(connection: Connection) -> None:
    connection.head()
    connection.close()


def _too_long(connection: Connection) -> None:
    connection.request()
    with suppress(OSError):
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(MAX_ANSWER_BYTES + 1))


def _large(world: World) -> World:
    world.image = _LARGE
    return world


def _closed(world: World) -> MainlandPermitClient:
    client = MainlandPermitClient(world.options_for(world.emulator))
    client.close()
    return client


_NO, _UNKNOWN = False, None
FaultyClient = Callable[[World], MainlandPermitClient]
#: Faults of those below that come before a byte of the request has left.
NEVER_SENT = {
    "no such name",
    "nobody listens",
    "nobody accepts",
    "no proxy",
    "proxy fails",
    "no TLS",
    "silent handshake",
    "closed client",
}
#: What is met, what it is called, and whether it is billed.
FAULTS: list[tuple[str, FaultyClient, str, bool | None]] = [
    (
        "no such name",
        lambda world: world.client(
            "permitocr.invalid", allowed=AllowedEndpoints(("http://permitocr.invalid",))
        ),
        "ClientNetworkError.NameNotResolved",
        _NO,
    ),
    ("nobody listens", _nobody_listens, "ClientNetworkError.NotConnected", _NO),
    ("nobody accepts", _nobody_accepts, "ClientNetworkError.NotConnected", _NO),
    (
        "no proxy",
        lambda world: world.client("127.0.0.1:9", proxy="http://127.0.0.1:1"),
        "ClientNetworkError.ProxyFailed",
        _NO,
    ),
    ("proxy fails", _failing_proxy(b"502 Bad Gateway"), "ClientNetworkError.ProxyFailed", _NO),
    ("proxy denies the host", _failing_proxy(b"403 Forbidden"), "ClientNetworkError.ProxyDenied", _NO),
    ("proxy denies a tunnel", _denied_tunnel, "ClientNetworkError.ProxyDenied", _NO),
    ("proxy denies forwarding", _denied_forwarding, "ClientNetworkError.ProxyDenied", _NO),
    ("another authority", _tls, "ClientNetworkError.CertificateRefused", _NO),
    (
        "no TLS",
        lambda world: world.client(world.emulator.endpoint, protocol="https"),
        "ClientNetworkError.TlsFailed",
        _NO,
    ),
    ("silent handshake", _silent_handshake, "ClientNetworkError.TimedOut", _NO),
    (
        "body not read",
        lambda world: _large(world).treated(_reads_no_body, read_timeout=0.2),
        "ClientNetworkError.TimedOut",
        _NO,
    ),
    (
        "no answer",
        lambda world: world.treated(_silent, read_timeout=0.2),
        "ClientNetworkError.TimedOut",
        _UNKNOWN,
    ),
    (
        "broken off in the body",
        lambda world: _large(world).treated(_breaks_off_the_body),
        "ClientNetworkError.ConnectionLost",
        _NO,
    ),
    (
        "closed without an answer",
        lambda world: world.answering(b""),
        "ClientNetworkError.ConnectionLost",
        _UNKNOWN,
    ),
    (
        "half an answer",
        lambda world: world.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        "ClientNetworkError.AnswerTruncated",
        _UNKNOWN,
    ),
    (
        "another protocol",
        lambda world: world.answering(b"SSH-2.0-OpenSSH\r\n"),
        "ClientNetworkError.NotHttp",
        _UNKNOWN,
    ),
    (
        "no gzip",
        lambda world: world.saying(b"{}", b"200 OK\r\nContent-Encoding: gzip"),
        "ClientNetworkError.NotDecompressed",
        _UNKNOWN,
    ),
    ("closed client", _closed, "ClientNetworkError.ClientClosed", _NO),
    ("HTTP 502", lambda world: world.saying(b"", b"502 Bad Gateway"), "ServerNetworkError", _UNKNOWN),
    ("HTTP 413", lambda world: world.saying(b"", b"413 Too Large"), "ServerNetworkError.TooLarge", _NO),
    (
        "HTTP 429",
        lambda world: world.saying(b"", b"429 Too Many\r\nRetry-After: %d" % RETRY_AFTER),
        "ServerNetworkError.TooManyRequests",
        _NO,
    ),
    (
        "HTTP 503",
        lambda world: world.saying(b"", b"503 Unavailable\r\nRetry-After: %d" % RETRY_AFTER),
        "ServerNetworkError.Unavailable",
        _UNKNOWN,
    ),
    ("17 MB", lambda world: world.treated(_too_long), "ClientMalformedAnswer.TooLong", _UNKNOWN),
    ("a page", lambda world: world.saying(b"<html>"), "ClientMalformedAnswer.NotJson", _UNKNOWN),
    ("other JSON", lambda world: world.saying(b"[]"), "ClientMalformedAnswer.WrongEnvelope", _UNKNOWN),
    (
        "no fields",
        lambda world: world.saying(b'{"Response": {"RequestId": "r"}}'),
        "ClientMalformedAnswer.NoFields",
        _UNKNOWN,
    ),
    (
        "unpacked to too much",
        lambda world: world.saying(
            gzip.compress(bytes(2 * MAX_ANSWER_BYTES)), b"200 OK\r\nContent-Encoding: gzip"
        ),
        "ClientMalformedAnswer.TooLong",
        _UNKNOWN,
    ),
]
