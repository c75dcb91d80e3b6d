"""Clients of an emulator, faulty emulators, and what must never show up in a message."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.options import ClientOptions
from airflow_provider_permitocr.tencent.transport import Transport
from tests.net.raw_server import Connection, RawServer

OptionsFor = Callable[..., ClientOptions]


@pytest.fixture(autouse=True)
def environment(clean_environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing of the machine's own proxies and authorities."""
    return clean_environment


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
