from __future__ import annotations

import socket
import ssl
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from tests.emulator.conftest import Caller


def handshake(caller: Caller, name: str, ca_file: Path) -> str | None:
    context = ssl.create_default_context(cafile=str(ca_file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    address = (caller.emulator.host, caller.emulator.port)
    plain = socket.create_connection(address, timeout=10)
    with plain, context.wrap_socket(plain, server_hostname=name) as secure:
        return secure.version()


def test_client_that_trusts_the_authority_is_served(start: Callable[..., Caller], tmp_path: Path) -> None:
    caller = start(tls=tmp_path)
    url = f"{caller.emulator.url}/_emulator/health"
    assert url.startswith("https://")
    assert requests.get(url, verify=str(tmp_path / "ca.pem"), timeout=10).json() == {"status": "ok"}


def test_client_that_does_not_trust_the_authority_refuses(
    start: Callable[..., Caller], tmp_path: Path
) -> None:
    start(tls=tmp_path / "another")
    caller = start(tls=tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(caller, "localhost", tmp_path / "another" / "ca.pem")


@pytest.mark.parametrize(
    "name",
    [
        "127.0.0.1",
        "localhost",
        "ocr.tencentcloudapi.com",
        "ocr.intl.tencentcloudapi.com",
        "sts.tencentcloudapi.com",
        "sts.intl.tencentcloudapi.com",
    ],
)
def test_certificate_is_for_every_name_that_clients_use(
    start: Callable[..., Caller], tmp_path: Path, name: str
) -> None:
    assert handshake(start(tls=tmp_path), name, tmp_path / "ca.pem") == "TLSv1.3"


def test_certificate_is_for_no_other_name(start: Callable[..., Caller], tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(start(tls=tmp_path), "example.com", tmp_path / "ca.pem")


def test_authority_is_thrown_away_at_the_next_start(start: Callable[..., Caller], tmp_path: Path) -> None:
    start(tls=tmp_path)
    first = (tmp_path / "ca.pem").read_bytes()
    start(tls=tmp_path)
    assert (tmp_path / "ca.pem").read_bytes() != first


def test_server_key_is_for_its_owner_only(start: Callable[..., Caller], tmp_path: Path) -> None:
    start(tls=tmp_path)
    assert stat.S_IMODE((tmp_path / "server.key").stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ca.pem", "server.key", "server.pem"]
