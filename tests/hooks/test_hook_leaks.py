"""Errors that leave the hook hold no answer, image or key that an error tracker could record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_permitocr import MainlandPermitOcrHook
from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_KEY
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.models import ImageRow, PermitRequest
from airflow_provider_permitocr.errors import AccountError, CallError
from airflow_provider_permitocr.permit.answers import KeptAnswer
from airflow_provider_permitocr.permit.api import CardSide
from tests.support.collected import Collected
from tests.support.private_values import PrivateValues

Recognize = Callable[[MainlandPermitOcrHook, list[bytes]], Any]
WAYS: dict[str, Recognize] = {
    "one image": lambda hook, images: [hook.recognize(each) for each in images],
    "rows": lambda hook, images: list(
        hook.recognize_rows([ImageRow(str(each[:4]), each) for each in images])
    ),
    "a frame": lambda hook, images: hook.recognize_frame(pd.DataFrame({"image": images})),
}


@pytest.fixture
def specimens(draw: Callable[..., Specimen]) -> list[Specimen]:
    return [draw(seed=seed) for seed in range(3)]


@pytest.fixture
def private(specimens: list[Specimen]) -> PrivateValues:
    values = PrivateValues()
    values.add("secret key", DEFAULT_SECRET_KEY)
    for specimen in specimens:
        values.add_specimen(specimen)
    return values


def leaks_of(error: BaseException, private: PrivateValues) -> list[tuple[str, str, str]]:
    collected = Collected(())
    collected.error(error)
    return collected.leaks(private)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_an_account_fault_leaves_without_data(
    start_label_emulator: Callable[..., RunningEmulator],
    connect_emulator: Callable[..., None],
    specimens: list[Specimen],
    private: PrivateValues,
    tmp_path: Path,
    way: str,
) -> None:
    arrears = {"match": {"calls": ["2-99"]}, "effect": {"error": "FailedOperation.ArrearsError"}}
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"rules": [arrears]}))
    connect_emulator(start_label_emulator(faults=file))
    with MainlandPermitOcrHook(max_per_second=100) as hook, pytest.raises(AccountError) as raised:
        WAYS[way](hook, [specimen.image for specimen in specimens])
    assert leaks_of(raised.value, private) == []


@pytest.mark.parametrize("way", WAYS)
def test_a_fault_of_our_own_leaves_without_data(
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    specimens: list[Specimen],
    private: PrivateValues,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    connect_emulator(emulator)
    read = KeptAnswer.record

    def broken(answer: KeptAnswer, *args: Any) -> Any:
        record = read(answer, *args)
        raise RuntimeError(f"a fault of our own, with {len(record)} values")

    monkeypatch.setattr(KeptAnswer, "record", broken)
    with MainlandPermitOcrHook(max_per_second=100) as hook, pytest.raises(RuntimeError) as raised:
        WAYS[way](hook, [specimen.image for specimen in specimens])
    assert leaks_of(raised.value, private) == []


def test_a_fault_of_a_single_call_leaves_without_data(
    start_label_emulator: Callable[..., RunningEmulator],
    connect_emulator: Callable[..., None],
    front: Specimen,
    private: PrivateValues,
    tmp_path: Path,
) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"rules": [{"match": {"calls": ["1"]}, "effect": {"body": "malformed"}}]}))
    connect_emulator(start_label_emulator(faults=file))
    request = PermitRequest(CardSide.FRONT, image=front.image)
    with MainlandPermitOcrHook().client() as client, pytest.raises(CallError) as raised:
        client.recognize(request)
    assert leaks_of(raised.value, private) == []
