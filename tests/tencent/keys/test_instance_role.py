from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.errors import CallError, Decision, ImageError
from airflow_provider_permitocr.images.download import Downloader
from airflow_provider_permitocr.options.lists.image_access import ImageAccess
from airflow_provider_permitocr.tencent.keys.credentials import ConnectionKeys
from airflow_provider_permitocr.tencent.keys.instance_role import instance_role_keys
from airflow_provider_permitocr.tencent.keys.sts import caller_identity
from airflow_provider_permitocr.tencent.options import ClientOptions, CredentialKind
from tests.net.proxy import Proxy
from tests.net.raw_server import Connection, RawServer

Emulators = Callable[..., RunningEmulator]


def options_of(endpoint: str, **changes: Any) -> ClientOptions:
    return ClientOptions(
        **{"endpoint": endpoint, "protocol": "http", "credentials": CredentialKind.CVM_ROLE} | changes
    )


def answer(status: str, body: str) -> Callable[[Connection], None]:
    def treat(connection: Connection) -> None:
        while connection.request():
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.send(head.encode() + body.encode())

    return treat


@pytest.mark.parametrize("name", [None, "permit-reader"])
def test_keys_are_those_of_the_role_for_as_long_as_it_says(
    start_label_emulator: Emulators, name: str | None
) -> None:
    emulator = start_label_emulator(instance_role="permit-reader", instance_role_seconds=3600)
    options = options_of(emulator.endpoint, cvm_role_name=name)
    issued = instance_role_keys(options)
    assert 3590 < issued.seconds <= 3600
    assert "assumed-role" in caller_identity(options, ConnectionKeys(issued.keys)).arn


def test_an_emulator_over_tls_stands_for_the_service_too(
    start_label_emulator: Emulators, tmp_path: Any
) -> None:
    emulator = start_label_emulator(instance_role="permit-reader", tls=tmp_path)
    options = options_of(emulator.endpoint, protocol="https", ca_bundle=str(emulator.ca_file))
    assert instance_role_keys(options).keys.token


@pytest.mark.parametrize(("bound", "wanted"), [(None, None), (None, "r"), ("r", "other")])
def test_a_role_that_is_not_bound_is_a_fault_for_good_with_advice(
    start_label_emulator: Emulators, bound: str | None, wanted: str | None
) -> None:
    emulator = start_label_emulator(instance_role=bound)
    with pytest.raises(CallError, match="metadata service") as caught:
        instance_role_keys(options_of(emulator.endpoint, cvm_role_name=wanted))
    assert (caught.value.code, caught.value.decision) == ("ClientKeysUnavailable", Decision.ACCOUNT)
    assert "Bind a role to the instance" in caught.value.advice


def test_outside_of_a_cvm_it_says_so() -> None:
    with pytest.raises(CallError, match="metadata service of the CVM instance") as caught:
        instance_role_keys(options_of("127.0.0.1:1"))
    assert (caught.value.decision, caught.value.was_sent) == (Decision.UNREACHABLE, False)
    assert "Only CVM instances" in caught.value.advice


def test_the_real_service_is_asked_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[Any] = []

    def refuse(host: Any, port: Any, *_: Any, **__: Any) -> Any:
        looked_up.append((host, port))
        raise socket.gaierror(-2, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(CallError):
        instance_role_keys(ClientOptions(credentials=CredentialKind.CVM_ROLE))
    assert set(looked_up) == {("metadata.tencentyun.com", 80)}


def test_no_proxy_gets_the_question(
    start_label_emulator: Emulators, proxy: Proxy, environment: pytest.MonkeyPatch
) -> None:
    emulator = start_label_emulator(instance_role="r")
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        environment.setenv(name, proxy.url())
    assert instance_role_keys(options_of(emulator.endpoint, proxy=proxy.url())).keys
    assert proxy.seen == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("200 OK", ""),
        ("200 OK", "secret-word"),
        ("200 OK", "[" * 20_000),
        ("200 OK", json.dumps({"Code": "Success", "TmpSecretId": "i", "TmpSecretKey": "secret-word"})),
        (
            "200 OK",
            json.dumps({"Code": "Success", "TmpSecretId": "i", "TmpSecretKey": "secret-word ", "Token": 1}),
        ),
        ("200 OK", "x" * 100_000),
        ("500 Oops", "secret-word"),
        ("302 Found", "secret-word"),
    ],
)
def test_what_is_no_answer_is_to_be_asked_for_again_and_not_quoted(
    raw_server: Callable[..., RawServer], told_by: Callable[[BaseException], str], status: str, body: str
) -> None:
    server = raw_server(answer(status, body))
    with pytest.raises(CallError) as caught:
        instance_role_keys(options_of(server.endpoint, cvm_role_name="r"))
    assert caught.value.decision is Decision.RETRY
    assert "secret-word" not in told_by(caught.value)


@pytest.mark.parametrize("name", ["a b", "<html>", "../../user-data", "r?x"])
def test_a_name_that_no_role_can_have_is_not_asked_with(
    raw_server: Callable[..., RawServer], name: str
) -> None:
    server = raw_server(answer("200 OK", name))
    with pytest.raises(CallError, match="no name of a role"):
        instance_role_keys(options_of(server.endpoint))


def test_keys_that_have_ended_point_to_the_clock(start_label_emulator: Emulators) -> None:
    emulator = start_label_emulator(instance_role="r", instance_role_seconds=60)
    with pytest.raises(CallError) as caught:
        instance_role_keys(options_of(emulator.endpoint), now=lambda: 9e9)
    assert "clock" in caught.value.advice


@pytest.mark.parametrize("host", ["metadata.tencentyun.com", "169.254.0.23", "2851995671"])
def test_images_never_lead_to_the_service_while_keys_come_from_it(
    start_label_emulator: Emulators, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    emulator = start_label_emulator(instance_role="r")
    resolve = socket.getaddrinfo

    def resolved(name: Any, *arguments: Any, **options: Any) -> Any:
        return resolve("169.254.0.23" if name == "metadata.tencentyun.com" else name, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    assert instance_role_keys(options_of(emulator.endpoint)).keys
    for access in (
        ImageAccess(fetch_images=True),
        ImageAccess(fetch_images=True, fetch_hosts=(host, "metadata.tencentyun.com")),
    ):
        downloader = Downloader(access)
        with pytest.raises(ImageError) as refused:
            downloader.read(f"http://{host}/latest/meta-data/cam/security-credentials/r", 1000)
        downloader.close()
        assert "not" in refused.value.message
