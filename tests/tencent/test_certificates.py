from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.models import PermitRequest
from airflow_provider_permitocr.errors import ConfigurationError, Decision
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.options import ClientOptions
from tests.tencent.recognition import fault, recognize

OptionsFor = Callable[..., ClientOptions]


def test_https_is_trusted_through_the_connections_authorities_alone(
    tls_emulator: RunningEmulator, options_for: OptionsFor, front: Specimen
) -> None:
    recognize(
        options_for(tls_emulator, protocol="https", ca_bundle=str(tls_emulator.ca_file)), front, times=2
    )
    error = fault(options_for(tls_emulator, protocol="https"), front)
    assert (error.code, error.decision) == ("ClientNetworkError.CertificateRefused", Decision.ACCOUNT)
    assert "ca_bundle" in error.advice
    assert "TLS failed (SSLError, SSLCertVerificationError: " in error.message


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_authorities_of_the_environment_are_trusted(
    tls_emulator: RunningEmulator,
    options_for: OptionsFor,
    front: Specimen,
    environment: pytest.MonkeyPatch,
    name: str,
) -> None:
    environment.setenv(name, str(tls_emulator.ca_file))
    recognize(options_for(tls_emulator, protocol="https"), front)


def test_authorities_that_cannot_be_read_are_named_at_once(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("REQUESTS_CA_BUNDLE", "/no/such/ca.pem")
    with pytest.raises(ConfigurationError, match=r"/no/such/ca\.pem.*REQUESTS_CA_BUNDLE"):
        MainlandPermitClient(ClientOptions("AKID", "key"))
    no_certificates = tmp_path / "ca.pem"
    no_certificates.write_text("nothing")
    with pytest.raises(ConfigurationError, match="ca_bundle"):
        MainlandPermitClient(ClientOptions("AKID", "key", ca_bundle=str(no_certificates)))


def test_certificate_of_another_host_is_refused(
    tls_emulator: RunningEmulator, options_for: OptionsFor, front: Specimen, environment: pytest.MonkeyPatch
) -> None:
    options = options_for(
        tls_emulator,
        protocol="https",
        ca_bundle=str(tls_emulator.ca_file),
        endpoint=f"127.0.0.2:{tls_emulator.port}",
    )
    # 127.0.0.2 is this machine too, but not everywhere.
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", tls_emulator.port))
    environment.setattr("socket.getaddrinfo", lambda *_args, **_named: [address])
    assert fault(options, front).code == "ClientNetworkError.CertificateRefused"


def test_authorities_are_read_once_for_all_connections(
    tls_emulator: RunningEmulator, options_for: OptionsFor, front: Specimen, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes((tls_emulator.ca_file or Path()).read_bytes())
    client = MainlandPermitClient(options_for(tls_emulator, protocol="https", ca_bundle=str(bundle)))
    bundle.unlink()
    with client:
        response = client.recognize(PermitRequest(CardSide.FRONT, image=front.image))
    assert response.fields == front.fields


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_server_that_never_answers_the_handshake_ends_with_the_time_for_connecting(
    silent_server: str, front: Specimen
) -> None:
    options = ClientOptions("AKID", "key", endpoint=silent_server, connect_timeout=0.2)
    error = fault(options, front)
    assert error.code == "ClientNetworkError.TimedOut"
    assert "not secured in time" in error.message
