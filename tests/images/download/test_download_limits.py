from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_permitocr.images.download import Downloader
from tests.images.download.exchange import IMAGE, LIMIT, answer, redirect, unavailable
from tests.net.malformed import MALFORMED

NewDownloader = Callable[..., Downloader]
Serve = Callable[..., Any]


@pytest.mark.slow
@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nX: ",
    ],
    ids=["status line", "headers", "body", "chunk", "body without a length", "a redirect's body", "404"],
)
def test_answer_that_trickles_for_ever_ends_with_the_time(
    downloader: NewDownloader, raw_server: Serve, start: bytes
) -> None:
    def trickle(connection: Any) -> None:
        connection.request()
        connection.send(start)
        connection.send_for_ever(b"1", pause=0.01)

    url = f"http://{raw_server(trickle).endpoint}/"
    error = unavailable(downloader(fetch_seconds=0.3), url)
    assert error.code == "ImageDownloadFailed"
    assert "longer than 0.3 s" in error.message


def test_answer_that_stops_ends_with_the_time(downloader: NewDownloader, raw_server: Serve) -> None:
    def stop(connection: Any) -> None:
        connection.request()
        connection.send(answer()[:200])
        connection.closing.wait()

    url = f"http://{raw_server(stop).endpoint}/"
    assert "longer than 0.2 s" in unavailable(downloader(fetch_seconds=0.2), url).message


@pytest.mark.slow
def test_time_is_for_all_redirects_together(downloader: NewDownloader, raw_server: Serve) -> None:
    asked = []

    def redirect_late(connection: Any) -> None:
        while head := connection.request():
            asked.append(head)
            connection.closing.wait(0.2)
            connection.send(redirect("/again"))

    url = f"http://{raw_server(redirect_late).endpoint}/"
    assert "longer than 0.5 s" in unavailable(downloader(fetch_seconds=0.5), url).message
    assert len(asked) <= 3


@pytest.mark.slow
def test_time_of_one_image_does_not_weigh_on_the_next(downloader: NewDownloader, raw_server: Serve) -> None:
    def answer_late(connection: Any) -> None:
        while connection.request():
            connection.closing.wait(0.05)
            connection.send(answer())

    images, url = downloader(fetch_seconds=1.0), f"http://{raw_server(answer_late).endpoint}/"
    assert [images.read(url, LIMIT) for _ in range(25)] == [IMAGE] * 25


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
    ],
    ids=["to the connection's end", "announced", "chunked"],
)
def test_endless_answer_is_read_to_one_byte_above_the_limit(
    downloader: NewDownloader, raw_server: Serve, head: bytes
) -> None:
    def never_end(connection: Any) -> None:
        connection.request()
        connection.send(head)
        connection.send_for_ever(b"x" * 65536)

    assert len(downloader().read(f"http://{raw_server(never_end).endpoint}/", 100_000)) == 100_001


@pytest.mark.slow
@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_answer_that_unpacks_to_too_much_is_unpacked_to_one_byte_above_the_limit(
    downloader: NewDownloader, serve: Serve, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    server = serve({"/": answer(pack(bytes(30_000_000)), 200, f"Content-Encoding: {encoding}")})
    assert downloader().read(f"http://{server.endpoint}/", 1000) == bytes(1001)


def test_redirect_that_unpacks_to_much_or_to_nothing_is_followed(
    downloader: NewDownloader, serve: Serve
) -> None:
    moved = answer(b"x" * 70_000, 302, "Content-Encoding: gzip", "Location: /image")
    server = serve({"/": moved, "/image": answer()})
    assert downloader().read(f"http://{server.endpoint}/", LIMIT) == IMAGE


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + IMAGE,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9000\r\n" + IMAGE,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    ],
    ids=["shorter than announced", "chunk cut off", "no last chunk"],
)
def test_image_that_was_cut_off_is_no_image_but_unavailable(
    downloader: NewDownloader, raw_server: Serve, sent: bytes
) -> None:
    def cut_off(connection: Any) -> None:
        connection.request()
        connection.send(sent)

    error = unavailable(downloader(), f"http://{raw_server(cut_off).endpoint}/")
    assert (error.code, error.is_outage) == ("ImageDownloadFailed", False)
    assert "the answer ended early" in error.message


def test_what_comes_after_the_announced_length_is_part_of_no_image(
    downloader: NewDownloader, raw_server: Serve
) -> None:
    def say_more(connection: Any) -> None:
        while head := connection.request():
            smuggled = answer(b"smuggled")
            connection.send(answer(b"ok") + smuggled if head[0].split()[1] == "/first" else answer())

    server = raw_server(say_more)
    images = downloader()
    assert images.read(f"http://{server.endpoint}/first", LIMIT) == b"ok"
    assert images.read(f"http://{server.endpoint}/second", LIMIT) == IMAGE


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "not HTTP"),
        (answer(b"half", 200, "Content-Encoding: gzip"), "could not be decompressed"),
        (answer(b"half", 200, "Content-Encoding: " + ", ".join(["gzip"] * 100)), "decompressed"),
    ],
    ids=["SSH", "long header", "no gzip", "wrapped a hundred times"],
)
def test_broken_answer_is_a_passing_fault(
    downloader: NewDownloader, raw_server: Serve, sent: bytes, says: str
) -> None:
    def break_off(connection: Any) -> None:
        connection.request()
        connection.send(sent)

    error = unavailable(downloader(), f"http://{raw_server(break_off).endpoint}/")
    assert says in error.message
    assert not error.is_outage


@pytest.mark.slow
@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_http_is_tried_again_by_the_next_run(
    downloader: NewDownloader, raw_server: Serve, content: bytes
) -> None:
    def answer_once(connection: Any) -> None:
        connection.request()
        connection.send(content)

    error = unavailable(downloader(), f"http://{raw_server(answer_once).endpoint}/")
    assert error.code == "ImageDownloadFailed"
    assert "no complete response" in error.message
