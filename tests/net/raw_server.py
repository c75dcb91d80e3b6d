"""A server that speaks no protocol by itself."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress


class Connection:
    """One connection of a `RawServer`, from the server's side.

    :ivar number: counted from 1.
    :ivar file: what it sends; the socket has only what this has not read ahead.
    """

    def __init__(self, sock: socket.socket, number: int, closing: threading.Event) -> None:
        self.number = number
        self.closing = closing
        self.sock = sock
        self.file = sock.makefile("rb")

    def head(self) -> list[str]:
        """Read a request's first line and headers; none at the end of the connection."""
        lines = iter(self.file.readline, b"")
        return [
            line.decode(errors="replace").rstrip() for line in iter(lambda: next(lines, b"\r\n"), b"\r\n")
        ]

    def body(self, head: list[str]) -> bytes:
        """Read the rest of a request."""
        fields = dict(line.lower().split(": ", 1) for line in head[1:])
        return self.file.read(int(fields.get("content-length", 0)))

    def request(self) -> list[str]:
        """Read a whole request and return its head; none at the end of the connection."""
        head = self.head()
        if head:
            self.body(head)
        return head

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def close(self) -> None:
        """Close the connection; while a file is open of it, closing the socket alone does nothing."""
        self.file.close()
        self.sock.close()

    def send_for_ever(self, data: bytes, pause: float = 0.0) -> None:
        while not self.closing.wait(pause):
            self.send(data)


class RawServer:
    """A server that does with each connection what the test says, however rude.

    :param context: of TLS; None: there is none.
    """

    def __init__(self, treat: Callable[[Connection], None], context: ssl.SSLContext | None = None) -> None:
        self._treat = treat
        self._context = context
        self._closing = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def connections(self) -> int:
        """How many there were."""
        return len(self._sockets)

    def stop(self) -> None:
        self._closing.set()
        # Wakes up the thread that accepts, which closing alone would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(accepted)
            thread = threading.Thread(target=self._serve, args=(accepted, len(self._sockets)))
            thread.start()
            self._threads.append(thread)

    def _serve(self, accepted: socket.socket, number: int) -> None:
        with suppress(OSError):
            if self._context is not None:
                accepted.settimeout(10)
                accepted = self._context.wrap_socket(accepted, server_side=True)
                accepted.settimeout(None)
                self._sockets[number - 1] = accepted
            with accepted:
                self._treat(Connection(accepted, number, self._closing))
                accepted.shutdown(socket.SHUT_RDWR)
