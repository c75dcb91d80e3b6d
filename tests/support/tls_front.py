"""TLS in front of the embedded PostgreSQL, which is built without it.

How a client asks for it: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any, Final

from labs.ground.servers.ports import HOST
from tests.support.tls_files import TlsFiles

_SSL_REQUEST: Final = 80877103


@dataclass
class TlsFront:
    """A front that listens.

    :param port: on 127.0.0.1.
    :param clients: each connection's common name by its certificate; '' without one, None in the clear.
    """

    port: int
    clients: list[str | None] = field(default_factory=list)


@contextmanager
def tls_in_front(port: int, files: TlsFiles) -> Iterator[TlsFront]:
    """Listen for clients that want TLS, or none, of the PostgreSQL server at a port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files.ca)
    context.load_cert_chain(*files.server)
    context.verify_mode = ssl.CERT_OPTIONAL

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            client: socket.socket = self.request
            start = client.recv(8, socket.MSG_WAITALL)
            with socket.create_connection((HOST, port)) as server:
                if start and struct.unpack("!ii", start)[1] == _SSL_REQUEST:
                    client.sendall(b"S")
                    with (
                        suppress(ssl.SSLError, OSError),
                        context.wrap_socket(client, server_side=True) as tls,
                    ):
                        front.clients.append(_common_name(tls))
                        _join(tls, server)
                else:
                    front.clients.append(None)
                    server.sendall(start)
                    with suppress(OSError):
                        _join(client, server)

    class Server(ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server((HOST, 0), Handler) as listener:
        front = TlsFront(listener.server_address[1])
        thread = threading.Thread(target=listener.serve_forever, name="TLS", kwargs={"poll_interval": 0.05})
        thread.start()
        yield front
        listener.shutdown()
        thread.join()


def _common_name(tls: ssl.SSLSocket) -> str:
    subject: Any = (tls.getpeercert() or {}).get("subject", ())
    return "".join(str(value) for part in subject for _, value in part)


def _join(client: socket.socket, server: socket.socket) -> None:
    back = threading.Thread(target=_copy, args=(server, client), daemon=True)
    back.start()
    _copy(client, server)
    back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
