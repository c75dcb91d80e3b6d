from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_permitocr import __version__
from airflow_provider_permitocr.images.download import Downloader
from tests.images.download.exchange import IMAGE, LIMIT, answer, redirect, unavailable

NewDownloader = Callable[..., Downloader]
Serve = Callable[..., Any]


def test_images_come_over_one_kept_connection(downloader: NewDownloader, serve: Serve) -> None:
    server = serve({"/a.png": answer(), "/b.png?c=d": answer(b"other")})
    images = downloader()
    assert [images.read(f"http://{server.endpoint}/a.png", LIMIT) for _ in range(20)] == [IMAGE] * 20
    assert images.read(f"http://{server.endpoint}/b.png?c=d#e", LIMIT) == b"other"
    assert server.connections == 1


@pytest.mark.slow
def test_many_threads_share_connections_and_get_each_their_own_image(
    downloader: NewDownloader, serve: Serve
) -> None:
    numbers = range(400)
    server = serve({f"/{each}": answer(IMAGE + str(each).encode()) for each in numbers})
    images = downloader()
    with ThreadPoolExecutor(24) as pool:
        contents = list(pool.map(lambda n: images.read(f"http://{server.endpoint}/{n}", LIMIT), numbers))
    assert contents == [IMAGE + str(each).encode() for each in numbers]
    assert server.connections <= 24


def test_connection_that_the_server_closed_between_two_images_is_replaced(
    downloader: NewDownloader, raw_server: Serve
) -> None:
    def answer_once(connection: Any) -> None:
        connection.request()
        connection.send(answer())

    server = raw_server(answer_once)
    images = downloader()
    assert [images.read(f"http://{server.endpoint}/", LIMIT) for _ in range(5)] == [IMAGE] * 5


def test_kept_connection_that_is_closed_as_the_request_arrives_is_replaced_once(
    downloader: NewDownloader, raw_server: Serve
) -> None:
    def close_late(connection: Any) -> None:
        connection.request()
        connection.send(answer())
        connection.request()

    server = raw_server(close_late)
    images = downloader()
    assert [images.read(f"http://{server.endpoint}/", LIMIT) for _ in range(4)] == [IMAGE] * 4
    assert server.connections == 4


def test_server_that_never_answers_is_asked_twice_at_most(
    downloader: NewDownloader, raw_server: Serve
) -> None:
    server = raw_server(lambda connection: connection.request())
    error = unavailable(downloader(), f"http://{server.endpoint}/")
    assert (error.code, error.is_outage, server.connections) == ("ImageDownloadFailed", True, 2)
    assert "the connection was lost" in error.message


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        answer(gzip.compress(b"ok"), 200, "Content-Encoding: gzip"),
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
    ],
    ids=["chunked", "gzip though not asked for", "until the connection ends"],
)
def test_image_is_read_however_it_is_sent(downloader: NewDownloader, raw_server: Serve, sent: bytes) -> None:
    def once(connection: Any) -> None:
        connection.request()
        connection.send(sent)

    assert downloader().read(f"http://{raw_server(once).endpoint}/", LIMIT) == b"ok"


def test_request_says_who_asks_and_nothing_of_the_user(
    downloader: NewDownloader, raw_server: Serve, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password private\n")
    netrc.chmod(0o600)
    environment.setenv("NETRC", str(netrc))
    heads = []

    def note(connection: Any) -> None:
        while head := connection.request():
            heads.append(head)
            connection.send(answer(b"ok", 200, "Set-Cookie: a=b"))

    server = raw_server(note)
    images = downloader()
    for _ in range(2):
        images.read(f"http://{server.endpoint}/a%20b/ü.png?x=1&y=%e4#z", LIMIT)
    assert heads[0] == heads[1]
    assert heads[0][0] == "GET /a%20b/%C3%BC.png?x=1&y=%E4 HTTP/1.1"
    assert sorted(heads[0][1:]) == [
        "Accept-Encoding: identity",
        "Accept: */*",
        f"Host: {server.endpoint}",
        f"User-Agent: airflow_provider_permitocr/{__version__}",
    ]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((status, "ImageNotFound") for status in (404, 410)),
        *((status, "ImageAccessDenied") for status in (401, 403)),
        *((status, "ImageDownloadFailed") for status in (201, 204, 206, 300, 302, 304, 400, 407)),
    ],
)
def test_other_status_than_200_is_no_image_but_may_pass(
    downloader: NewDownloader, serve: Serve, status: int, code: str
) -> None:
    server = serve({"/": answer(b"" if status in (204, 304) else IMAGE, status)})
    error = unavailable(downloader(), f"http://{server.endpoint}/")
    assert error.code == code
    assert f"HTTP status {status}" in error.message
    assert not error.is_outage


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_status_of_a_server_that_is_down_or_busy_says_nothing_of_the_image(
    downloader: NewDownloader, serve: Serve, status: int
) -> None:
    server = serve({"/": answer(IMAGE, status)})
    error = unavailable(downloader(), f"http://{server.endpoint}/")
    assert f"HTTP status {status}" in error.message
    assert error.is_outage


@pytest.mark.slow
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    ["http://{endpoint}/b/image.png", "/b/image.png", "../b/image.png", "//{endpoint}/b/image.png"],
)
def test_redirect_is_followed_over_the_same_connection(
    downloader: NewDownloader, raw_server: Serve, status: int, location: str
) -> None:
    def treat(connection: Any) -> None:
        while head := connection.request():
            moved = redirect(location.format(endpoint=server.endpoint), status)
            connection.send(answer() if "/b/image.png" in head[0] else moved)

    server = raw_server(treat)
    assert downloader().read(f"http://{server.endpoint}/a/image.png", LIMIT) == IMAGE
    assert server.connections == 1


def test_location_in_plain_utf8_is_followed(downloader: NewDownloader, raw_server: Serve) -> None:
    def treat(connection: Any) -> None:
        while head := connection.request():
            connection.send(answer() if "%E8%AF%81" in head[0] else redirect("/证.png"))

    assert downloader().read(f"http://{raw_server(treat).endpoint}/", LIMIT) == IMAGE


def test_five_redirects_are_followed_and_no_sixth(downloader: NewDownloader, serve: Serve) -> None:
    server = serve({f"/{n}": redirect(f"/{n + 1}") for n in range(6)} | {"/6": answer()})
    images = downloader()
    assert images.read(f"http://{server.endpoint}/1", LIMIT) == IMAGE
    error = unavailable(images, f"http://{server.endpoint}/0")
    assert (error.code, "more than 5 times" in error.message) == ("ImageDownloadFailed", True)


def test_redirects_in_a_circle_end(downloader: NewDownloader, raw_server: Serve) -> None:
    asked = []

    def treat(connection: Any) -> None:
        while head := connection.request():
            asked.append(head[0])
            connection.send(redirect("/"))

    assert unavailable(downloader(), f"http://{raw_server(treat).endpoint}/").code == "ImageDownloadFailed"
    assert len(asked) == 6


@pytest.mark.parametrize(
    "location", ["ftp://127.0.0.1/", "file:///etc/passwd", "http://[", "http://me:x@127.0.0.1/"]
)
def test_redirect_to_what_is_no_plain_url_is_not_followed(
    downloader: NewDownloader, serve: Serve, location: str
) -> None:
    server = serve({"/": redirect(location)})
    error = unavailable(downloader(), f"http://{server.endpoint}/")
    assert "it was redirected to a URL that" in error.message


def test_closing_closes_the_connections(downloader: NewDownloader, raw_server: Serve) -> None:
    ended = threading.Event()

    def until_the_end(connection: Any) -> None:
        while connection.request():
            connection.send(answer())
        ended.set()

    images = downloader()
    images.read(f"http://{raw_server(until_the_end).endpoint}/", LIMIT)
    assert not ended.is_set()
    images.close()
    assert ended.wait(10)
