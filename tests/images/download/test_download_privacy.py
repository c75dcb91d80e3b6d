"""A URL is a value of the image list, and a signed one opens the image to whoever reads it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_permitocr.errors import ImageError
from airflow_provider_permitocr.images.download import Downloader
from tests.images.download.exchange import IMAGE, LIMIT, answer, fault, redirect
from tests.net.internet import Internet

NewDownloader = Callable[..., Downloader]
Serve = Callable[..., Any]
ToldBy = Callable[[BaseException], str]

SECRETS = ("chan-tai-man", "q-signature", "0123456789abcdef")
PATH = "/chan-tai-man.jpg?q-signature=0123456789abcdef"


def _assert_silent(told: str) -> None:
    assert not [each for each in (*SECRETS, "127.0.0.1", "example") if each in told]


def test_download_logs_nothing_of_the_url_at_any_level(
    downloader: NewDownloader, serve: Serve, all_logged: Callable[[], str], internet: Internet
) -> None:
    server = serve({PATH: redirect("/next"), "/next": answer()})
    host = internet.add("chan-tai-man.example.com", server.endpoint)
    images = downloader(None)
    for _ in range(2):
        assert images.read(f"http://{host}{PATH}", LIMIT) == IMAGE
    _assert_silent(all_logged())


def test_other_programs_lines_of_urllib3_are_still_logged(
    downloader: NewDownloader, serve: Serve, all_logged: Callable[[], str]
) -> None:
    import urllib3

    server = serve({"/": answer(), "/others": answer()})
    downloader().read(f"http://{server.endpoint}/", LIMIT)
    with urllib3.PoolManager() as others:
        others.request("GET", f"http://{server.endpoint}/others")
    assert "Starting new HTTP connection" in all_logged()
    assert "/others" in all_logged()


@pytest.mark.slow
@pytest.mark.parametrize(
    "sent",
    [
        *(answer(b"", status) for status in (301, 401, 404, 500)),
        *(redirect(where + PATH) for where in ("http://10.0.0.7", "http://chan-tai-man@a.b", "ftp://a", "")),
        b"",
        b"chan-tai-man",
        b"HTTP/1.1 200 OK\r\nchan-tai-man\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nchan-tai-man",
        answer(b"chan-tai-man", 200, "Content-Encoding: gzip"),
    ],
    ids=lambda value: repr(value[:70]),
)
def test_fault_tells_nothing_of_the_url_or_the_answer(
    downloader: NewDownloader,
    raw_server: Serve,
    all_logged: Callable[[], str],
    told_by: ToldBy,
    internet: Internet,
    sent: bytes,
) -> None:
    def treat(connection: Any) -> None:
        while connection.request() and sent:
            connection.send(sent)
            if b"Content-Length" not in sent or b": 100" in sent:
                return

    host = internet.add("chan-tai-man.example.com", raw_server(treat).endpoint)
    _assert_silent(told_by(fault(downloader(None), f"http://{host}{PATH}")).replace(__file__, ""))
    _assert_silent(all_logged())


@pytest.mark.slow
@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://127.0.0.1:1",
            "https://127.0.0.1:1",
            "http://chan-tai-man:x@127.0.0.1",
            "http://127.0.0.1:port",
        ),
        *("http://chan-tai-man.invalid", "http://[127.0.0.1", "http://a..example", "http://10.0.0.7"),
    ],
)
def test_url_that_leads_nowhere_is_not_quoted(
    downloader: NewDownloader, all_logged: Callable[[], str], told_by: ToldBy, internet: Internet, url: str
) -> None:
    internet.answers["chan-tai-man.invalid"] = [["10.0.0.7"]]
    internet.servers["10.0.0.7"] = "127.0.0.1:1"
    _assert_silent(told_by(fault(downloader(("127.0.0.1", "chan-tai-man.invalid")), url + PATH)))
    _assert_silent(all_logged())


def test_wrong_certificate_does_not_tell_the_host(
    downloader: NewDownloader,
    serve: Serve,
    tls: ssl.SSLContext,
    internet: Internet,
    all_logged: Callable[[], str],
    told_by: ToldBy,
) -> None:
    host = internet.add("chan-tai-man.example.com", serve({PATH: answer()}, tls).endpoint)
    _assert_silent(told_by(fault(downloader(None), f"https://{host}{PATH}")))
    _assert_silent(all_logged())


@pytest.mark.slow
def test_any_url_is_answered_with_the_image_errors_that_become_rows(
    downloader: NewDownloader, environment: pytest.MonkeyPatch
) -> None:
    def refuse(_sock: object, _address: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    environment.setattr("socket.socket.connect", refuse)
    images = downloader()

    @settings(deadline=None)
    @given(
        text=st.text(),
        start=st.sampled_from(["http://", "https://", "http://127.0.0.1:", "http://127.0.0.1:1/"]),
    )
    def read(text: str, start: str) -> None:
        with pytest.raises(ImageError):
            images.read(start + text, LIMIT)

    read()
