"""Rude servers, proxies and a clean environment, for the tests of all that uses the network."""

from __future__ import annotations

import ssl
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.net.proxy import Proxy
from tests.net.raw_server import Connection, RawServer


@pytest.fixture
def raw_server() -> Iterator[Callable[..., RawServer]]:
    """Start servers that treat each connection as a function says, over TLS where there is a context."""
    with ExitStack() as stack:

        def start(treat: Callable[[Connection], None], context: ssl.SSLContext | None = None) -> RawServer:
            server = RawServer(treat, context)
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing of the machine's own proxies and authorities."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture(scope="session")
def told_by() -> Callable[[BaseException], str]:
    """Return all that an error tells, in its message, its attributes or its printed traceback."""

    def tell(error: BaseException) -> str:
        printed = "".join(traceback.format_exception(error))
        return f"{error!r} {vars(error)!r} {printed}"

    return tell


@pytest.fixture
def proxy(raw_server: Callable[..., Any]) -> Proxy:
    """A running HTTP proxy."""
    made = Proxy()
    made.endpoint = raw_server(made.treat).endpoint
    return made


@pytest.fixture
def socks_proxy(raw_server: Callable[..., Any]) -> Proxy:
    """A running SOCKS5 proxy."""
    made = Proxy()
    made.endpoint = raw_server(made.treat_socks).endpoint
    return made
