"""An internet of this machine: names and public addresses that lead to its servers."""

from __future__ import annotations

import socket
from typing import Any

import pytest

_Found = list[tuple[Any, ...]]


class Internet:
    """What names lead to, and where public addresses really are.

    :ivar answers: by name, what the resolver answers, first, second ...; the last answer for ever.
    :ivar servers: by public IPv4 address, the local endpoint that it leads to.
    :ivar lookups: the names that were looked up.
    :ivar connected: the addresses that were connected to.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.servers: dict[str, str] = {}
        self.lookups: list[str] = []
        self.connected: list[str] = []
        #: By the connection's own end, which stays when TLS wraps its socket.
        self._peers: dict[Any, Any] = {}
        self._real_lookup, self._real_connect = socket.getaddrinfo, socket.socket.connect
        self._real_peer = socket.socket.getpeername

        # Functions, as methods that are bound to this would not be given the socket.
        def connect(sock: socket.socket, address: Any) -> None:
            self._connect(sock, address)

        def getpeername(sock: socket.socket) -> Any:
            return self._peers.get(sock.getsockname()) or self._real_peer(sock)

        patch.setattr(socket, "getaddrinfo", self._look_up)
        patch.setattr(socket.socket, "connect", connect)
        patch.setattr(socket.socket, "getpeername", getpeername)

    def add(self, name: str, endpoint: str, address: str = "8.8.4.4") -> str:
        """Give a server a name and a public address, and return the name with the server's port."""
        self.answers[name] = [[address]]
        self.servers[address] = endpoint
        return f"{name}:{endpoint.rpartition(':')[2]}"

    def _look_up(self, host: str, port: int, *args: Any, **named: Any) -> _Found:
        if host not in self.answers:
            return list(self._real_lookup(host, port, *args, **named))
        self.lookups.append(host)
        answers = self.answers[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [_entry(each, port) for each in addresses]

    def _connect(self, sock: socket.socket, address: Any) -> None:
        self.connected.append(address[0])
        host, _, port = self.servers.get(address[0], "").partition(":")
        self._real_connect(sock, (host, int(port)) if host else address)
        self._peers.pop(sock.getsockname(), None)
        if host:
            self._peers[sock.getsockname()] = address


def _entry(address: str, port: int) -> tuple[Any, ...]:
    if ":" in address:
        return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)
