from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.images.download import Downloader
from tests.images.download.exchange import IMAGE, LIMIT, answer, redirect, unavailable
from tests.net.internet import Internet

NewDownloader = Callable[..., Downloader]
Serve = Callable[..., Any]


def test_https_is_trusted_through_the_environments_authorities(
    downloader: NewDownloader, serve: Serve, tls: ssl.SSLContext, environment: pytest.MonkeyPatch
) -> None:
    server = serve({"/": answer()}, tls)
    images = downloader()
    assert [images.read(f"https://{server.endpoint}/", LIMIT) for _ in range(5)] == [IMAGE] * 5
    assert server.connections == 1
    environment.delenv("REQUESTS_CA_BUNDLE")
    error = unavailable(downloader(), f"https://{server.endpoint}/")
    assert "TLS failed (SSLError, SSLCertVerificationError: unable to get local issuer" in error.message


def test_certificate_is_held_against_the_name_and_not_the_address(
    downloader: NewDownloader, serve: Serve, tls: ssl.SSLContext, internet: Internet
) -> None:
    server = serve({"/": answer()}, tls)
    right = internet.add("images.example.com", server.endpoint)
    wrong = internet.add("private-name.example.com", server.endpoint)
    images = downloader(None)
    assert images.read(f"https://{right}/", LIMIT) == IMAGE
    error = unavailable(images, f"https://{wrong}/")
    assert "TLS failed" in error.message
    assert "private-name" not in error.message


def test_redirect_from_https_to_http_is_not_followed(
    downloader: NewDownloader, serve: Serve, tls: ssl.SSLContext
) -> None:
    plain = serve({"/": answer()})
    server = serve({"/": redirect(f"http://{plain.endpoint}/")}, tls)
    assert "from https to http" in unavailable(downloader(), f"https://{server.endpoint}/").message
    assert plain.connections == 0


def test_redirect_from_http_to_https_is_followed(
    downloader: NewDownloader, serve: Serve, tls: ssl.SSLContext
) -> None:
    secured = serve({"/": answer()}, tls)
    plain = serve({"/": redirect(f"https://{secured.endpoint}/")})
    assert downloader().read(f"http://{plain.endpoint}/", LIMIT) == IMAGE


def test_handshake_that_is_never_answered_ends_with_the_time(
    downloader: NewDownloader, raw_server: Serve
) -> None:
    server = raw_server(lambda connection: connection.closing.wait())
    error = unavailable(downloader(fetch_seconds=0.2), f"https://{server.endpoint}/")
    assert error.code == "ImageDownloadFailed"
    assert "not secured in time" in error.message


def test_server_that_speaks_no_tls_is_a_passing_fault(downloader: NewDownloader, raw_server: Serve) -> None:
    server = raw_server(lambda connection: connection.send(answer()))
    error = unavailable(downloader(), f"https://{server.endpoint}/")
    assert error.code == "ImageDownloadFailed"
    assert "TLS failed" in error.message


def test_authorities_that_cannot_be_read_are_named_at_once(
    downloader: NewDownloader, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("REQUESTS_CA_BUNDLE", "/no/such/ca.pem")
    with pytest.raises(ConfigurationError, match=r"/no/such/ca\.pem.*REQUESTS_CA_BUNDLE"):
        downloader()
