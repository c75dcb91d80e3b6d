from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.models import PermitRequest
from airflow_provider_permitocr.errors import CallError
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.options import ClientOptions


def test_preparing_sends_nothing_and_each_call_of_it_makes_one(
    emulator: RunningEmulator, client: MainlandPermitClient, front: Specimen
) -> None:
    call = client.prepare(PermitRequest(CardSide.FRONT, image=front.image))
    assert emulator.stats()["calls"] == 0
    responses = [call(), call()]
    assert [response.fields for response in responses] == [front.fields] * 2
    assert [record.request_id for record in emulator.records()] == [each.request_id for each in responses]


def test_call_is_signed_as_of_its_turn_and_not_of_its_preparation(
    start_label_emulator: Callable[..., RunningEmulator],
    options_for: Callable[..., ClientOptions],
    front: Specimen,
) -> None:
    now = [1_800_000_000.0]
    emulator = start_label_emulator(clock=lambda: now[0])
    client = MainlandPermitClient(options_for(emulator), clock=lambda: now[0])
    call = client.prepare(PermitRequest(CardSide.FRONT, image=front.image))
    for _ in range(3):
        now[0] += 1000  # the service refuses what was signed 300 seconds ago
        assert call().fields == front.fields


def test_prepared_call_does_not_keep_the_image_alive(client: MainlandPermitClient, front: Specimen) -> None:
    image = bytes(bytearray(front.image))
    references = sys.getrefcount(image)
    call = client.prepare(PermitRequest(CardSide.FRONT, image=image))
    assert sys.getrefcount(image) == references
    assert call().fields == front.fields


def test_recognize_is_preparing_and_calling(client: MainlandPermitClient, front: Specimen) -> None:
    request = PermitRequest(CardSide.FRONT, image=front.image)
    assert client.recognize(request).fields == client.prepare(request)().fields


def test_client_is_closed_when_its_context_is_left(
    emulator: RunningEmulator, options_for: Callable[..., ClientOptions], front: Specimen
) -> None:
    with MainlandPermitClient(options_for(emulator)) as client:
        call = client.prepare(PermitRequest(CardSide.FRONT, image=front.image))
        call()
    with pytest.raises(CallError, match="closed"):
        call()


def test_importing_the_client_loads_nothing_heavy() -> None:
    program = (
        "import sys, airflow_provider_permitocr.tencent.client as _\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "airflow_provider_permitocr" in loaded
    assert loaded & {"requests", "urllib3", "tencentcloud", "pandas", "airflow"} == set()


def test_calls_of_a_typical_run_share_their_connections(
    client: MainlandPermitClient, front: Specimen, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "urllib3")
    for _ in range(10):
        client.recognize(PermitRequest(CardSide.FRONT, image=front.image))
    opened: list[Any] = [each for each in caplog.messages if "Starting new HTTP connection" in each]
    assert len(opened) == 1
