"""One exchange with a server of the raw kind."""

from __future__ import annotations

import pytest

from airflow_provider_permitocr.errors import CallError
from airflow_provider_permitocr.tencent.transport import Transport

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def post(transport: Transport, body: bytes = b"{}") -> bytes:
    return transport.post({"Content-Type": "application/json"}, body).body


def fault(transport: Transport, body: bytes = b"{}") -> CallError:
    with pytest.raises(CallError) as caught:
        post(transport, body)
    assert caught.value.__cause__ is None
    return caught.value
