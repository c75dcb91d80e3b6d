from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_permitocr.tencent.transport import Transport
from tests.tencent.raw_exchange import OK, fault, post

#: Servers of the raw kind; what they do with a connection is a function of it.
StartServer = Callable[..., Any]
Connect = Callable[..., Transport]
Answering = Callable[..., Callable[[Any], None]]


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["status line", "headers", "body", "chunk", "body without a length"],
)
def test_answer_that_trickles_for_ever_ends_with_the_calls_time(
    raw_server: StartServer, connect: Connect, start: bytes
) -> None:
    def trickle(connection: Any) -> None:
        connection.request()
        connection.send(start)
        connection.send_for_ever(b"1", pause=0.01)

    error = fault(connect(raw_server(trickle), call_timeout=0.3))
    assert error.code == "ClientNetworkError.TimedOut"
    assert "the whole call took longer than 0.3 s" in error.message


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n{"])
def test_answer_that_stops_ends_with_the_time_between_two_bytes(
    raw_server: StartServer, connect: Connect, start: bytes
) -> None:
    def stop(connection: Any) -> None:
        connection.request()
        connection.send(start)
        connection.closing.wait()

    error = fault(connect(raw_server(stop), read_timeout=0.2))
    assert error.code == "ClientNetworkError.TimedOut"
    assert "nothing was sent or received for 0.2 s" in error.message


_LARGE = b"x" * 30_000_000  # more than the buffers in between hold


def test_server_that_stops_reading_ends_with_the_time_between_two_bytes(
    raw_server: StartServer, connect: Connect
) -> None:
    def read_nothing(connection: Any) -> None:
        connection.head()
        connection.closing.wait()

    error = fault(connect(raw_server(read_nothing), read_timeout=0.2), _LARGE)
    assert "nothing was sent or received for 0.2 s" in error.message


def test_server_that_reads_for_ever_ends_with_the_calls_time(
    raw_server: StartServer, connect: Connect
) -> None:
    def read_slowly(connection: Any) -> None:
        connection.head()
        while not connection.closing.wait(0.02) and connection.sock.recv(65536):
            pass

    error = fault(connect(raw_server(read_slowly), call_timeout=0.3), _LARGE)
    assert "the whole call took longer than 0.3 s" in error.message


@pytest.mark.slow
def test_slow_uplink_may_take_longer_than_connecting(raw_server: StartServer, connect: Connect) -> None:
    def read_slowly(connection: Any) -> None:
        connection.head()
        left = len(_LARGE)
        while left and (data := connection.file.read1(min(left, 65536))):
            left -= len(data)
            connection.closing.wait(0.001)
        connection.send(OK)

    assert post(connect(raw_server(read_slowly), connect_timeout=0.05), _LARGE) == b"ok"


@pytest.mark.slow
def test_time_limit_of_one_call_does_not_weigh_on_the_next(raw_server: StartServer, connect: Connect) -> None:
    def answer_late(connection: Any) -> None:
        while connection.request():
            connection.closing.wait(0.05)
            connection.send(OK)

    transport = connect(raw_server(answer_late), call_timeout=1.0)
    assert [post(transport) for _ in range(25)] == [b"ok"] * 25
