"""Downloaders, and servers of images."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_permitocr.emulator.tls import server_context
from airflow_provider_permitocr.images.download import Downloader
from airflow_provider_permitocr.options.lists.image_access import ImageAccess
from tests.net.internet import Internet
from tests.net.raw_server import Connection, RawServer


@pytest.fixture(autouse=True)
def environment(clean_environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing of the machine's own proxies and authorities."""
    return clean_environment


@pytest.fixture
def downloader() -> Iterator[Callable[..., Downloader]]:
    """Make downloaders, by default from this machine alone and for ten seconds at most."""
    with ExitStack() as stack:

        def make(fetch_hosts: tuple[str, ...] | None = ("127.0.0.1",), **options: Any) -> Downloader:
            defaults: dict[str, Any] = {"fetch_images": True, "fetch_seconds": 10.0}
            images = ImageAccess(fetch_hosts=fetch_hosts, **(defaults | options))
            return stack.enter_context(closing(Downloader(images)))

        yield make


@pytest.fixture
def serve(raw_server: Callable[..., RawServer]) -> Callable[..., RawServer]:
    """Start servers that answer each path, of many requests to a connection, with these bytes."""

    def start(answers: dict[str, bytes], context: ssl.SSLContext | None = None) -> RawServer:
        def treat(connection: Connection) -> None:
            while head := connection.request():
                connection.send(answers[head[0].split()[1]])

        return raw_server(treat, context)

    return start


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Internet:
    """Names and public addresses that lead to servers of this machine."""
    return Internet(monkeypatch)


@pytest.fixture
def tls(tmp_path: Path, environment: pytest.MonkeyPatch) -> ssl.SSLContext:
    """TLS of a server for localhost, 127.0.0.1 and images.example.com, trusted by the environment."""
    context = server_context(tmp_path, "images.example.com")
    environment.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    return context
