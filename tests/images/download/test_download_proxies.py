from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.images.download import Downloader
from tests.images.download.exchange import IMAGE, LIMIT, answer, redirect, refused, unavailable
from tests.net.proxy import Proxy

NewDownloader = Callable[..., Downloader]
Serve = Callable[..., Any]


def test_http_is_forwarded_by_the_environments_proxy(
    downloader: NewDownloader, serve: Serve, proxy: Proxy, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("HTTP_PROXY", proxy.url())
    proxy.hosts["images.example.com"] = serve({"/a.png": answer()}).endpoint
    assert downloader(None).read("http://images.example.com/a.png", LIMIT) == IMAGE
    assert proxy.seen == ["GET http://images.example.com/a.png HTTP/1.1"]


def test_https_goes_through_one_tunnel(
    downloader: NewDownloader,
    serve: Serve,
    proxy: Proxy,
    environment: pytest.MonkeyPatch,
    tls: ssl.SSLContext,
) -> None:
    environment.setenv("HTTPS_PROXY", proxy.url())
    proxy.hosts["images.example.com:443"] = serve({"/": answer()}, tls).endpoint
    images = downloader(None)
    assert [images.read("https://images.example.com/", LIMIT) for _ in range(3)] == [IMAGE] * 3
    assert [line.rpartition(" ")[0] for line in proxy.seen] == ["CONNECT images.example.com:443"]


def test_socks_proxy_looks_names_up(
    downloader: NewDownloader, serve: Serve, socks_proxy: Proxy, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("ALL_PROXY", socks_proxy.url(scheme="socks5h"))
    socks_proxy.hosts["images.example.com:80"] = serve({"/": answer()}).endpoint
    assert downloader(None).read("http://images.example.com/", LIMIT) == IMAGE
    assert socks_proxy.seen == ["SOCKS images.example.com:80"]


def test_each_hop_takes_the_way_that_is_its_own(
    downloader: NewDownloader, serve: Serve, proxy: Proxy, environment: pytest.MonkeyPatch
) -> None:
    direct = serve({"/": answer()})
    environment.setenv("HTTP_PROXY", proxy.url())
    environment.setenv("NO_PROXY", "127.0.0.1")
    proxy.hosts["images.example.com"] = serve({"/": redirect(f"http://{direct.endpoint}/")}).endpoint
    images = downloader(("images.example.com", "127.0.0.1"))
    assert images.read("http://images.example.com/", LIMIT) == IMAGE
    assert (len(proxy.seen), direct.connections) == (1, 1)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "0x7f.1", "[::1]", "169.254.169.254", "localhost", "intranet", "metadata.google.internal"],
)
def test_proxy_is_not_asked_for_what_is_seen_to_be_inside(
    downloader: NewDownloader, proxy: Proxy, environment: pytest.MonkeyPatch, host: str
) -> None:
    environment.setenv("HTTP_PROXY", proxy.url())
    refused(downloader(None), f"http://{host}/")
    assert proxy.seen == []


def test_proxy_that_wants_another_password_is_told_without_it(
    downloader: NewDownloader,
    proxy: Proxy,
    environment: pytest.MonkeyPatch,
    told_by: Callable[[BaseException], str],
) -> None:
    environment.setenv("HTTP_PROXY", proxy.url("me:wrong-password"))
    environment.setenv("HTTPS_PROXY", proxy.url("me:wrong-password"))
    forwarded = unavailable(downloader(None), "http://images.example.com/")
    tunneled = unavailable(downloader(None), "https://images.example.com/")
    assert "HTTP status 407" in forwarded.message
    assert "the proxy did not connect (ProxyError, OSError: status 407)" in tunneled.message
    assert "wrong-password" not in told_by(forwarded) + told_by(tunneled)


def test_handshake_through_a_tunnel_ends_with_the_time(
    downloader: NewDownloader, raw_server: Serve, proxy: Proxy, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("HTTPS_PROXY", proxy.url())
    silent = raw_server(lambda connection: connection.closing.wait())
    proxy.hosts["images.example.com:443"] = silent.endpoint
    error = unavailable(downloader(None, fetch_seconds=0.3), "https://images.example.com/")
    assert "not secured in time" in error.message


def test_proxy_that_cannot_be_one_ends_the_run(
    downloader: NewDownloader, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("HTTP_PROXY", "socks9://me:private@proxy")
    with pytest.raises(ConfigurationError, match="proxy") as caught:
        downloader(None).read("http://images.example.com/", LIMIT)
    assert "private" not in str(caught.value)
