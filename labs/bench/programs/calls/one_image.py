"""One client that recognizes one image again and again: its CPU and its time."""

from __future__ import annotations

import asyncio
import base64
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY
from airflow_provider_permitocr.engine.models import PermitRequest
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.tencent.options import ClientOptions

#: Calls in flight of the asynchronous clients.
_AT_ONCE: Final = 4


def main(client: str, endpoint: str, image: str, warm_up: str, calls: str) -> None:
    """Measure a client, and print what it used.

    :param client: ``ours``, ``sdk``, ``sdk_async`` or ``aiohttp``.
    :param warm_up: calls before the measurement.
    """
    measured = {"ours": _ours, "sdk": _sdk, "sdk_async": _sdk_async, "aiohttp": _aiohttp}[client]
    sys.stdout.write(json.dumps(measured(endpoint, Path(image).read_bytes(), int(warm_up), int(calls))))


def _ours(endpoint: str, image: bytes, warm_up: int, calls: int) -> dict[str, float]:
    from airflow_provider_permitocr.tencent.client import MainlandPermitClient

    with MainlandPermitClient(_options(endpoint)) as client:

        def call() -> object:
            return client.recognize(PermitRequest(CardSide.FRONT, image=image))

        return _timed(call, warm_up, calls)


def _sdk(endpoint: str, image: bytes, warm_up: int, calls: int) -> dict[str, float]:
    from tencentcloud.ocr.v20181119.models import MainlandPermitOCRRequest

    from labs.bench.programs.calls.official_sdk import typed_client

    client = typed_client(endpoint)

    def call() -> object:
        request = MainlandPermitOCRRequest()
        request.ImageBase64 = base64.b64encode(image).decode()
        request.CardSide = "FRONT"
        return client.MainlandPermitOCR(request)

    return _timed(call, warm_up, calls)


def _sdk_async(endpoint: str, image: bytes, warm_up: int, calls: int) -> dict[str, float]:
    from tencentcloud.common.credential import Credential
    from tencentcloud.ocr.v20181119.models import MainlandPermitOCRRequest
    from tencentcloud.ocr.v20181119.ocr_client_async import OcrClient

    from labs.bench.programs.calls.official_sdk import profile

    async def run() -> dict[str, float]:
        credential = Credential(DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY)
        async with OcrClient(credential, "", profile(endpoint)) as client:

            async def call() -> object:
                request = MainlandPermitOCRRequest()
                request.ImageBase64 = base64.b64encode(image).decode()
                request.CardSide = "FRONT"
                return await client.MainlandPermitOCR(request)

            return await _timed_async(call, warm_up, calls)

    return asyncio.run(run())


def _aiohttp(endpoint: str, image: bytes, warm_up: int, calls: int) -> dict[str, float]:
    """The limit: body and signature are made once, and the answer is not looked at."""
    import hashlib

    import aiohttp

    from airflow_provider_permitocr.tencent.client import request_body
    from airflow_provider_permitocr.tencent.signing import Signer

    body = bytes(request_body(PermitRequest(CardSide.FRONT, image=image)))
    options = _options(endpoint)
    signer = Signer(options, clock=time.time)
    headers = signer.headers(options.keys, hashlib.sha256(body).hexdigest())

    async def run() -> dict[str, float]:
        async with aiohttp.ClientSession() as session:

            async def call() -> bytes:
                async with session.post(f"http://{endpoint}/", data=body, headers=headers) as answer:
                    return await answer.read()

            return await _timed_async(call, warm_up, calls)

    return asyncio.run(run())


def _options(endpoint: str) -> ClientOptions:
    return ClientOptions(DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY, endpoint=endpoint, protocol="http")


def _timed(call: Callable[[], object], warm_up: int, calls: int) -> dict[str, float]:
    for _ in range(warm_up):
        call()
    began, cpu = time.perf_counter(), _cpu_seconds()
    for _ in range(calls):
        call()
    return _used(began, cpu, calls)


async def _timed_async(call: Callable[[], Awaitable[object]], warm_up: int, calls: int) -> dict[str, float]:
    for _ in range(warm_up):
        await call()
    began, cpu = time.perf_counter(), _cpu_seconds()
    left = iter(range(calls))

    async def worker() -> None:
        for _ in left:
            await call()

    await asyncio.gather(*(worker() for _ in range(_AT_ONCE)))
    return _used(began, cpu, calls)


def _used(began: float, cpu: float, calls: int) -> dict[str, float]:
    return {
        "calls": calls,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": _cpu_seconds() - cpu,
    }


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(*sys.argv[1:])
