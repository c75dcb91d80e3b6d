"""A proxy of MySQL that says yes to SET SESSION, and does not hand it on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Final

from labs.ground.servers.ports import HOST

_SET: Final = b"SET SESSION"


@contextmanager
def forgetful_proxy(port: int) -> Iterator[int]:
    """Listen in front of a server that speaks in the clear; returns the port."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            client: socket.socket = self.request
            with socket.create_connection((HOST, port)) as server:
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                with suppress(OSError):
                    while part := client.recv(65536):
                        server.sendall(_without_settings(part))
                with suppress(OSError):
                    server.shutdown(socket.SHUT_WR)
                back.join()

    class Server(ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server((HOST, 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, name="proxy", kwargs={"poll_interval": 0.05})
        thread.start()
        yield listener.server_address[1]
        listener.shutdown()
        thread.join()


def _without_settings(part: bytes) -> bytes:
    """Replace the statement by one that does nothing, of the same length: a packet begins with its own."""
    start = part.find(_SET)
    return part if start < 0 else part[:start] + b"DO 0".ljust(len(part) - start)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
