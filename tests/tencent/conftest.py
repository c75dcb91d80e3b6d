"""Clients of an emulator, faulty emulators, and what must never show up in a message."""

from __future__ import annotations

import base64
import json
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.options import ClientOptions
from airflow_provider_permitocr.tencent.transport import Transport

OptionsFor = Callable[..., ClientOptions]


class Connection:
    """One connection of a `RawServer`, from the server's side.

    :ivar number: counted from 1.
    :ivar file: what it sends; the socket has only what this has not read ahead.
    """

    def __init__(self, sock: socket.socket, number: int, closing: threading.Event) -> None:
        self.number = number
        self.closing = closing
        self.sock = sock
        self.file = sock.makefile("rb")

    def head(self) -> list[str]:
        """Read a request's first line and headers; none at the end of the connection."""
        lines = iter(self.file.readline, b"")
        return [line.decode().rstrip() for line in iter(lambda: next(lines, b"\r\n"), b"\r\n")]

    def body(self, head: list[str]) -> bytes:
        """Read the rest of a request."""
        fields = dict(line.lower().split(": ", 1) for line in head[1:])
        return self.file.read(int(fields["content-length"]))

    def request(self) -> list[str]:
        """Read a whole request and return its head; none at the end of the connection."""
        head = self.head()
        if head:
            self.body(head)
        return head

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send_for_ever(self, data: bytes, pause: float = 0.0) -> None:
        while not self.closing.wait(pause):
            self.send(data)


class RawServer:
    """A server that does with each connection what the test says, however rude."""

    def __init__(self, treat: Callable[[Connection], None]) -> None:
        self._treat = treat
        self._closing = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def connections(self) -> int:
        """How many there were."""
        return len(self._sockets)

    def stop(self) -> None:
        self._closing.set()
        # Wakes up the thread that accepts, which closing alone would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(accepted)
            thread = threading.Thread(target=self._serve, args=(accepted, len(self._sockets)))
            thread.start()
            self._threads.append(thread)

    def _serve(self, accepted: socket.socket, number: int) -> None:
        with suppress(OSError), accepted:
            self._treat(Connection(accepted, number, self._closing))
            accepted.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def raw_server() -> Iterator[Callable[..., RawServer]]:
    """Start servers that treat each connection as a function says."""
    with ExitStack() as stack:

        def start(treat: Callable[[Connection], None]) -> RawServer:
            server = RawServer(treat)
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing of the machine's own proxies and authorities."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def answering() -> Callable[..., Callable[[Connection], None]]:
    """Treat a connection so: answer its requests with these in turn, the last one for ever."""

    def make(*answers: bytes) -> Callable[[Connection], None]:
        def treat(connection: Connection) -> None:
            left = list(answers)
            while connection.request():
                connection.send(left.pop(0) if len(left) > 1 else left[0])

        return treat

    return make


@pytest.fixture
def connect() -> Iterator[Callable[..., Transport]]:
    """Make transports to a raw server; client options by name."""
    transports: list[Transport] = []

    def make(server: RawServer, **options: Any) -> Transport:
        defaults: dict[str, Any] = {"endpoint": server.endpoint, "protocol": "http"}
        transports.append(Transport(ClientOptions("AKID", "key", **(defaults | options))))
        return transports[-1]

    yield make
    for each in transports:
        each.close()


@pytest.fixture
def options_for() -> OptionsFor:
    """Make options that lead to an emulator; further options by name."""

    def make(emulator: RunningEmulator, **changes: Any) -> ClientOptions:
        defaults: dict[str, Any] = {
            "secret_id": DEFAULT_SECRET_ID,
            "secret_key": DEFAULT_SECRET_KEY,
            "endpoint": emulator.endpoint,
            "protocol": "http",
        }
        return ClientOptions(**(defaults | changes))

    return make


@pytest.fixture
def client(emulator: RunningEmulator, options_for: OptionsFor) -> Iterator[MainlandPermitClient]:
    """A client of the emulator that answers well."""
    with MainlandPermitClient(options_for(emulator)) as client:
        yield client


@pytest.fixture
def faulty_client(
    start_label_emulator: Callable[..., RunningEmulator], options_for: OptionsFor, tmp_path: Path
) -> Callable[..., MainlandPermitClient]:
    """Make a client of an emulator that meets every call with this effect; client options by name."""

    def make(effect: Mapping[str, Any], **options: Any) -> MainlandPermitClient:
        faults = tmp_path / "faults.json"
        faults.write_text(json.dumps({"rules": [{"effect": effect}]}))
        return MainlandPermitClient(options_for(start_label_emulator(faults=faults), **options))

    return make


@pytest.fixture(scope="session")
def private_values() -> Callable[[Specimen], set[str]]:
    """List what a specimen shows and how its image looks on the wire."""

    def collect(specimen: Specimen) -> set[str]:
        encoded = base64.b64encode(specimen.image).decode()
        return {*_texts(specimen.fields), *(encoded[at : at + 40] for at in (0, 400, 4000))}

    return collect


@pytest.fixture(scope="session")
def told_by() -> Callable[[BaseException], str]:
    """Return all that an error tells, in its message, its attributes or its printed traceback."""

    def tell(error: BaseException) -> str:
        printed = "".join(traceback.format_exception(error))
        return f"{error!r} {vars(error)!r} {printed}"

    return tell


def _texts(fields: Mapping[str, Any]) -> Iterator[str]:
    for value in fields.values():
        if isinstance(value, Mapping):
            yield from _texts(value)
        # A number of two digits is found by chance in a time or a port.
        elif isinstance(value, str) and len(value) > (4 if value.isascii() else 1):
            yield value


@pytest.fixture
def tls_emulator(start_label_emulator: Callable[..., RunningEmulator], tmp_path: Path) -> RunningEmulator:
    """A running emulator that speaks HTTPS alone."""
    return start_label_emulator(tls=tmp_path)
