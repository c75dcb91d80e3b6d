from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_permitocr.core.errors import CallError, Decision
from airflow_provider_permitocr.tencent.options import ClientOptions
from airflow_provider_permitocr.tencent.transport import MAX_ANSWER_BYTES, Transport

#: Servers of the raw kind; what they do with a connection is a function of it.
StartServer = Callable[..., Any]
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_THREADS = 32


@pytest.fixture
def connect() -> Iterator[Callable[..., Transport]]:
    """Make transports to a raw server; client options by name."""
    transports = []

    def make(server: Any, **options: Any) -> Transport:
        defaults: dict[str, Any] = {"endpoint": server.endpoint, "protocol": "http"}
        transports.append(Transport(ClientOptions("AKID", "key", **(defaults | options))))
        return transports[-1]

    yield make
    for each in transports:
        each.close()


def _post(transport: Transport, body: bytes = b"{}") -> bytes:
    return transport.post({"Content-Type": "application/json"}, body)


def _fault(transport: Transport, body: bytes = b"{}") -> CallError:
    with pytest.raises(CallError) as caught:
        _post(transport, body)
    assert caught.value.decision is Decision.RETRY
    assert caught.value.__cause__ is None
    return caught.value


def answering(*answers: bytes) -> Callable[[Any], None]:
    """Answer the requests of a connection with these in turn, the last one for ever."""

    def treat(connection: Any) -> None:
        left = list(answers)
        while connection.request():
            connection.send(left.pop(0) if len(left) > 1 else left[0])

    return treat


# Connections


def test_calls_one_after_the_other_share_a_connection(
    raw_server: StartServer, connect: Callable[..., Transport]
) -> None:
    server = raw_server(answering(_OK))
    transport = connect(server)
    assert [_post(transport) for _ in range(50)] == [b"ok"] * 50
    assert server.connections == 1


def test_threads_never_open_more_connections_than_they_are(
    raw_server: StartServer, connect: Callable[..., Transport]
) -> None:
    server = raw_server(answering(_OK))
    transport = connect(server)
    with ThreadPoolExecutor(_THREADS) as pool:
        answers = list(pool.map(lambda _: _post(transport), range(20 * _THREADS)))
    assert answers == [b"ok"] * 20 * _THREADS
    assert server.connections <= _THREADS


def test_connection_that_the_server_closed_between_calls_is_replaced(
    raw_server: StartServer, connect: Callable[..., Transport]
) -> None:
    gone = threading.Event()

    def answer_once(connection: Any) -> None:
        connection.request()
        connection.send(_OK)
        connection.sock.close()
        gone.set()

    transport = connect(raw_server(answer_once))
    for _ in range(3):
        assert _post(transport) == b"ok"
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
    raw_server: StartServer, connect: Callable[..., Transport], rude: bytes
) -> None:
    def be_rude_first(connection: Any) -> None:
        if connection.number > 1:
            answering(_OK)(connection)
        elif connection.request():
            connection.send(rude)
            connection.closing.wait()

    server = raw_server(be_rude_first)
    transport = connect(server, read_timeout=0.5)
    _fault(transport)
    assert _post(transport) == b"ok"
    assert server.connections == 2


def test_closing_closes_the_connections_and_ends_further_calls(
    raw_server: StartServer, connect: Callable[..., Transport]
) -> None:
    ended = threading.Event()

    def until_the_end(connection: Any) -> None:
        answering(_OK)(connection)
        ended.set()

    transport = connect(raw_server(until_the_end))
    _post(transport)
    transport.close()
    assert ended.wait(10)
    assert "this client has been closed" in _fault(transport).message


# Answers


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nX: y\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + _OK,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 22\r\n\r\n" + gzip.compress(b"ok"),
        b"HTTP/1.1 200\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["chunked", "after a 100", "gzip", "no reason"],
)
def test_answer_is_read_however_it_is_sent(
    raw_server: StartServer, connect: Callable[..., Transport], answer: bytes
) -> None:
    server = raw_server(answering(answer))
    transport = connect(server)
    assert [_post(transport), _post(transport)] == [b"ok", b"ok"]
    assert server.connections == 1


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_answer_that_ends_with_its_connection_is_read(
    raw_server: StartServer, connect: Callable[..., Transport], version: bytes
) -> None:
    def answer_once(connection: Any) -> None:
        connection.request()
        connection.send(b"HTTP/" + version + b" 200 OK\r\nConnection: close\r\n\r\nok")

    assert _post(connect(raw_server(answer_once))) == b"ok"


def test_largest_answer_is_taken_whole(raw_server: StartServer, connect: Callable[..., Transport]) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MAX_ANSWER_BYTES
    server = raw_server(answering(head + b"x" * MAX_ANSWER_BYTES))
    assert len(_post(connect(server))) == MAX_ANSWER_BYTES


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
    ],
    ids=["to the connection's end", "announced", "chunked"],
)
def test_endless_answer_ends(raw_server: StartServer, connect: Callable[..., Transport], head: bytes) -> None:
    def never_end(connection: Any) -> None:
        connection.request()
        connection.send(head)
        connection.send_for_ever(b"x" * 65536)

    error = _fault(connect(raw_server(never_end)))
    assert error.code == "ClientMalformedAnswer"
    assert "longer than" in error.message


def test_answer_that_unpacks_to_too_much_ends(
    raw_server: StartServer, connect: Callable[..., Transport]
) -> None:
    bomb = gzip.compress(bytes(4 * MAX_ANSWER_BYTES))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    assert _fault(connect(raw_server(answering(head + bomb)))).code == "ClientMalformedAnswer"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "the connection was lost (ProtocolError, RemoteDisconnected)"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "the answer ended early"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf\r\nhalf", "the answer ended early"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n", "IncompleteRead"),
        (b"SSH-2.0-OpenSSH\r\n", "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf", "decompressed"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "LineTooLong"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, "no HTTP"),
    ],
    ids=lambda value: repr(value[:60]),
)
def test_broken_answer_is_a_fault_of_the_network(
    raw_server: StartServer, connect: Callable[..., Transport], answer: bytes, says: str
) -> None:
    def break_off(connection: Any) -> None:
        connection.request()
        connection.send(answer)

    error = _fault(connect(raw_server(break_off)))
    assert error.code == "ClientNetworkError"
    assert says in error.message


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 308, 401, 407, 413, 429, 500, 503])
def test_other_status_is_named_and_neither_followed_nor_tried_again(
    raw_server: StartServer, connect: Callable[..., Transport], status: int
) -> None:
    requests = []

    def answer(connection: Any) -> None:
        while head := connection.request():
            requests.append(head)
            connection.send(
                b"HTTP/1.1 %d Private-Reason\r\nLocation: /elsewhere\r\nRetry-After: 0\r\n"
                b"WWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n" % status
            )

    error = _fault(connect(raw_server(answer)))
    assert error.code == "ServerNetworkError"
    assert f"HTTP status {status}" in error.message
    assert "Private" not in str(error)
    assert len(requests) == 1


def test_answer_given_before_the_request_was_read_is_taken(
    raw_server: StartServer, connect: Callable[..., Transport]
) -> None:
    def refuse(connection: Any) -> None:
        connection.head()
        connection.send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        # Reads on, as a gateway does for a while: closed at once, the answer could get lost.
        with suppress(OSError):
            while connection.sock.recv(65536):
                pass

    assert "413" in _fault(connect(raw_server(refuse)), b"x" * 5_000_000).message


def test_body_that_comes_where_headers_belong_is_neither_taken_nor_logged(
    raw_server: StartServer, connect: Callable[..., Transport], caplog: pytest.LogCaptureFixture
) -> None:
    def leave_out_the_empty_line(connection: Any) -> None:
        connection.request()
        connection.send(b'HTTP/1.1 200 OK\r\n["a person"]\r\n\r\n')

    caplog.set_level("DEBUG")
    error = _fault(connect(raw_server(leave_out_the_empty_line)))
    assert "no HTTP" in error.message
    assert "person" not in caplog.text


# Times


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
    raw_server: StartServer, connect: Callable[..., Transport], start: bytes
) -> None:
    def trickle(connection: Any) -> None:
        connection.request()
        connection.send(start)
        connection.send_for_ever(b"1", pause=0.01)

    error = _fault(connect(raw_server(trickle), call_timeout=0.3))
    assert error.code == "ClientNetworkError"
    assert "the whole call took longer than 0.3 s" in error.message


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n{"])
def test_answer_that_stops_ends_with_the_time_between_two_bytes(
    raw_server: StartServer, connect: Callable[..., Transport], start: bytes
) -> None:
    def stop(connection: Any) -> None:
        connection.request()
        connection.send(start)
        connection.closing.wait()

    error = _fault(connect(raw_server(stop), read_timeout=0.2))
    assert error.code == "ClientNetworkError"
    assert "nothing was sent or received for 0.2 s" in error.message


_LARGE = b"x" * 30_000_000  # more than the buffers in between hold


def test_server_that_stops_reading_ends_with_the_time_between_two_bytes(
    raw_server: StartServer, connect: Callable[..., Transport]
) -> None:
    def read_nothing(connection: Any) -> None:
        connection.head()
        connection.closing.wait()

    error = _fault(connect(raw_server(read_nothing), read_timeout=0.2), _LARGE)
    assert "nothing was sent or received for 0.2 s" in error.message


def test_server_that_reads_for_ever_ends_with_the_calls_time(
    raw_server: StartServer, connect: Callable[..., Transport]
) -> None:
    def read_slowly(connection: Any) -> None:
        connection.head()
        while not connection.closing.wait(0.02) and connection.sock.recv(65536):
            pass

    error = _fault(connect(raw_server(read_slowly), call_timeout=0.3), _LARGE)
    assert "the whole call took longer than 0.3 s" in error.message


def test_slow_uplink_may_take_longer_than_connecting(
    raw_server: StartServer, connect: Callable[..., Transport]
) -> None:
    def read_slowly(connection: Any) -> None:
        connection.head()
        left = len(_LARGE)
        while left and (data := connection.file.read1(min(left, 65536))):
            left -= len(data)
            connection.closing.wait(0.001)
        connection.send(_OK)

    assert _post(connect(raw_server(read_slowly), connect_timeout=0.05), _LARGE) == b"ok"


def test_time_limit_of_one_call_does_not_weigh_on_the_next(
    raw_server: StartServer, connect: Callable[..., Transport]
) -> None:
    def answer_late(connection: Any) -> None:
        while connection.request():
            connection.closing.wait(0.1)
            connection.send(_OK)

    transport = connect(raw_server(answer_late), call_timeout=1.0)
    assert [_post(transport) for _ in range(12)] == [b"ok"] * 12


# Requests


def test_nothing_but_the_headers_given_is_added_that_could_tell_of_the_user(
    raw_server: StartServer,
    connect: Callable[..., Transport],
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
    connect: Callable[..., Transport],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("http.client.HTTPConnection.debuglevel", 1)
    _post(connect(raw_server(answering(_OK))), b"a person's image")
    assert "person" not in capsys.readouterr().out
