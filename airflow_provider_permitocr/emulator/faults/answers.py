"""Put an answer on the wire, whole or as a fault wants it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from airflow_provider_permitocr.emulator.faults.faults import BodyFault, Effect

#: Exactly this: the official SDK looks for errors under no other value.
CONTENT_TYPE: Final = "application/json"


@dataclass(frozen=True)
class Answer:
    """An answer of the API: processed requests have HTTP status 200, refused ones too.

    :param time: Unix time in seconds.
    """

    request_id: str
    fields: dict[str, Any]
    time: float

    @property
    def headers(self) -> dict[str, str]:
        """The ones of every answer, by the emulator's clock."""
        return {"Content-Type": CONTENT_TYPE, "Date": formatdate(self.time, usegmt=True)}

    def body(self) -> bytes:
        """Return the JSON document."""
        response = {"Response": {**self.fields, "RequestId": self.request_id}}
        return json.dumps(response, ensure_ascii=False).encode()


def error_fields(code: str, message: str) -> dict[str, Any]:
    """Return the fields of an error answer."""
    return {"Error": {"Code": code, "Message": message}}


async def send(http: web.Request, answer: Answer, effect: Effect | None) -> web.StreamResponse:
    """Answer a request.

    :param effect: the fault to apply, after any delay; None for none.
    """
    if effect is None:
        return web.Response(body=answer.body(), headers=answer.headers)
    if effect.drop:
        return _dropped(http)
    if effect.http_status is not None:
        return _error_page(effect)
    body = answer.body()
    headers = answer.headers | _headers(effect, CONTENT_TYPE)
    if effect.body == BodyFault.TRUNCATED:
        return await _truncated(http, body, headers)
    if effect.body == BodyFault.MALFORMED:
        body = body[: len(body) // 2]
    return web.Response(body=body, headers=headers)


def _error_page(effect: Effect) -> web.Response:
    status = effect.http_status or HTTPStatus.BAD_GATEWAY
    phrase = HTTPStatus(status).phrase if status in list(HTTPStatus) else "Error"
    page = (
        f"<html><head><title>{status} {phrase}</title></head><body><h1>{status} {phrase}</h1></body></html>"
    )
    return web.Response(status=status, body=page.encode(), headers=_headers(effect, "text/html"))


def _headers(effect: Effect, content_type: str) -> dict[str, str]:
    headers = {"Content-Type": effect.content_type or content_type}
    if effect.retry_after is not None:
        headers["Retry-After"] = str(effect.retry_after)
    return headers


def _dropped(http: web.Request) -> web.Response:
    if http.transport is not None:
        http.transport.abort()
    return web.Response()  # aiohttp requires a response, although no one receives it


async def _truncated(http: web.Request, body: bytes, headers: dict[str, str]) -> web.StreamResponse:
    response = web.StreamResponse(headers=headers)
    response.content_length = len(body)
    await response.prepare(http)
    await response.write(body[: len(body) // 2])
    if http.transport is not None:
        http.transport.close()  # flushes what was written, then ends the connection
    return response
