"""A running emulator with an engine that needs no models, ways to call it, and a place for images."""

from __future__ import annotations

import base64
import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from PIL import Image
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from airflow_provider_permitocr.emulator.gateway import signature
from airflow_provider_permitocr.emulator.options import (
    DEFAULT_SECRET_ID,
    DEFAULT_SECRET_KEY,
    EmulatorOptions,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator, start_emulator
from airflow_provider_permitocr.permit.api import ACTION, SERVICE, VERSION, CardSide


@dataclass
class FakeEngine:
    """Answers the same fields for every image and remembers what it was asked."""

    fields: dict[str, Any] = field(
        default_factory=lambda: {"Name": "李优图", "Number": "08320271", "WarnCardInfos": [-9102]}
    )
    error: Exception | None = None
    asked: list[tuple[bytes, CardSide, bool]] = field(default_factory=list)

    def read(self, image: bytes, card_side: CardSide, with_portrait: bool) -> dict[str, Any]:
        self.asked.append((image, card_side, with_portrait))
        if self.error:
            raise self.error
        return dict(self.fields)


@dataclass
class StoppedClock:
    """Unix time that moves only when told to."""

    now: float = field(default_factory=lambda: float(int(time.time())))

    def __call__(self) -> float:
        return self.now


class ImageServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ImageHandler)
        self.files: dict[str, bytes] = {}
        self.closing = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class ImageHandler(BaseHTTPRequestHandler):
    server: ImageServer

    def do_GET(self) -> None:
        if self.path == "/slow":
            self.server.closing.wait(10)
        elif self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/image")
            self.end_headers()
        elif self.path in self.server.files:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.server.files[self.path])
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output to the tests."""


@dataclass(frozen=True)
class Caller:
    """Calls one emulator, by the official client or with plain HTTP."""

    emulator: RunningEmulator

    def profile(self, **http: Any) -> ClientProfile:
        scheme = self.emulator.url.partition(":")[0]
        return ClientProfile(
            httpProfile=HttpProfile(protocol=scheme, endpoint=self.emulator.endpoint, **http),
            language="en-US",
        )

    def sdk(
        self,
        secret_id: str = DEFAULT_SECRET_ID,
        secret_key: str = DEFAULT_SECRET_KEY,
        token: str | None = None,
        service: str = SERVICE,
        version: str = VERSION,
    ) -> CommonClient:
        return CommonClient(service, version, Credential(secret_id, secret_key, token), "", self.profile())

    def recognize(self, image: bytes, **parameters: Any) -> dict[str, Any]:
        encoded = base64.b64encode(image).decode()
        answer = self.sdk().call_json(ACTION, {"ImageBase64": encoded, **parameters})
        response: dict[str, Any] = answer["Response"]
        return response

    def post(self, body: bytes, drop: str = "", **changes: str) -> requests.Response:
        """Send a well-signed request, apart from the header left out or the ones changed."""
        headers = {
            "Content-Type": changes.pop("content_type", "application/json"),
            "Host": self.emulator.endpoint,
            "X-TC-Action": ACTION,
            "X-TC-Version": VERSION,
            "X-TC-Timestamp": str(int(time.time())),
        }
        headers["Authorization"] = authorization(headers, body)
        headers |= {name.replace("_", "-"): value for name, value in changes.items()}
        headers.pop(drop, None)
        return requests.post(self.emulator.url, data=body, headers=headers, timeout=10)


def authorization(headers: dict[str, str], body: bytes) -> str:
    lower = {name.lower(): value for name, value in headers.items()}
    names = ("content-type", "host")
    timestamp = int(headers["X-TC-Timestamp"])
    canonical = signature.canonical_request("POST", "", lower, names, signature.payload_hash(body, None))
    signed = signature.sign(DEFAULT_SECRET_KEY, SERVICE, timestamp, canonical)
    date = time.strftime("%Y-%m-%d", time.gmtime(timestamp))
    return (
        f"TC3-HMAC-SHA256 Credential={DEFAULT_SECRET_ID}/{date}/{SERVICE}/tc3_request, "
        f"SignedHeaders=content-type;host, Signature={signed}"
    )


def encode(image: Image.Image, image_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def start(engine: FakeEngine) -> Iterator[Callable[..., Caller]]:
    """Start emulators; options by name, and `clock` or `sleep`."""
    with ExitStack() as stack:

        def start_one(**options: Any) -> Caller:
            injected = {name: options.pop(name) for name in ("clock", "sleep") if name in options}
            running = start_emulator(EmulatorOptions(**options), engine, **injected)
            return Caller(stack.enter_context(running))

        yield start_one


@pytest.fixture
def caller(start: Callable[..., Caller]) -> Caller:
    return start()


@pytest.fixture(scope="session")
def png() -> bytes:
    return encode(Image.effect_noise((64, 40), 40), "PNG")


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    return encode(Image.effect_noise((64, 40), 40), "JPEG")


@pytest.fixture(scope="session")
def gif() -> bytes:
    return encode(Image.effect_noise((64, 40), 40), "GIF")


@pytest.fixture
def image_server() -> Iterator[ImageServer]:
    with ImageServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()
