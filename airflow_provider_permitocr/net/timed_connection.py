"""A connection whose every send and receive is limited by the time left for its call.

urllib3 limits sending a body by the connect timeout, and accepts a response that trickles in forever. Here,
each wait to send or receive is limited by the time between two bytes and by the time left for the call.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class TimedOutError(Exception):
    """Sending or receiving took longer than allowed; the message names the limit.

    Not an ``OSError``, because urllib3 would treat that as a network fault, and drop the message.
    """


@dataclass(frozen=True)
class TimeLimits:
    """What a call may take.

    :param between_bytes: most seconds until the next byte is sent or received.
    :param whole_call: most seconds until the last one is received.
    """

    between_bytes: float
    whole_call: float


@dataclass
class _Allowance:
    limits: TimeLimits
    ends_at: float
    sent_bytes: int = 0

    def seconds(self) -> float:
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimedOutError(f"the whole call took longer than {self.limits.whole_call:g} s")
        return min(left, self.limits.between_bytes)


_allowance: ContextVar[_Allowance] = ContextVar("allowance")


@contextmanager
def within(limits: TimeLimits) -> Iterator[None]:
    """Apply these limits to what this thread sends and receives over timed connections from now on.

    They only apply inside this block. Connecting and the handshakes of TLS and proxies use urllib3's limits.
    """
    token = _allowance.set(_Allowance(limits, time.monotonic() + limits.whole_call))
    try:
        yield
    finally:
        _allowance.reset(token)


def seconds_left() -> float:
    """Return how long this thread may wait now, in ``within``.

    :raises TimedOutError: when the whole call's time is used up.
    """
    return _allowance.get().seconds()


def sent_bytes() -> int:
    """Return how many bytes this thread has sent over timed connections, headers included, in ``within``."""
    return _allowance.get().sent_bytes


def timed(connection_class: type[Any]) -> type[Any]:
    """Derive a class of urllib3's connections that keep to ``within``: plain, TLS or SOCKS."""
    return type("TimedConnection", (_TimedConnection, connection_class), {})


class _TimedConnection:
    #: Set for all connections by a program that looks for an error, it would print bodies.
    debuglevel = 0
    sock: Any

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.response_class = _StrictResponse

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.sock = _TimedSocket(self.sock)


class _StrictResponse(HTTPResponse):
    """Refuses malformed headers: urllib3 would accept them, and log what it could not parse."""

    def begin(self) -> None:
        super().begin()
        if self.msg.defects or self.msg.get_payload():
            raise HTTPException("malformed headers")


class _TimedSocket:
    """What ``http.client`` and urllib3 use of a socket once it is connected."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def sendall(self, data: bytes | bytearray) -> None:
        allowance = _allowance.get()
        with memoryview(data) as view:
            sent = 0
            while sent < len(view):
                with view[sent:] as rest:
                    number = _timed(self._sock, self._sock.send, rest)
                sent += number
                allowance.sent_bytes += number

    def makefile(self, _mode: str) -> io.BufferedReader:
        # The unbuffered file keeps the socket open while it is read, as http.client expects.
        return io.BufferedReader(_TimedReader(self._sock, self._sock.makefile("rb", buffering=0)))


class _TimedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, file: socket.SocketIO) -> None:
        self._sock = sock
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        return _timed(self._sock, self._file.readinto, buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


def _timed(sock: socket.socket, operation: Callable[[Any], _Result], buffer: Any) -> _Result:
    allowance = _allowance.get()
    sock.settimeout(allowance.seconds())
    try:
        return operation(buffer)
    except TimeoutError:
        allowance.seconds()  # raises if the whole call's time is used up
        seconds = allowance.limits.between_bytes
        raise TimedOutError(f"nothing was sent or received for {seconds:g} s") from None
