from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from labs.chaos.situations.slow_line import SlowLine

LINE_SECONDS = 0.05


@pytest.fixture
def echo_port() -> Iterator[int]:
    """A server that sends back what it gets, until the other side says that this was all."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                while content := connection.recv(65_536):
                    connection.sendall(content)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def test_every_byte_arrives_in_order_and_no_sooner_than_the_line_is_long(echo_port: int) -> None:
    sent = bytes(range(256)) * 4_000
    received = b""
    with (
        SlowLine(echo_port, LINE_SECONDS) as line,
        socket.create_connection(("127.0.0.1", line.port)) as near,
    ):
        began = time.monotonic()
        near.sendall(b"ping")
        assert near.recv(4) == b"ping"
        assert time.monotonic() - began >= 2 * LINE_SECONDS
        sender = threading.Thread(target=near.sendall, args=(sent,))
        sender.start()
        while len(received) < len(sent):
            received += near.recv(65_536)
        sender.join()
    assert received == sent


def test_the_end_of_one_side_reaches_the_other(echo_port: int) -> None:
    with (
        SlowLine(echo_port, LINE_SECONDS) as line,
        socket.create_connection(("127.0.0.1", line.port)) as near,
    ):
        near.shutdown(socket.SHUT_WR)
        near.settimeout(10)
        assert near.recv(1) == b""
