"""The values of a table may be hostile: none of them leads into the worker's network by itself."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_permitocr.errors import ImageRejectedError
from airflow_provider_permitocr.images.download import Downloader
from tests.images.download.exchange import IMAGE, LIMIT, answer, fault, redirect, refused, unavailable
from tests.net.internet import Internet

NewDownloader = Callable[..., Downloader]
Serve = Callable[..., Any]


@pytest.fixture
def inner(serve: Serve) -> Any:
    """A server of the worker's own network, which holds a secret."""
    return serve({"/": answer(b"secret"), "/image": answer(b"secret")})


def test_public_host_is_reached_without_being_named(
    downloader: NewDownloader, serve: Serve, internet: Internet
) -> None:
    host = internet.add("images.example.com", serve({"/": answer()}).endpoint)
    assert downloader(None).read(f"http://{host}/", LIMIT) == IMAGE
    assert internet.connected == ["8.8.4.4"]


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1.", "localhost", "LOCALHOST.", "0.0.0.0", "0", "127.1", "2130706433"),
        *("0x7f000001", "0x7f.1", "0177.0.0.1", "[::1]", "[::]", "[::ffff:127.0.0.1]"),
        *("[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]"),
    ],
)
def test_this_machine_is_not_reached_by_any_of_its_spellings(
    downloader: NewDownloader, inner: Any, internet: Internet, host: str
) -> None:
    port = inner.endpoint.rpartition(":")[2]
    refused(downloader(None), f"http://{host}:{port}/")
    assert (internet.connected, inner.connections) == ([], 0)


@pytest.mark.parametrize(
    "named", [None, (".example.com",), ("169.254.169.254", "[fe80::1]", "meta.example.com")]
)
@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[fe80::1]",
        "[fe80::1%25eth0]",
        "0xa9fea9fe",
        "meta.example.com",
    ],
)
def test_metadata_of_a_cloud_is_never_reached(
    downloader: NewDownloader, internet: Internet, named: tuple[str, ...] | None, host: str
) -> None:
    internet.answers["meta.example.com"] = [["169.254.169.254", "fe80::1"]]
    refused(downloader(named), f"http://{host}/latest/meta-data/")
    assert internet.connected == []


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.7", "::1", "fd00::7", "::ffff:127.0.0.1", "224.0.0.1"]
)
def test_name_that_leads_inside_is_refused_before_anything_is_connected(
    downloader: NewDownloader, internet: Internet, address: str
) -> None:
    internet.answers["images.example.com"] = [[address]]
    refused(downloader(None), "http://images.example.com/")
    assert internet.connected == []


def test_of_a_names_addresses_only_the_permitted_are_tried(
    downloader: NewDownloader, serve: Serve, inner: Any, internet: Internet
) -> None:
    host = internet.add("images.example.com", serve({"/": answer()}).endpoint)
    internet.answers["images.example.com"] = [["127.0.0.1", "8.8.4.4", "10.0.0.7"]]
    assert downloader(None).read(f"http://{host}/", LIMIT) == IMAGE
    internet.servers["8.8.4.4"] = "127.0.0.1:1"
    internet.answers["images.example.com"] = [["8.8.4.4", "127.0.0.1"]]
    assert "could not connect" in unavailable(downloader(None), f"http://{host}/").message
    assert internet.connected == ["8.8.4.4"] * 2


def test_next_address_is_tried_where_the_first_does_not_answer(
    downloader: NewDownloader, serve: Serve, internet: Internet
) -> None:
    host = internet.add("images.example.com", serve({"/": answer()}).endpoint)
    internet.servers["1.1.1.1"] = "127.0.0.1:1"
    internet.answers["images.example.com"] = [["1.1.1.1", "8.8.4.4"]]
    assert downloader(None).read(f"http://{host}/", LIMIT) == IMAGE
    assert internet.connected == ["1.1.1.1", "8.8.4.4"]


def test_resolver_that_answers_differently_the_second_time_gains_nothing(
    downloader: NewDownloader, raw_server: Serve, inner: Any, internet: Internet
) -> None:
    def once(connection: Any) -> None:
        connection.request()
        connection.send(answer(IMAGE, 200, "Connection: close"))

    outer = raw_server(once)
    port = inner.endpoint.rpartition(":")[2]
    internet.servers["8.8.4.4"] = outer.endpoint
    internet.answers["rebinding.example.com"] = [["8.8.4.4"], ["127.0.0.1"]]
    images, url = downloader(None), f"http://rebinding.example.com:{port}/"
    assert images.read(url, LIMIT) == IMAGE
    assert internet.lookups == ["rebinding.example.com"]
    refused(images, url)
    assert internet.connected == ["8.8.4.4"]
    assert inner.connections == 0


def test_peer_that_is_another_than_was_connected_to_is_sent_nothing(
    downloader: NewDownloader, raw_server: Serve, internet: Internet, environment: pytest.MonkeyPatch
) -> None:
    received = []
    ended = threading.Event()

    def note(connection: Any) -> None:
        received.append(connection.file.read())
        ended.set()

    host = internet.add("images.example.com", raw_server(note).endpoint)
    environment.setattr(socket.socket, "getpeername", lambda _sock: ("127.0.0.1", 80))
    refused(downloader(None), f"http://{host}/")
    assert ended.wait(10)
    assert received == [b""]


@pytest.mark.parametrize(
    "location", ["http://{inner}/", "//{inner}/", "http://inner.example.com/", "http://localhost/"]
)
def test_redirect_inside_is_refused(
    downloader: NewDownloader, serve: Serve, inner: Any, internet: Internet, location: str
) -> None:
    server = serve({"/": redirect(location.format(inner=inner.endpoint))})
    host = internet.add("images.example.com", server.endpoint)
    internet.answers["inner.example.com"] = [["10.0.0.7"]]
    refused(downloader(None), f"http://{host}/")
    assert (internet.connected, inner.connections) == (["8.8.4.4"], 0)


def test_redirect_to_another_public_host_is_followed(
    downloader: NewDownloader, serve: Serve, internet: Internet
) -> None:
    store = internet.add("store.example.com", serve({"/signed": answer()}).endpoint, "1.1.1.1")
    host = internet.add("images.example.com", serve({"/": redirect(f"http://{store}/signed")}).endpoint)
    assert downloader(None).read(f"http://{host}/", LIMIT) == IMAGE


def test_redirect_inside_is_followed_to_a_named_host_alone(
    downloader: NewDownloader, serve: Serve, inner: Any, internet: Internet
) -> None:
    server = serve({"/": redirect(f"http://{inner.endpoint}/image")})
    host = internet.add("images.example.com", server.endpoint)
    named = downloader((".example.com", "127.0.0.1"))
    assert named.read(f"http://{host}/", LIMIT) == b"secret"
    refused(downloader((".example.com",)), f"http://{host}/")


def test_with_a_list_of_hosts_no_other_is_reached(
    downloader: NewDownloader, serve: Serve, internet: Internet
) -> None:
    server = serve({"/": answer()})
    named = internet.add("a.images.example.com", server.endpoint)
    other = internet.add("images.example.com", server.endpoint)
    images = downloader((".images.example.com",))
    assert images.read(f"http://{named}/", LIMIT) == IMAGE
    refused(images, f"http://{other}/")
    refused(images, f"http://8.8.4.4:{other.rpartition(':')[2]}/")
    assert internet.lookups == ["a.images.example.com"]


def test_named_host_may_be_inside(downloader: NewDownloader, serve: Serve, internet: Internet) -> None:
    server = serve({"/": answer()})
    internet.answers["images.corp"] = [["127.0.0.1"]]
    url = f"http://images.corp:{server.endpoint.rpartition(':')[2]}/"
    assert downloader(("images.corp",)).read(url, LIMIT) == IMAGE


@pytest.mark.parametrize("user", ["me@", "me:password@", ":@"])
def test_url_that_holds_a_user_is_rejected(downloader: NewDownloader, serve: Serve, user: str) -> None:
    server = serve({"/": answer()})
    error = fault(downloader(), f"http://{user}{server.endpoint}/")
    assert isinstance(error, ImageRejectedError)
    assert (error.code, server.connections) == ("ImageReferenceUnknown", 0)


def test_name_that_leads_nowhere_is_a_passing_fault(
    downloader: NewDownloader, internet: Internet, environment: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_named: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    environment.setattr(socket, "getaddrinfo", fail)
    error = unavailable(downloader(None), "http://nowhere.example.com/")
    assert (error.code, error.is_outage) == ("ImageDownloadFailed", True)
    assert "its name could not be resolved (NameResolutionError, gaierror: Name or" in error.message
