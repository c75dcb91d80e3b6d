from __future__ import annotations

import gzip
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from airflow_provider_permitocr.errors import Decision
from airflow_provider_permitocr.tencent.transport import MAX_ANSWER_BYTES, Transport
from tests.net.malformed import MALFORMED
from tests.tencent.raw_exchange import OK, fault, post

#: Servers of the raw kind; what they do with a connection is a function of it.
StartServer = Callable[..., Any]
Connect = Callable[..., Transport]
Answering = Callable[..., Callable[[Any], None]]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nX: y\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 22\r\n\r\n" + gzip.compress(b"ok"),
        b"HTTP/1.1 200\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["chunked", "after a 100", "gzip", "no reason"],
)
def test_answer_is_read_however_it_is_sent(
    raw_server: StartServer, connect: Connect, answering: Answering, answer: bytes
) -> None:
    server = raw_server(answering(answer))
    transport = connect(server)
    assert [post(transport), post(transport)] == [b"ok", b"ok"]
    assert server.connections == 1


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_answer_that_ends_with_its_connection_is_read(
    raw_server: StartServer, connect: Connect, version: bytes
) -> None:
    def answer_once(connection: Any) -> None:
        connection.request()
        connection.send(b"HTTP/" + version + b" 200 OK\r\nConnection: close\r\n\r\nok")

    assert post(connect(raw_server(answer_once))) == b"ok"


def test_largest_answer_is_taken(raw_server: StartServer, connect: Connect, answering: Answering) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MAX_ANSWER_BYTES
    server = raw_server(answering(head + b"x" * MAX_ANSWER_BYTES))
    assert len(post(connect(server))) == MAX_ANSWER_BYTES


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
    ],
    ids=["to the connection's end", "announced", "chunked"],
)
def test_endless_answer_ends(raw_server: StartServer, connect: Connect, head: bytes) -> None:
    def never_end(connection: Any) -> None:
        connection.request()
        connection.send(head)
        connection.send_for_ever(b"x" * 65536)

    error = fault(connect(raw_server(never_end)))
    assert error.code == "ClientMalformedAnswer.TooLong"
    assert "longer than" in error.message


def test_answer_that_unpacks_to_too_much_ends(
    raw_server: StartServer, connect: Connect, answering: Answering
) -> None:
    bomb = gzip.compress(bytes(4 * MAX_ANSWER_BYTES))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    assert fault(connect(raw_server(answering(head + bomb)))).code == "ClientMalformedAnswer.TooLong"


_HEAD = b"HTTP/1.1 200 OK"
_CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("answer", "fault_name", "says"),
    [
        (b"", "ConnectionLost", "the connection was lost (ProtocolError, RemoteDisconnected)"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "NotHttp", "not HTTP"),
        (b"%s\r\nContent-Length: 10\r\n\r\nhalf" % _HEAD, "AnswerTruncated", "the answer ended early"),
        (b"%s\r\n%s\r\n\r\nf\r\nhalf" % (_HEAD, _CHUNKED), "AnswerTruncated", "the answer ended early"),
        (b"%s\r\n%s\r\n\r\nhello\r\n" % (_HEAD, _CHUNKED), "AnswerTruncated", "IncompleteRead"),
        (b"SSH-2.0-OpenSSH\r\n", "NotHttp", "BadStatusLine"),
        (
            b"%s\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf" % _HEAD,
            "NotDecompressed",
            "decompressed",
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "NotHttp", "LineTooLong"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, "NotHttp", "not HTTP"),
    ],
    ids=lambda value: repr(value[:60]),
)
def test_broken_answer_is_a_fault_of_the_network(
    raw_server: StartServer, connect: Connect, answer: bytes, fault_name: str, says: str
) -> None:
    def break_off(connection: Any) -> None:
        connection.request()
        connection.send(answer)

    error = fault(connect(raw_server(break_off)))
    assert (error.code, error.billed) == (f"ClientNetworkError.{fault_name}", None)
    assert says in error.message


_STATUS_CODES = {
    407: "ClientNetworkError.ProxyDenied",
    413: "ServerNetworkError.TooLarge",
    429: "ServerNetworkError.TooManyRequests",
    503: "ServerNetworkError.Unavailable",
}


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 308, 401, 407, 413, 429, 500, 503])
def test_other_status_is_named_and_neither_followed_nor_tried_again(
    raw_server: StartServer, connect: Connect, status: int
) -> None:
    requests = []

    def answer(connection: Any) -> None:
        while head := connection.request():
            requests.append(head)
            connection.send(
                b"HTTP/1.1 %d Private-Reason\r\nLocation: /elsewhere\r\nRetry-After: 0\r\n"
                b"WWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n" % status
            )

    error = fault(connect(raw_server(answer)))
    assert error.code == _STATUS_CODES.get(status, "ServerNetworkError")
    assert f"HTTP status {status}" in error.message
    assert "Private" not in str(error)
    assert len(requests) == 1


def test_answer_given_before_the_request_was_read_is_taken(raw_server: StartServer, connect: Connect) -> None:
    def refuse(connection: Any) -> None:
        connection.head()
        connection.send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        # Reads on, as a gateway does for a while: closed at once, the answer could get lost.
        with suppress(OSError):
            while connection.sock.recv(65536):
                pass

    assert "413" in fault(connect(raw_server(refuse)), b"x" * 5_000_000).message


def test_body_that_comes_where_headers_belong_is_neither_taken_nor_logged(
    raw_server: StartServer, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    def leave_out_the_empty_line(connection: Any) -> None:
        connection.request()
        connection.send(b'HTTP/1.1 200 OK\r\n["a person"]\r\n\r\n')

    caplog.set_level("DEBUG")
    error = fault(connect(raw_server(leave_out_the_empty_line)))
    assert "not HTTP" in error.message
    assert "person" not in caplog.text


@pytest.mark.parametrize("answer", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_http_is_a_fault_that_may_pass(
    raw_server: StartServer, connect: Connect, answer: bytes
) -> None:
    def answer_once(connection: Any) -> None:
        connection.request()
        connection.send(answer)

    error = fault(connect(raw_server(answer_once), call_timeout=10.0))
    assert error.code.startswith("ClientNetworkError.")
    assert error.decision is Decision.RETRY
