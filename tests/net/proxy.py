"""A proxy that forwards, opens tunnels and speaks SOCKS5."""

from __future__ import annotations

import base64
import socket
import threading
from contextlib import suppress
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

_OF_THE_HOP = {"Connection", "Content-Length", "Transfer-Encoding"}


class Proxy:
    """Forwards requests and opens tunnels, for one user; notes each request's first line.

    :ivar hosts: where hosts, with their ports, really are; all others are where they say.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.endpoint = ""
        self.hosts: dict[str, str] = {}

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
                _relay(connection.sock, self._open(target))
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
        _relay(connection.sock, self._open(target))

    def _forward(self, connection: Any, target: str, head: list[str]) -> None:
        url = urlsplit(target)
        first = f"{head[0].split()[0]} {url.path or '/'} HTTP/1.0"
        lines = [line for line in head[1:] if not line.startswith("Proxy-")]
        with self._open(url.netloc) as onwards:
            onwards.sendall("\r\n".join([first, *lines, "", ""]).encode())
            onwards.sendall(connection.body(head))
            response = HTTPResponse(onwards)
            response.begin()
            body = response.read()
        kept = [f"{name}: {value}" for name, value in response.getheaders() if name not in _OF_THE_HOP]
        answer = [f"HTTP/1.1 {response.status} As It Came", *kept, f"Content-Length: {len(body)}", "", ""]
        connection.send("\r\n".join(answer).encode() + body)

    def _open(self, target: str) -> socket.socket:
        host, _, port = self.hosts.get(target, target).partition(":")
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
