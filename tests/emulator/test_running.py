from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from airflow_provider_permitocr.emulator.faults.latency import Latency
from airflow_provider_permitocr.emulator.options import EmulatorOptions
from airflow_provider_permitocr.emulator.running import start_emulator
from airflow_provider_permitocr.permit.api import CardSide

if TYPE_CHECKING:
    from tests.emulator.conftest import Caller, FakeEngine


def test_stopped_emulator_is_gone_but_still_tells_what_happened(caller: Caller, png: bytes) -> None:
    caller.recognize(png)
    emulator = caller.emulator
    emulator.stop()
    emulator.stop()
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"{emulator.url}/_emulator/health", timeout=10)
    assert emulator.stats()["calls"] == len(emulator.records()) == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "emulator"]


def test_taken_port_is_an_error(start: Callable[..., Caller]) -> None:
    taken = start().emulator.port
    with pytest.raises(OSError, match="address already in use"):
        start(port=taken)


def test_wrong_faults_file_is_an_error(start: Callable[..., Caller], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot read the faults file"):
        start(faults=tmp_path / "missing.json")


def test_unknown_engine_is_an_error() -> None:
    with pytest.raises(ValueError, match="engine 'tesseract' does not exist"):
        start_emulator(EmulatorOptions(engine="tesseract"))


def test_paid_call_that_the_end_cuts_off_is_in_the_journal(
    start: Callable[..., Caller], png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_permitocr.emulator.server.SHUTDOWN_SECONDS", 0.05)
    worked = threading.Event()

    async def sleep(seconds: float) -> None:
        worked.set()
        await asyncio.Event().wait()

    caller = start(latency=Latency.parse("60"), sleep=sleep)

    def call() -> None:
        with pytest.raises(TencentCloudSDKException):
            caller.recognize(png)

    thread = threading.Thread(target=call)
    thread.start()
    assert worked.wait(10)
    caller.emulator.stop()
    thread.join()
    assert [(record.code, record.answered) for record in caller.emulator.records()] == [(None, True)]


def test_as_many_images_are_read_at_once_as_there_are_threads(
    start: Callable[..., Caller], engine: FakeEngine, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)

    def read(image: bytes, card_side: CardSide, with_portrait: bool) -> dict[str, str]:
        both.wait(10)
        return {"Name": "together"}

    monkeypatch.setattr(engine, "read", read)
    caller = start(engine_threads=2)
    threads = [threading.Thread(target=caller.recognize, args=(png,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert caller.emulator.stats()["answered"] == 2
