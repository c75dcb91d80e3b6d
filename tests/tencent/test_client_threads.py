from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import PermitKind, Specimen
from airflow_provider_permitocr.engine.models import PermitRequest, PermitResponse
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.tencent.client import MainlandPermitClient

_THREADS = 16
_CALLS = 10


def test_many_threads_sign_well_and_each_gets_its_own_answer(
    emulator: RunningEmulator, client: MainlandPermitClient, draw: Callable[..., Specimen]
) -> None:
    specimens = [draw(PermitKind.TAIWAN, CardSide.FRONT, seed) for seed in range(4)]
    together = threading.Barrier(_THREADS)

    def call_in_turn(number: int) -> list[PermitResponse]:
        request = PermitRequest(CardSide.FRONT, image=specimens[number % 4].image)
        together.wait()
        return [client.recognize(request) for _ in range(_CALLS)]

    with ThreadPoolExecutor(_THREADS) as pool:
        answers = list(pool.map(call_in_turn, range(_THREADS)))

    assert emulator.stats()["by_code"] == {"OK": _THREADS * _CALLS}
    for number, responses in enumerate(answers):
        assert [response.fields for response in responses] == [specimens[number % 4].fields] * _CALLS
    request_ids = {response.request_id for responses in answers for response in responses}
    assert len(request_ids) == _THREADS * _CALLS
