"""An external caller that uses the same account at an even rate, with its own keys.

It records the request id of each answer, which identifies its calls in the journal.
"""

from __future__ import annotations

import base64
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.ocr.v20181119.models import MainlandPermitOCRRequest

from labs.bench.programs.calls.official_sdk import typed_client

_THREADS: Final = 32


def main(endpoint: str, secret_id: str, secret_key: str, rate: str, image: str, notes: str) -> None:
    """Send the same image repeatedly until SIGTERM; then wait for calls in flight.

    :param rate: calls per second.
    :param notes: file for the request ids.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    client = typed_client(endpoint, secret_id, secret_key)
    request = MainlandPermitOCRRequest()
    request.ImageBase64 = base64.b64encode(Path(image).read_bytes()).decode()
    request.CardSide = "FRONT"
    turn = time.monotonic()
    with Path(notes).open("w", buffering=1) as ids, ThreadPoolExecutor(_THREADS) as pool:

        def call() -> None:
            try:
                request_id = client.MainlandPermitOCR(request).RequestId
            except TencentCloudSDKException as refused:
                request_id = refused.get_request_id()
            ids.write(f"{request_id}\n")

        while not stop.wait(max(0.0, turn - time.monotonic())):
            pool.submit(call)
            turn += 1 / float(rate)


if __name__ == "__main__":
    main(*sys.argv[1:])
