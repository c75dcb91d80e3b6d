from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_permitocr.tencent.transport import MAX_ANSWER_BYTES, Transport
from tests.tencent.raw_exchange import OK, fault, post

#: Servers of the raw kind; what they do with a connection is a function of it.
StartServer = Callable[..., Any]
Connect = Callable[..., Transport]
Answering = Callable[..., Callable[[Any], None]]


def test_calls_one_after_the_other_share_a_connection(
    raw_server: StartServer, connect: Connect, answering: Answering
) -> None:
    server = raw_server(answering(OK))
    transport = connect(server)
    assert [post(transport) for _ in range(50)] == [b"ok"] * 50
    assert server.connections == 1


def test_threads_never_open_more_connections_than_they_are(
    raw_server: StartServer, connect: Connect, answering: Answering
) -> None:
    server = raw_server(answering(OK))
    transport = connect(server)
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: post(transport), range(20 * 32)))
    assert answers == [b"ok"] * 20 * 32
    assert server.connections <= 32


def test_connection_that_the_server_closed_between_calls_is_replaced(
    raw_server: StartServer, connect: Connect
) -> None:
    gone = threading.Event()

    def answer_once(connection: Any) -> None:
        connection.request()
        connection.send(OK)
        connection.close()
        gone.set()

    transport = connect(raw_server(answer_once))
    for _ in range(3):
        assert post(transport) == b"ok"
        assert gone.wait(10)
        gone.clear()


@pytest.mark.parametrize(
    "rude",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * (MAX_ANSWER_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 69_000,
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 70000\r\n\r\n" + b"x" * 69_998 + b"ok",
    ],
    ids=["too long", "too late", "other status"],
)
def test_connection_whose_answer_was_not_read_to_its_end_is_not_used_again(
    raw_server: StartServer, connect: Connect, answering: Answering, rude: bytes
) -> None:
    def be_rude_first(connection: Any) -> None:
        if connection.number > 1:
            answering(OK)(connection)
        elif connection.request():
            connection.send(rude)
            connection.closing.wait()

    server = raw_server(be_rude_first)
    transport = connect(server, read_timeout=1.0)
    fault(transport)
    assert post(transport) == b"ok"
    assert server.connections == 2


def test_closing_closes_the_connections_and_ends_further_calls(
    raw_server: StartServer, connect: Connect, answering: Answering
) -> None:
    ended = threading.Event()

    def until_the_end(connection: Any) -> None:
        answering(OK)(connection)
        ended.set()

    transport = connect(raw_server(until_the_end))
    post(transport)
    transport.close()
    assert ended.wait(10)
    assert "this client has been closed" in fault(transport).message


def test_nothing_but_the_headers_given_is_added_that_could_tell_of_the_user(
    raw_server: StartServer,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password private\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    heads = []

    def note(connection: Any) -> None:
        while head := connection.request():
            heads.append(head)
            connection.send(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

    server = raw_server(note)
    transport = connect(server)
    for _ in range(2):
        transport.post({"Host": "elsewhere:1", "User-Agent": "us", "Authorization": "TC3"}, b"{}")
    assert heads[0] == heads[1]
    assert heads[0][0] == "POST / HTTP/1.1"
    assert sorted(heads[0][1:]) == [
        "Accept-Encoding: identity",
        "Authorization: TC3",
        "Content-Length: 2",
        "Host: elsewhere:1",
        "User-Agent: us",
    ]


def test_debugging_of_http_in_the_whole_program_prints_no_request(
    raw_server: StartServer,
    connect: Connect,
    answering: Answering,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("http.client.HTTPConnection.debuglevel", 1)
    post(connect(raw_server(answering(OK))), b"a person's image")
    assert "person" not in capsys.readouterr().out
