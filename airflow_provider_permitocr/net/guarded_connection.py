"""Timed connections that only go to permitted addresses, whatever the host's name resolves to.

The time limit of the whole call includes connecting, from the first address tried to the TLS handshake.

The name is resolved once, and the connection uses that address, so that a resolver with changing answers (DNS
rebinding) gains nothing. Errors contain no host names.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final

from airflow_provider_permitocr.net.address_rules import Address
from airflow_provider_permitocr.net.timed_connection import seconds_left, timed

#: Until one of a host's addresses has to answer; the others are tried after that.
_CONNECT_SECONDS: Final = 5.0


class AddressRefusedError(Exception):
    """A name resolves to no permitted address; nothing was sent.

    Not an ``OSError``, because urllib3 would treat that as a network fault.
    """


class BoundedTlsSocket(ssl.SSLSocket):
    """Has the time that is left of ``within`` for its handshake; for ``SSLContext.sslsocket_class``."""

    def do_handshake(self, block: bool = False) -> None:
        """Do it, or raise ``TimeoutError``."""
        self.settimeout(seconds_left())
        super().do_handshake(block)


def guarded(permits: Callable[[Address], bool]) -> Callable[[type[Any]], type[Any]]:
    """Return what derives a class of timed connections only to permitted addresses."""

    def derive(connection_class: type[Any]) -> type[Any]:
        members = {"permits": staticmethod(permits)}
        return type("GuardedConnection", (_GuardedConnection, timed(connection_class)), members)

    return derive


class _GuardedConnection:
    permits: Callable[[Address], bool]
    host: str
    port: int
    sock: socket.socket
    timeout: float
    server_hostname: str | None

    def connect(self) -> None:
        permitted = [each for each in self._looked_up() if self.permits(each)]
        if not permitted:
            raise AddressRefusedError
        name = self.host
        # What TLS names, and its certificate has to name.
        self.server_hostname = name
        try:
            self._connect_to(permitted)
        finally:
            self.host = name

    def _looked_up(self) -> list[Address]:
        from urllib3.exceptions import NameResolutionError

        try:
            found = socket.getaddrinfo(self.host, self.port, socket.AF_UNSPEC, socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError("", self, error) from error  # type: ignore[arg-type]
        return [ip_address(each[4][0]) for each in found]

    def _connect_to(self, addresses: list[Address]) -> None:
        from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

        for number, address in enumerate(addresses, start=1):
            self.host, self.timeout = str(address), min(seconds_left(), _CONNECT_SECONDS)
            try:
                super().connect()  # type: ignore[misc]
            except (ConnectTimeoutError, NewConnectionError):
                if number == len(addresses):
                    raise
            else:
                break
        # Where the whole program's sockets are led elsewhere, the peer is another than was asked for. Nothing
        # but the handshake of TLS was sent to it.
        if not self.permits(ip_address(self.sock.getpeername()[0])):
            self.sock.close()
            raise AddressRefusedError
