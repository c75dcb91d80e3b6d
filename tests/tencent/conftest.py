"""Clients of an emulator, faulty emulators, and what must never show up in a message."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.options import ClientOptions

OptionsFor = Callable[..., ClientOptions]


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
def client(emulator: RunningEmulator, options_for: OptionsFor) -> MainlandPermitClient:
    """A client of the emulator that answers well."""
    return MainlandPermitClient(options_for(emulator))


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
