from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.models import PermitRequest
from airflow_provider_permitocr.errors import CallError, Decision
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.endpoints import AllowedEndpoints
from airflow_provider_permitocr.tencent.options import ClientOptions

FaultyClient = Callable[..., MainlandPermitClient]
AnswerWith = Callable[..., ClientOptions]


def _fault(client: MainlandPermitClient, specimen: Specimen) -> CallError:
    with pytest.raises(CallError) as caught:
        client.recognize(PermitRequest(CardSide.FRONT, image=specimen.image))
    return caught.value


@pytest.mark.parametrize(
    ("effect", "code"),
    [
        ({"http_status": 502}, "ServerNetworkError"),
        ({"http_status": 502, "after_work": True}, "ServerNetworkError"),
        ({"http_status": 503}, "ServerNetworkError.Unavailable"),
        ({"body": "malformed"}, "ClientMalformedAnswer.NotJson"),
        ({"body": "malformed", "content_type": "text/html"}, "ClientMalformedAnswer.NotJson"),
        ({"body": "truncated"}, "ClientNetworkError.AnswerTruncated"),
        ({"drop": True}, "ClientNetworkError.ConnectionLost"),
        ({"delay": 0.5}, "ClientNetworkError.TimedOut"),
        ({"error": "InternalError", "content_type": "application/json; charset=utf-8"}, "InternalError"),
        ({"error": "InternalError", "content_type": "text/html"}, "InternalError"),
        ({"error": "InternalError", "content_type": "text/plain"}, "InternalError"),
    ],
    ids=str,
)
def test_passing_fault_is_tried_again_and_tells_nothing_private(
    faulty_client: FaultyClient,
    front: Specimen,
    private_values: Callable[[Specimen], set[str]],
    told_by: Callable[[BaseException], str],
    effect: Mapping[str, Any],
    code: str,
) -> None:
    timeout = {"read_timeout": 0.1} if "delay" in effect else {}
    error = _fault(faulty_client(effect, **timeout), front)
    assert (error.code, error.decision) == (code, Decision.RETRY)
    assert not [value for value in private_values(front) if value in told_by(error)]


def test_error_hidden_behind_another_content_type_keeps_its_decision_and_request_id(
    faulty_client: FaultyClient, front: Specimen
) -> None:
    client = faulty_client(
        {"error": "ResourceUnavailable.InArrears", "content_type": "application/json; charset=utf-8"}
    )
    error = _fault(client, front)
    assert error.decision is Decision.ACCOUNT
    assert error.request_id


def test_good_answer_under_another_content_type_is_taken(
    faulty_client: FaultyClient, front: Specimen
) -> None:
    client = faulty_client({"content_type": "application/json; charset=utf-8"})
    response = client.recognize(PermitRequest(CardSide.FRONT, image=front.image))
    assert response.fields == front.fields


def test_client_works_on_after_a_fault(
    start_label_emulator: Callable[..., Any],
    options_for: Callable[..., ClientOptions],
    tmp_path: Any,
    front: Specimen,
) -> None:
    rules = [{"match": {"calls": [number]}, "effect": effect} for number, effect in enumerate(_FAULTS, 1)]
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"rules": rules}))
    client = MainlandPermitClient(options_for(start_label_emulator(faults=faults)))
    for _ in _FAULTS:
        _fault(client, front)
    assert client.recognize(PermitRequest(CardSide.FRONT, image=front.image)).fields == front.fields


_FAULTS: tuple[dict[str, Any], ...] = (
    {"drop": True},
    {"body": "truncated"},
    {"http_status": 502},
    {"body": "malformed"},
    {"error": "InternalError"},
)


@pytest.fixture
def answer_with() -> Iterator[AnswerWith]:
    """Start a server that answers every call with this status and body; b'%s' is what it was sent."""
    servers: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def start(status: int, body: bytes, content_type: str = "application/json") -> ClientOptions:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"]))
                answer = body.replace(b"%s", sent)
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        servers.append((server, thread))
        return ClientOptions(
            "id", "key", endpoint=f"127.0.0.1:{server.server_port}", protocol="http", read_timeout=5
        )

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("status", [400, 403, 500, 504])
def test_page_that_quotes_the_request_does_not_get_into_the_error(
    answer_with: AnswerWith,
    front: Specimen,
    private_values: Callable[[Specimen], set[str]],
    told_by: Callable[[BaseException], str],
    status: int,
) -> None:
    error = _fault(MainlandPermitClient(answer_with(status, b"Bad request: %s")), front)
    assert error.code == "ServerNetworkError"
    assert not [value for value in private_values(front) if value in told_by(error)]


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (b"", "NotJson"),
        (b"[]", "WrongEnvelope"),
        (b"null", "WrongEnvelope"),
        (b"7", "WrongEnvelope"),
        (b"{}", "WrongEnvelope"),
        (b'{"Name": "x"}', "WrongEnvelope"),
        (b'{"Response": null}', "WrongEnvelope"),
        (b'{"Response": []}', "WrongEnvelope"),
        (b'{"Response": "x"}', "WrongEnvelope"),
        (b'{"Response": {"Error": "denied", "RequestId": "r"}}', "WrongEnvelope"),
        (b'{"Response": {"Error": {}, "RequestId": "r"}}', "WrongEnvelope"),
        (b'{"Response": {"Error": {"Code": null, "Message": null}, "RequestId": "r"}}', "WrongEnvelope"),
        (b'{"Response": {}}', "NoFields"),
        (b'{"Response": {"RequestId": "r"}}', "NoFields"),
        (b'{"Response": {"Error": null, "RequestId": "r"}}', "NoFields"),
        (b'{"Response": {"Account": "x", "RequestId": "r"}}', "NoFields"),
        (b"\xff\xfe{}", "NotJson"),
        (b"[" * 100_000, "NotJson"),
    ],
    ids=lambda value: repr(value[:60]),
)
@pytest.mark.parametrize("content_type", ["application/json", "text/html"])
def test_answer_of_another_shape_is_a_passing_fault(
    answer_with: AnswerWith, front: Specimen, body: bytes, shape: str, content_type: str
) -> None:
    error = _fault(MainlandPermitClient(answer_with(200, body, content_type)), front)
    assert (error.code, error.decision) == (f"ClientMalformedAnswer.{shape}", Decision.RETRY)
    assert error.request_id == ("r" if b'"r"' in body else "")


@pytest.mark.parametrize(
    "body",
    [
        b'{"Response": {"Name": "", "RequestId": "r"}}',
        b'{"Response": {"MainlandTravelPermitBackInfos": {"IDNumber": ""}, "RequestId": "r"}}',
        b'{"Response": {"EnglishName": "LI,YOU-TU", "Nationality": ""}}',
    ],
    ids=lambda body: repr(body[:60]),
)
def test_answer_with_but_some_of_the_documented_fields_is_taken(
    answer_with: AnswerWith, front: Specimen, body: bytes
) -> None:
    client = MainlandPermitClient(answer_with(200, body))
    response = client.recognize(PermitRequest(CardSide.FRONT, image=front.image))
    assert response.fields


@pytest.mark.parametrize(
    ("endpoint", "fault_name"),
    [("127.0.0.1:{port}", "NotConnected"), ("permitocr.invalid", "NameNotResolved")],
    ids=["refused", "no such host"],
)
def test_service_that_cannot_be_reached_is_named(front: Specimen, endpoint: str, fault_name: str) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        host = endpoint.format(port=reserved.getsockname()[1])
        allowed = AllowedEndpoints((f"http://{host}",))
        options = ClientOptions("id", "key", endpoint=host, protocol="http", allowed=allowed)
        error = _fault(MainlandPermitClient(options), front)
    assert (error.code, error.decision) == (f"ClientNetworkError.{fault_name}", Decision.UNREACHABLE)
    assert error.billed is False
    assert host in error.message


def test_https_to_a_server_that_speaks_http_is_a_network_fault(
    answer_with: AnswerWith, front: Specimen
) -> None:
    plain = answer_with(200, b"{}")
    error = _fault(MainlandPermitClient(ClientOptions("id", "key", endpoint=plain.endpoint)), front)
    assert error.code == "ClientNetworkError.TlsFailed"
    assert "SSLError" in error.message
